"""What every cloud's endpoints and batches promise, against its own server: numbers are right and nothing is left."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.endpoints import ServiceEndpointActivities
from activities.jobs import ServiceJobActivities
from activities.store import Store
from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.endpoints import PREDICTIONS, EndpointPhase, InvokeRequest, server_ref
from contracts.jobs import (
    LOG_BEGINNING,
    BatchOptions,
    CollectRequest,
    FindRequest,
    JobPhase,
    JobRequest,
    LogRequest,
    PathRef,
    RunRef,
    WaitRequest,
)
from contracts.sweeps import SweepFindRequest, SweepItem, SweepStopRequest
from tests.contracts.conftest import Room
from tests.serving import BUSY, CRASHER, DOUBLER, put_code, put_folder

SERVING = ("onprem", "aws", "azure", "gcp")
ROWS = 500


@dataclass
class Stage:
    """A run's own place on one cloud, with a model and rows, and what is asked of it there."""

    room: Room
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def store(self) -> Store:
        return self.room.store

    @property
    def endpoints(self) -> ServiceEndpointActivities:
        return ServiceEndpointActivities(self.room.build_endpoints(), self.store, self.room.translate)

    @property
    def jobs(self) -> ServiceJobActivities:
        return ServiceJobActivities(self.room.build_jobs(), self.store, self.room.translate)

    @property
    def run(self) -> RunRef:
        return RunRef(pipeline="demo", key="k", run_uid=self.uid)

    def prefix(self, *names: str) -> str:
        return self.store.default_container + "/".join(("runs", self.uid, *names)) + "/"

    def model(self) -> Artifact:
        return put_folder(self.store, self.prefix("model"), {"model.json": b'{"factor": 2.5}'})

    def code(self, script: str = DOUBLER) -> CodeRef:
        return put_code(self.store, self.prefix("code"), script)

    def rows(self, count: int = ROWS, last: str = "1") -> Artifact:
        lines = [f"{number},{number / 4}" for number in range(count - 1)] + [f"{count - 1},{last}"]
        return put_folder(
            self.store, self.prefix("rows"), {"a.csv": ("id,x\n" + "\n".join(lines) + "\n").encode()}
        )

    def request(self, script: str = DOUBLER, **more: Any) -> JobRequest:
        request = JobRequest(
            run=self.run,
            stage="serve",
            generation=1,
            kind="deploy",
            command=(("python",), ("server.py",), (PathRef(role="inputs", name="model"),)),
            code=self.code(script),
            inputs={"model": self.model()},
            timeout=timedelta(minutes=2),
        )
        return request.model_copy(update=more)

    def batch(self, script: str = DOUBLER) -> JobRequest:
        request = self.request(script, kind="batch_predict", stage="score")
        return request.model_copy(
            update={
                "inputs": {**request.inputs, "data": self.rows()},
                "outputs": {PREDICTIONS: self.prefix("score", "g1", PREDICTIONS)},
                "batch": BatchOptions(data="data", batch_size=64, max_parallel=2),
            }
        )

    def invoke(self, endpoint: Any, data: Artifact, **more: Any) -> InvokeRequest:
        request = InvokeRequest(
            run=self.run,
            stage="score",
            generation=1,
            endpoint=endpoint,
            data=data,
            batch_size=20,
            target=self.prefix("score", "g1", PREDICTIONS),
        )
        return request.model_copy(update=more)

    def lines(self, folder: Artifact) -> list[Any]:
        page = self.store.list(folder.uri, None, 1000)
        content = [b"".join(self.store.read(held)) for held in page.objects]
        return [json.loads(line) for piece in content for line in piece.decode().splitlines()]

    def orphans(self) -> list[SweepItem]:
        request = SweepFindRequest(older_than=timedelta(microseconds=1), run_uid=self.uid)
        return [item for item in self.room.activity("sweep.find")(request).items if item.kind == "endpoint"]

    def left(self) -> list[str]:
        found = self.endpoints.find(FindRequest(run_uid=self.uid)).endpoints
        return [f"{state.ref.name} {state.phase}" for state in found]


@pytest.fixture(params=SERVING)
def stage(request: pytest.FixtureRequest, rooms: dict[str, Room]) -> Iterator[Stage]:
    stage = Stage(rooms[request.param])
    yield stage
    for state in stage.endpoints.find(FindRequest(run_uid=stage.uid)).endpoints:
        stage.endpoints.retire(state.ref)


def doubled(count: int = ROWS) -> list[dict[str, Any]]:
    values = [number / 4 for number in range(count - 1)] + [1.0]
    return [{"id": str(number), "score": 2.5 * value} for number, value in enumerate(values)]


