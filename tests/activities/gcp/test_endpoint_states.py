from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from activities.gcp.endpoint_states import PHASE_OF_STEP, SETTLING, endpoint_state, served
from activities.gcp.operations import Step, kind_of, step_of
from activities.gcp.states import REASON_OF_CODE
from contracts.endpoints import EndpointPhase, EndpointRef
from contracts.errors import ErrorKind

REF = EndpointRef(id="projects/p/locations/l/endpoints/cw-serve", name="cw-serve")
NOW = datetime.now(UTC)
KIND_OF_CODE = {
    3: ErrorKind.JOB_FAILED,
    4: ErrorKind.TIMED_OUT,
    5: ErrorKind.INVALID_REQUEST,
    7: ErrorKind.ACCESS_DENIED,
    8: ErrorKind.CAPACITY,
    10: ErrorKind.JOB_FAILED,
    13: ErrorKind.JOB_FAILED,
    14: ErrorKind.JOB_FAILED,
    16: ErrorKind.ACCESS_DENIED,
}


def endpoint(*deployed: str, age: timedelta = timedelta(hours=1)) -> Any:
    return SimpleNamespace(deployed_models=list(deployed), create_time=datetime.now(UTC) - age)


def step(kind: str, *, done: bool = True, code: int = 0, message: str = "") -> Step:
    return Step(f"{REF.id}/operations/1", kind, done, NOW, code, message)


@pytest.mark.parametrize(("kind", "phase"), PHASE_OF_STEP.items(), ids=list(PHASE_OF_STEP))
def test_an_operation_that_goes_on_is_one_phase(kind: str, phase: EndpointPhase) -> None:
    assert endpoint_state(REF, endpoint(), [step(kind, done=False)]).phase is phase


def test_an_endpoint_that_goes_is_not_ready_though_its_model_is_still_there() -> None:
    state = endpoint_state(REF, endpoint("1"), [step("DeployModel"), step("UndeployModel", done=False)])
    assert state.phase is EndpointPhase.DELETING


def test_an_operation_that_is_new_to_the_table_changes_nothing() -> None:
    state = endpoint_state(REF, endpoint("1"), [step("DeployModel"), step("Hibernate", done=False)])
    assert state.phase is EndpointPhase.READY


@pytest.mark.parametrize("code", REASON_OF_CODE, ids=str)
def test_the_code_of_a_failed_deployment_tells_the_reason(code: int) -> None:
    steps = [step("CreateEndpoint"), step("DeployModel", code=code, message="the vendor's words")]
    state = endpoint_state(REF, endpoint(), steps)
    told = (EndpointPhase.FAILED, KIND_OF_CODE[code], "the vendor's words")
    assert (state.phase, state.reason, state.message) == told


@pytest.mark.parametrize("code", [1, 9, 99], ids=["cancelled", "never ready", "unknown"])
def test_any_other_failed_deployment_was_not_healthy(code: int) -> None:
    state = endpoint_state(REF, endpoint(), [step("DeployModel", code=code)])
    assert (state.phase, state.reason) == (EndpointPhase.FAILED, ErrorKind.JOB_FAILED)


@pytest.mark.parametrize(
    ("age", "phase"),
    [(SETTLING / 2, EndpointPhase.CREATING), (SETTLING * 2, EndpointPhase.INCOMPLETE)],
    ids=["new", "old"],
)
def test_an_endpoint_that_nothing_was_asked_of_is_a_rest_only_once_it_is_old(
    age: timedelta, phase: EndpointPhase
) -> None:
    assert endpoint_state(REF, endpoint(age=age), [step("CreateEndpoint")]).phase is phase


def test_an_endpoint_whose_model_was_taken_off_is_a_rest() -> None:
    steps = [step("DeployModel"), step("UndeployModel")]
    assert endpoint_state(REF, endpoint(), steps).phase is EndpointPhase.INCOMPLETE
    assert served(endpoint(), steps)


def test_an_operation_is_known_by_the_type_of_its_metadata_and_its_time_is_told() -> None:
    kind = "type.googleapis.com/google.cloud.aiplatform.v1.DeployModelOperationMetadata"
    metadata = {"@type": kind, "genericMetadata": {"createTime": "2026-11-25T01:02:03.4Z"}}
    error = {"code": 8, "message": "none left"}
    found = step_of({"name": "o", "metadata": metadata, "done": True, "error": error})
    began = datetime(2026, 11, 25, 1, 2, 3, 400_000, tzinfo=UTC)
    assert found == Step("o", "DeployModel", True, began, 8, "none left")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (3, ErrorKind.INVALID_REQUEST),
        (7, ErrorKind.ACCESS_DENIED),
        (8, ErrorKind.CAPACITY),
        (14, ErrorKind.UNAVAILABLE),
    ],
)
def test_an_upload_that_failed_is_of_the_kind_that_its_code_tells(code: int, kind: ErrorKind) -> None:
    assert kind_of(code) is kind
