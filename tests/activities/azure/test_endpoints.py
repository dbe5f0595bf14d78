"""Azure ML's online endpoints against the sandbox: refusals, conflicts and ends in the middle."""

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.azure import room
from activities.azure.errors import translate
from activities.azure.hosting import short_name
from activities.azure.settings import AzureSettings
from activities.azure.store import BlobStore
from activities.endpoints import ServiceEndpointActivities
from contracts.endpoints import EndpointPhase
from contracts.jobs import FindRequest, JobRequest, PathRef, RunRef
from tests.contracts.conftest import processes
from tests.serving import DOUBLER, put_code, put_folder

__all__ = ["processes"]


@pytest.fixture
def endpoints(settings: AzureSettings, store: BlobStore) -> ServiceEndpointActivities:
    return ServiceEndpointActivities(room.endpoints(settings), store, translate)


@pytest.fixture
def request_(store: BlobStore, endpoints: ServiceEndpointActivities) -> Iterator[JobRequest]:
    uid = uuid.uuid4().hex
    prefix = f"{store.default_container}runs/{uid}/"
    yield JobRequest(
        run=RunRef(pipeline="demo", key="k", run_uid=uid),
        stage="serve",
        generation=1,
        kind="deploy",
        command=(("python",), ("server.py",), (PathRef(role="inputs", name="model"),)),
        code=put_code(store, f"{prefix}code/", DOUBLER),
        inputs={"model": put_folder(store, f"{prefix}model/", {"model.json": b'{"factor": 2.5}'})},
        timeout=timedelta(minutes=2),
    )
    for state in endpoints.find(FindRequest(run_uid=uid)).endpoints:
        endpoints.retire(state.ref)


def test_an_endpoint_that_is_still_coming_goes_with_its_process_and_its_model(
    settings: AzureSettings,
    endpoints: ServiceEndpointActivities,
    request_: JobRequest,
    processes: Callable[[str], list[str]],
) -> None:
    service = room.endpoints(settings)
    ref = service.create(request_)
    assert service.describe(ref).phase is EndpointPhase.CREATING
    assert [held.ref.name for held in service.marked() if held.run_uid == request_.run.run_uid] == [ref.name]
    assert endpoints.retire(ref).phase is EndpointPhase.GONE
    assert endpoints.find(FindRequest(run_uid=request_.run.run_uid)).endpoints == ()
    assert processes(request_.run.run_uid) == []


def test_what_a_refused_deployment_leaves_is_found_and_removed(
    settings: AzureSettings, endpoints: ServiceEndpointActivities, request_: JobRequest, sandbox: Any
) -> None:
    sandbox.sandbox("fault", "azure", "quota", "--match", short_name(request_.name))
    with pytest.raises(ApplicationError, match="Not enough quota") as raised:
        endpoints.deploy(request_)
    assert raised.value.type == "QUOTA_EXHAUSTED"
    (left,) = endpoints.find(FindRequest(run_uid=request_.run.run_uid)).endpoints
    assert (left.phase, left.message) == (EndpointPhase.INCOMPLETE, "the endpoint has no deployment")
    assert endpoints.retire(left.ref).phase is EndpointPhase.GONE