def test_an_endpoint_is_adopted_scores_every_row_in_order_and_leaves_nothing(
    stage: Stage, processes: Callable[[str], list[str]]
) -> None:
    request = stage.request()
    first = stage.endpoints.deploy(request)
    again = stage.endpoints.deploy(request)
    assert (first.phase, first.ref.adopted) == (EndpointPhase.READY, False)
    assert (again.ref.id, again.ref.adopted) == (first.ref.id, True)
    assert len(stage.left()) == 1
    answer = stage.endpoints.invoke(stage.invoke(first.ref, stage.rows()))
    assert (answer.rows, answer.requests, stage.lines(answer.predictions)) == (ROWS, 25, doubled())
    resumed = stage.endpoints.invoke(stage.invoke(first.ref, stage.rows()))
    assert (resumed.requests, resumed.predictions) == (0, answer.predictions)
    assert processes(stage.uid)
    log = LogRequest(ref=server_ref(first.ref), after=LOG_BEGINNING, patience_seconds=20)
    said = stage.endpoints.logs(log)
    assert "listening" in said.lines
    assert [item.name for item in stage.orphans()] == [first.ref.name]
    assert stage.endpoints.retire(first.ref).phase is EndpointPhase.GONE
    assert stage.endpoints.retire(first.ref).phase is EndpointPhase.GONE
    rest = log.model_copy(update={"after": said.next_after})
    while not (page := stage.endpoints.logs(rest)).ended:
        rest = rest.model_copy(update={"after": page.next_after})
    assert (stage.left(), processes(stage.uid)) == ([], [])


def test_a_sweep_removes_an_endpoint_and_leaves_one_that_shall_stay_once_it_answers(
    stage: Stage, processes: Callable[[str], list[str]]
) -> None:
    kept = stage.request(stage="kept", kept=True)
    stage.room.build_endpoints().create(kept)
    assert [item.stage for item in stage.orphans()] == ["kept"], "nobody knows yet whether it will answer"
    assert stage.endpoints.deploy(kept).phase is EndpointPhase.READY
    assert stage.endpoints.deploy(kept).ref.adopted
    stage.endpoints.deploy(stage.request())
    orphans = tuple(stage.orphans())
    assert [item.stage for item in orphans] == ["serve"]
    ends = stage.room.activity("sweep.stop")(SweepStopRequest(items=orphans)).ends
    assert [end.stopped for end in ends] == [True], ends
    assert [name.split("-")[1] for name in stage.left()] == ["kept"]
    assert all("cw-serve-" not in line for line in processes(stage.uid))


def test_a_server_that_does_not_become_healthy_is_rolled_back_with_its_last_lines(
    stage: Stage, processes: Callable[[str], list[str]]
) -> None:
    with pytest.raises(ApplicationError, match="no model here") as raised:
        stage.endpoints.deploy(stage.request(CRASHER))
    assert raised.value.type == "JOB_FAILED"
    assert (stage.left(), processes(stage.uid)) == ([], [])


def test_an_endpoint_that_is_busy_is_left_alone_as_long_as_it_asks(stage: Stage) -> None:
    ref = stage.endpoints.deploy(stage.request(BUSY)).ref
    answer = stage.endpoints.invoke(
        stage.invoke(ref, stage.rows(60), format="csv", batch_size=30, max_parallel=1)
    )
    assert answer.waits > 0
    assert stage.lines(answer.predictions) == [number / 4 for number in range(59)] + [1.0]
    elsewhere = stage.prefix("score", "g2", PREDICTIONS)
    bad = stage.invoke(ref, stage.rows(40, last="bad"), target=elsewhere)
    with pytest.raises(ApplicationError, match="cannot score bad") as raised:
        stage.endpoints.invoke(bad)
    assert raised.value.type == "JOB_FAILED"


def test_a_batch_is_scored_by_the_vendors_own_service(
    stage: Stage, processes: Callable[[str], list[str]]
) -> None:
    request = stage.batch()
    ref = stage.jobs.submit(request)
    assert stage.jobs.submit(request).adopted
    state = stage.jobs.wait(WaitRequest(ref=ref))
    while not state.phase.terminal:
        state = stage.jobs.wait(WaitRequest(ref=ref, seen=state.phase))
    log = stage.jobs.logs(LogRequest(ref=ref))
    assert (state.phase, state.reason) == (JobPhase.SUCCEEDED, None), (state.message, log)
    assert state.billed_seconds is not None
    found = stage.jobs.collect(CollectRequest(ref=ref, request=request)).artifacts[PREDICTIONS]
    assert stage.lines(found) == doubled()
    assert (stage.left(), processes(stage.uid)) == ([], [])
    assert [state.ref.kind for state in stage.jobs.find(FindRequest(run_uid=stage.uid)).jobs] == [
        "batch_predict"
    ]


def test_a_batch_whose_server_crashes_fails_with_its_words(stage: Stage) -> None:
    ref = stage.jobs.submit(stage.batch(CRASHER))
    state = stage.jobs.wait(WaitRequest(ref=ref))
    while not state.phase.terminal:
        state = stage.jobs.wait(WaitRequest(ref=ref, seen=state.phase))
    assert state.phase is JobPhase.FAILED
    assert "no model here" in "\n".join(stage.jobs.logs(LogRequest(ref=ref)).lines)
    assert stage.left() == []
