"""Batch endpoints of Azure ML against the sandbox: one job whatever is lost or doubled, and nothing left of it."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from temporalio.exceptions import ApplicationError

from activities.azure import room
from activities.azure.batch import batch_folder
from activities.azure.batch_jobs import BatchEndpointJobs
from activities.azure.batch_results import put_predictions
from activities.azure.errors import translate
from activities.azure.hosting import short_name
from activities.azure.jobs import AzureMlJobs, job_name
from activities.azure.settings import AzureSettings
from activities.azure.store import BlobStore
from activities.closing import ServiceClosingActivities
from contracts.artifacts import locate
from contracts.closing import CloseRequest
from contracts.endpoints import PREDICTIONS
from contracts.errors import ErrorKind
from contracts.jobs import BatchOptions, JobPhase, JobRef, JobRequest, PathRef, RunRef
from contracts.sweeps import SweepFindRequest, SweepStopRequest
from tests.activities.azure.batching import clear, end_of, left_of, listed, processes_of, put_claim
from tests.contracts.conftest import processes
from tests.house import until
from tests.serving import DOUBLER, put_code, put_folder

__all__ = ["processes"]
SLOW = """
import time
from serving import serve
serve(lambda rows: time.sleep(60) or [0 for _ in rows])
"""


@pytest.fixture(scope="module")
def batches(settings: AzureSettings) -> BatchEndpointJobs:
    return room.batches(settings)


@pytest.fixture
def order(store: BlobStore, batches: BatchEndpointJobs) -> Iterator[Callable[..., JobRequest]]:
    uid, made = uuid.uuid4().hex, []

    def build(script: str = DOUBLER, **more: Any) -> JobRequest:
        prefix = f"{store.default_container}runs/{uid}/"
        asked: dict[str, Any] = {
            "run": RunRef(pipeline="demo", key="k", run_uid=uid),
            "stage": "score",
            "generation": 1,
            "kind": "batch_predict",
            "command": (("python",), ("server.py",), (PathRef(role="inputs", name="model"),)),
            "code": put_code(store, f"{prefix}code/", script),
            "inputs": {
                "model": put_folder(store, f"{prefix}model/", {"model.json": b'{"factor": 2.5}'}),
                "data": put_folder(store, f"{prefix}data/", {"rows.csv": b"id,x\n0,2\n1,4\n"}),
            },
            "outputs": {PREDICTIONS: f"{prefix}score/g1/predictions/"},
            "timeout": timedelta(minutes=2),
            "batch": BatchOptions(data="data"),
        }
        made.append(JobRequest(**asked | more))
        return made[-1]

    yield build
    for request in made:
        clear(batches, request)


def test_an_invocation_whose_answer_was_lost_is_one_job(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], sandbox: Any
) -> None:
    request = order()
    sandbox.sandbox("fault", "azure", "drop", "--times", "1", "--match", "BatchJobs.Invoke")
    first = batches.submit(request)
    again = batches.submit(request)
    assert (first.id, again.adopted) == (again.id, True)
    assert [job.name for job in listed(batches, request)] == [job_name(first)]
    assert end_of(batches, first).phase is JobPhase.SUCCEEDED


def test_an_invocation_that_is_refused_leaves_the_claim_to_the_next(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], sandbox: Any
) -> None:
    request = order()
    sandbox.sandbox("fault", "azure", "quota", "--match", short_name(request.name))
    with pytest.raises(Exception, match="quota") as raised:
        batches.submit(request)
    assert translate(raised.value, request.name).type == ErrorKind.QUOTA_EXHAUSTED
    assert not batches.submit(request).adopted
    assert len(listed(batches, request)) == 1


def test_a_batch_submitted_by_four_at_once_is_one_job(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest]
) -> None:
    request = order()
    with ThreadPoolExecutor(4) as pool:
        refs = list(pool.map(lambda _: batches.submit(request), range(4)))
    assert len({ref.id for ref in refs}) == 1
    assert len(listed(batches, request)) == 1


def test_a_batch_that_another_worker_is_invoking_is_left_to_it(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], store: BlobStore
) -> None:
    request = order()
    put_claim(store, request, expires_at=datetime.now(UTC) + timedelta(minutes=5))
    with pytest.raises(ApplicationError, match="another worker is creating") as raised:
        batches.submit(request)
    assert raised.value.type == ErrorKind.UNAVAILABLE
    assert listed(batches, request) == []


def test_a_claim_of_which_nothing_came_is_taken_over_once_its_lease_is_over(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], store: BlobStore
) -> None:
    request = order()
    put_claim(store, request, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert not batches.submit(request).adopted
    assert len(listed(batches, request)) == 1


def test_of_two_jobs_the_older_stands_and_the_other_is_cancelled(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], store: BlobStore
) -> None:
    request = order(SLOW)
    first = batches.submit(request)
    folder = batch_folder(store, request)
    other = batches._endpoints.invoke(request, f"{folder}rows/", f"{folder}scored/predictions.jsonl")
    store.delete(f"{folder}{request.name}.claim.json")
    assert batches.submit(request).id == first.id
    assert [job.name for job in listed(batches, request)] == [job_name(first), other.name]
    until(
        lambda: (
            [job.phase for job in listed(batches, request) if job.name == other.name] == [JobPhase.STOPPED]
        ),
        "the second job is cancelled",
    )
    assert not batches.describe(first).phase.terminal


def test_a_batch_that_ended_is_adopted_though_its_endpoint_has_gone(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], store: BlobStore
) -> None:
    request = order()
    ref = batches.submit(request)
    state = end_of(batches, ref)
    assert (state.phase, left_of(batches, request)) == (JobPhase.SUCCEEDED, [])
    again = batches.submit(request)
    assert (again.id, again.adopted, left_of(batches, request)) == (ref.id, True, [])
    found = batches.outputs(ref, request)[PREDICTIONS]
    content = b"".join(piece for held in store.list(found, None, 10).objects for piece in store.read(held))
    assert content == b'{"id": "0", "score": 5.0}\n{"id": "1", "score": 10.0}\n'


def test_a_name_that_stands_for_another_batch_is_refused(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], store: BlobStore
) -> None:
    request = order()
    put_claim(store, request, expires_at=datetime.now(UTC), job="batchjob-x", digest="0" * 32)
    with pytest.raises(ApplicationError, match="asks for something else") as raised:
        batches.submit(request)
    assert raised.value.type == ErrorKind.TARGET_CONFLICT


def test_a_stopped_batch_leaves_no_endpoint_no_model_and_no_process(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], processes: Callable[[str], list[str]]
) -> None:
    request = order(SLOW)
    ref = batches.submit(request)
    until(lambda: batches.describe(ref).started_at is not None, "the batch has its machine")
    batches.stop(ref)
    state = end_of(batches, ref)
    assert (state.phase, state.reason) == (JobPhase.STOPPED, ErrorKind.CANCELLED)
    assert left_of(batches, request) == []
    step = batches._workspace.history.step(job_name(ref))
    assert step
    until(lambda: processes_of(step) == [], "no process of the batch is left")


def test_closing_a_stage_stops_a_batch_that_carries_no_tags_of_ours(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], settings: AzureSettings, sandbox: Any
) -> None:
    request = order(SLOW)
    sandbox.sandbox("fault", "azure", "unavailable", "--times", "1", "--match", "Runs.Modify")
    ref = batches.submit(request)
    service = room.jobs(settings)
    assert [state.ref.id for state in service.find(request.run.run_uid, request.stage)] == [ref.id]
    assert service.find(request.run.run_uid, "another") == []
    closing = ServiceClosingActivities(service, translate, room.named(service, batches), settling_seconds=1)
    (closed,) = closing.close(CloseRequest(request=request, under_way=True)).jobs
    assert (closed.ref.id, closed.phase) == (ref.id, JobPhase.STOPPED)
    assert left_of(batches, request) == []


def test_closing_a_stage_whose_worker_died_before_it_invoked_removes_the_endpoint(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], settings: AzureSettings
) -> None:
    request = order()
    batches._endpoints.ensure(request, "cpu-cluster")
    assert len(left_of(batches, request)) == 2
    service = room.jobs(settings)
    closing = ServiceClosingActivities(service, translate, room.named(service, batches), settling_seconds=1)
    assert closing.close(CloseRequest(request=request, under_way=False)).jobs == ()
    assert left_of(batches, request) == []


def test_a_sweep_finds_an_endpoint_and_ends_its_job_first(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest], settings: AzureSettings, sandbox: Any
) -> None:
    request = order(SLOW)
    sandbox.sandbox("fault", "azure", "unavailable", "--times", "1", "--match", "Runs.Modify")
    ref = batches.submit(request)
    known = {
        getattr(found, "__temporal_activity_definition").name: found for found in room.activities(settings)
    }
    asked = SweepFindRequest(older_than=timedelta(microseconds=1), run_uid=request.run.run_uid)
    items = [item for item in known["sweep.find"](asked).items if item.kind in {"job", "endpoint"}]
    assert [(item.kind, item.name) for item in items] == [("endpoint", request.name)]
    assert all(end.stopped for end in known["sweep.stop"](SweepStopRequest(items=tuple(items))).ends)
    assert batches._commands.describe(ref).phase is JobPhase.STOPPED
    assert left_of(batches, request) == []


def test_a_batch_on_serverless_compute_is_a_command_job(
    settings: AzureSettings, order: Callable[..., JobRequest]
) -> None:
    request = order()
    service = room.batches(settings.model_copy(update={"compute": None}))
    machine = {"instance": "Standard_D2_v3"}
    ref = service.submit(
        request.model_copy(update={"resources": request.resources.model_copy(update=machine)})
    )
    assert job_name(ref) == ref.name
    assert end_of(service, ref).phase is JobPhase.SUCCEEDED


def test_a_batch_that_an_earlier_version_submitted_is_adopted(
    batches: BatchEndpointJobs, jobs: Any, order: Callable[..., JobRequest], settings: AzureSettings
) -> None:
    request = order()
    earlier = commands(settings).submit(request)
    ref = batches.submit(request)
    assert (ref.id, ref.adopted, left_of(batches, request)) == (earlier.id, True, [])
    assert end_of(batches, ref).phase is JobPhase.SUCCEEDED
    assert batches.outputs(ref, request) == request.outputs


def commands(settings: AzureSettings) -> AzureMlJobs:
    identity = room.credential(settings)
    return room._commands(settings, room.workspace(settings, identity), room.store(settings, identity))


def test_a_file_of_rows_without_one_prediction_for_each_fails_the_batch(store: BlobStore) -> None:
    base = f"{store.default_container}runs/{uuid.uuid4().hex}/"
    put_folder(store, f"{base}rows/", {"rows-0.jsonl": b"1\n2\n", "rows-1.jsonl": b"3\n"})
    put_folder(store, f"{base}scored/", {"rows-0.jsonl": b"1\n2\n"})
    with pytest.raises(ApplicationError, match=r"0 predictions for the 1 rows of rows-1\.jsonl") as raised:
        put_predictions(store, (f"{base}rows/", f"{base}scored/"), f"{base}out/", "owner")
    assert raised.value.type == ErrorKind.JOB_FAILED


def test_a_batch_that_never_was_is_missing(
    batches: BatchEndpointJobs, order: Callable[..., JobRequest]
) -> None:
    request = order()
    with pytest.raises(ResourceNotFoundError):
        batches.describe(JobRef(id=f"x/jobs/batchjob-{uuid.uuid4()}", name=request.name, generation=1))
    assert batches.named(request) is None
    assert locate(batch_folder(batches._store, request)).name.endswith("/batch/")
