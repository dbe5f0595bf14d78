import pytest

from activities.azure.hosting import serve_script, short_name
from activities.azure.serving_states import DEPLOYMENT_PHASES, ENDPOINT_PHASES, SUCCEEDED, UNDER_WAY, phase_of
from contracts.endpoints import EndpointPhase
from contracts.jobs import JobRequest, RunRef

READY = {"Succeeded", "Scaling"}


@pytest.mark.parametrize(("status", "phase"), ENDPOINT_PHASES.items(), ids=ENDPOINT_PHASES)
def test_an_endpoint_that_is_not_there_yet_or_any_more_is_never_ready(
    status: str, phase: EndpointPhase
) -> None:
    assert phase_of(status, "Succeeded") is phase
    assert phase is not EndpointPhase.READY
    assert (phase is EndpointPhase.CREATING) == (status in UNDER_WAY)


@pytest.mark.parametrize(("status", "phase"), DEPLOYMENT_PHASES.items(), ids=DEPLOYMENT_PHASES)
def test_an_endpoint_is_as_its_deployment_is(status: str, phase: EndpointPhase) -> None:
    assert phase_of(SUCCEEDED, status) is phase
    assert (phase is EndpointPhase.READY) == (status in READY)


def test_an_endpoint_without_a_deployment_is_incomplete_and_a_new_state_is_no_end() -> None:
    assert phase_of(SUCCEEDED, None) is EndpointPhase.INCOMPLETE
    assert phase_of("Hibernating", None) is EndpointPhase.CREATING
    assert phase_of(SUCCEEDED, "Hibernating") is EndpointPhase.CREATING


def test_every_state_of_the_sdk_is_known() -> None:
    from azure.ai.ml._restclient.arm_ml_service.models import (
        DeploymentProvisioningState,
        EndpointProvisioningState,
    )

    assert {state.value for state in EndpointProvisioningState} == {*ENDPOINT_PHASES, SUCCEEDED}
    assert {state.value for state in DeploymentProvisioningState} == set(DEPLOYMENT_PHASES)


def test_a_name_fits_an_endpoint_and_tells_the_run() -> None:
    run = RunRef(pipeline="demo", key="k", run_uid="0123456789abcdef" * 2)
    request = JobRequest(
        run=run, stage="a" * 40, generation=1, kind="deploy", command=(("python",), ("server.py",))
    )
    name = short_name(request.name)
    assert name.startswith("cw-0123456789ab-")
    assert len(name) <= 32
    assert name != short_name(request.model_copy(update={"generation": 2}).name)
    assert serve_script(request).startswith("#!/bin/sh\nset -eu\nmkdir -p /tmp/causeway-server\ntar -xzf ")
