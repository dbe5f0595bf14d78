"""What is Google's own about endpoints: three parts of one name, long-running operations, and refusals on the way."""

import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.endpoints import ServiceEndpointActivities
from activities.gcp import room
from activities.gcp.endpoints import VertexEndpoints
from activities.gcp.errors import translate
from activities.gcp.operations import Operations, Step
from activities.gcp.settings import GcpSettings
from activities.gcp.store import GcsStore
from activities.guard import translated
from contracts.endpoints import EndpointPhase, EndpointRef
from contracts.errors import ErrorKind
from contracts.jobs import JobRequest
from sandbox.layout import Layout
from sandbox.servers.faults import Fault, Faults
from tests.activities.gcp.test_jobs import request_of
from tests.house import PATIENCE_SECONDS, until
from tests.serving import DOUBLER, put_code, put_folder

LAZY = "import time\nprint('still loading', flush=True)\ntime.sleep(600)\n"
ROW = b'{"instances": [{"id": 1, "x": 4}]}'


@pytest.fixture
def endpoints(settings: GcpSettings) -> VertexEndpoints:
    return room.endpoints(settings)


@pytest.fixture
def faults(sandbox: Any) -> Iterator[Faults]:
    layout = dataclasses.replace(Layout.from_environment(), root=sandbox.root)
    found = Faults(layout.faults_of("vertex"))
    yield found
    found.clear()


@pytest.fixture
def asked(endpoints: VertexEndpoints, store: GcsStore) -> Iterator[Callable[..., JobRequest]]:
    """Makes requests for servers, and removes what came of them."""
    made: list[JobRequest] = []

    def ask(script: str = DOUBLER, **more: Any) -> JobRequest:
        request = request_of("python", "server.py", "../inputs/model", stage="serve")
        prefix = f"{store.default_container}runs/{request.run.run_uid}/"
        changes = {
            "kind": "deploy",
            "outputs": {},
            "code": put_code(store, f"{prefix}code/", script),
            "inputs": {"model": put_folder(store, f"{prefix}model/", {"model.json": b'{"factor": 2}'})},
            **more,
        }
        made.append(request.model_copy(update=changes))
        return made[-1]

    yield ask
    activities = ServiceEndpointActivities(endpoints, store, translate)
    for request in made:
        for state in endpoints.find(request.run.run_uid, None):
            activities.retire(state.ref)


class Slow(Operations):
    """Operations whose answer is on its way until everything that was begun is over."""

    def of(self, resource: str) -> list[Step]:
        until(lambda: all(step.done for step in super(Slow, self).of(resource)), "the end of all")
        return super().of(resource)


def phase_of(endpoints: VertexEndpoints, ref: EndpointRef) -> EndpointPhase:
    return endpoints.describe(ref).phase


def test_a_deployment_that_ends_while_it_is_looked_at_has_its_model(
    endpoints: VertexEndpoints, settings: GcpSettings, asked: Callable[..., JobRequest]
) -> None:
    ref = endpoints.create(asked())
    slow = room.endpoints(settings, operations=Slow)
    assert phase_of(slow, ref) is EndpointPhase.READY


def kind_of(call: Callable[..., Any], *arguments: Any) -> str | None:
    """Of the error that a call of the service ends with, as the activities tell it."""
    with pytest.raises(ApplicationError) as raised, translated(translate, "here"):
        call(*arguments)
    return raised.value.type


def removed(endpoints: VertexEndpoints, ref: EndpointRef) -> bool:
    endpoints.remove(ref)
    return phase_of(endpoints, ref) is EndpointPhase.GONE


def test_four_creates_at_once_make_one_endpoint_with_one_model(
    endpoints: VertexEndpoints, asked: Callable[..., JobRequest]
) -> None:
    request, barrier = asked(), threading.Barrier(4)

    def create(_: int) -> EndpointRef:
        barrier.wait()
        return endpoints.create(request)

    with ThreadPoolExecutor(4) as threads:
        refs = list(threads.map(create, range(4)))
    assert len({ref.id for ref in refs}) == 1
    assert sum(not ref.adopted for ref in refs) == 1
    until(lambda: phase_of(endpoints, refs[0]) is EndpointPhase.READY, "the endpoint answers")
    assert endpoints.score(refs[0], ROW) == b'{"predictions": [{"id": 1, "score": 8.0}]}'
    (marked,) = [held for held in endpoints.marked() if held.run_uid == request.run.run_uid]
    assert (marked.ref.id, marked.stage) == (refs[0].id, "serve")


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param("UploadModel", marks=pytest.mark.durability),
        pytest.param("CreateEndpoint", marks=pytest.mark.durability),
        "DeployModel",
    ],
)
def test_a_create_whose_answer_was_lost_is_adopted_by_the_next(
    endpoints: VertexEndpoints, asked: Callable[..., JobRequest], faults: Faults, operation: str
) -> None:
    request = asked(LAZY)
    faults.add(Fault("drop", times=1, match=operation))
    assert kind_of(endpoints.create, request) == ErrorKind.UNAVAILABLE
    ref = endpoints.create(request)
    assert ref.adopted is (operation == "DeployModel")
    assert [state.ref.id for state in endpoints.find(request.run.run_uid, "serve")] == [ref.id]


def test_a_model_on_its_way_is_called_back_and_nothing_is_left(
    endpoints: VertexEndpoints, asked: Callable[..., JobRequest], sandbox: Any
) -> None:
    ref = endpoints.create(asked(LAZY))
    until(lambda: endpoints.last_lines(ref, 5) == ("still loading",), "its server runs")
    assert phase_of(endpoints, ref) is EndpointPhase.CREATING
    until(lambda: removed(endpoints, ref), "nothing is left")
    assert not [line for line in sandbox.commands() if ref.name in line]


@pytest.mark.durability
def test_a_server_that_is_late_is_removed(
    endpoints: VertexEndpoints, store: GcsStore, asked: Callable[..., JobRequest]
) -> None:
    request = asked(LAZY, timeout=timedelta(seconds=1))
    with pytest.raises(ApplicationError, match="is not healthy and was removed") as raised:
        ServiceEndpointActivities(endpoints, store, translate).deploy(request)
    assert raised.value.type == ErrorKind.TIMED_OUT
    assert endpoints.find(request.run.run_uid, None) == []


@pytest.mark.durability
def test_a_quota_that_is_used_up_is_told_and_what_was_made_is_found(
    endpoints: VertexEndpoints, asked: Callable[..., JobRequest], faults: Faults
) -> None:
    request = asked()
    faults.add(Fault("quota", match=request.name))
    assert kind_of(endpoints.create, request) in (ErrorKind.THROTTLED, ErrorKind.QUOTA_EXHAUSTED)
    (state,) = endpoints.find(request.run.run_uid, None)
    until(lambda: removed(endpoints, state.ref), "nothing is left")


def test_vertex_ai_itself_may_ask_for_patience(
    endpoints: VertexEndpoints, asked: Callable[..., JobRequest], faults: Faults
) -> None:
    ref = endpoints.create(asked())
    assert kind_of(endpoints.score, ref, ROW) == ErrorKind.INVALID_REQUEST
    until(lambda: phase_of(endpoints, ref) is EndpointPhase.READY, "the endpoint answers")
    for kind, expected in (("throttle", ErrorKind.THROTTLED), ("unavailable", ErrorKind.UNAVAILABLE)):
        faults.add(Fault(kind, times=1, match="RawPredict"))
        assert kind_of(endpoints.score, ref, ROW) == expected
    assert endpoints.score(ref, ROW) == b'{"predictions": [{"id": 1, "score": 8.0}]}'


@pytest.mark.durability
def test_an_endpoint_of_this_name_that_asks_for_something_else_is_no_ones_to_take(
    endpoints: VertexEndpoints, asked: Callable[..., JobRequest], settings: GcpSettings
) -> None:
    request = asked(LAZY)
    client = room.vertex_client(settings, room.credentials(), "endpoint")
    body = {"display_name": request.name, "labels": {**request.tags, "causeway-digest": "other"}}
    wanted = {"parent": settings.parent, "endpoint_id": request.name, "endpoint": body}
    client.create_endpoint(wanted, timeout=PATIENCE_SECONDS)
    until(lambda: endpoints.find(request.run.run_uid, None), "it is there")
    with pytest.raises(ApplicationError, match="asks for something else") as raised:
        endpoints.create(request)
    assert raised.value.type == ErrorKind.TARGET_CONFLICT
