"""What is recorded of the workflows beside the pipeline's: a sweep, a check, a plan, a ledger, a page of a log."""

from datetime import UTC, datetime
from typing import Any

from activities.ledger import TemporalLedger
from contracts.checks import CheckRequest, CheckWanted
from contracts.errors import ErrorKind
from contracts.jobs import JobRef, LogRequest
from contracts.ledger import PostRequest, ReleaseRequest, ReserveRequest, ledger_id, reservation_of
from contracts.planned import PlanWanted
from contracts.queues import WORKFLOW_QUEUE
from contracts.sweeps import Owner, SweepItem, SweepRequest
from tests.charges import TB, job, sent
from tests.workflows.play import CONNECTIONS, Play, spec_of
from workflows.check import CheckWorkflow
from workflows.job_logs import JobLogsRequest, JobLogsWorkflow
from workflows.planned import PlanWorkflow
from workflows.sweep import SweepWorkflow


async def sweep(play: Play) -> Any:
    """Two connections, one without a worker; an orphan that is stopped and a thing of a live run."""
    await play.serve(*CONNECTIONS)
    live = "1" * 32
    began = datetime(2026, 11, 1, tzinfo=UTC)
    orphan = SweepItem(kind="job", id="a", name="cw-a", run_uid="d" * 32, since=began)
    play.world.left = {
        "aws/default": [orphan, orphan.model_copy(update={"id": "b", "run_uid": live}), orphan]
    }
    play.world.owners[live] = Owner(run_uid=live, live=True, workflow_id="play/live")
    play.world.absent = {"causeway-gcp"}
    request = SweepRequest(connections=("aws/default", "gcp/default"), stop=True)
    handle = await play.client.start_workflow(
        SweepWorkflow.run, request, id="sweep:recorded", task_queue=WORKFLOW_QUEUE
    )
    await handle.result()
    return handle


async def check(play: Play) -> Any:
    """Four connections: one without a worker, one whose worker fails."""
    await play.serve(*CONNECTIONS)
    play.world.absent = {"causeway-gcp"}
    play.world.fail("connections.check", ErrorKind.UNKNOWN, "it broke", on="aws/default")
    wanted = CheckWanted(requests=tuple(CheckRequest(connection=name) for name in CONNECTIONS))
    handle = await play.client.start_workflow(
        CheckWorkflow.run, wanted, id="check:recorded", task_queue=WORKFLOW_QUEUE
    )
    await handle.result()
    return handle


async def plan(play: Play) -> Any:
    """A plan that weighs a file and a folder, finds one source gone and leaves out a place without a worker."""
    await play.serve(*CONNECTIONS)
    play.world.absent = {"causeway-gcp"}
    play.world.put("s3://theirs/one.bin", b"x" * 7)
    play.world.put("s3://theirs/data/a.csv", b"x" * 9)
    copies = {"one": "s3://theirs/one.bin", "all": "s3://theirs/data/", "gone": "s3://theirs/gone"}
    stages = {name: {"kind": "copy", "on": "azure", "source": source} for name, source in copies.items()}
    wanted = PlanWanted(spec=spec_of({**stages, "train": {"on": ["aws", "gcp"], "inputs": {"x": "one"}}}))
    handle = await play.client.start_workflow(
        PlanWorkflow.run, wanted, id="plan:recorded", task_queue=WORKFLOW_QUEUE
    )
    await handle.result()
    return handle


async def ledger(play: Play) -> Any:
    """A month: charges, a reservation that is settled, one that is let go, and one whose run is over."""
    await play.serve()
    books = TemporalLedger(play.client)
    reserved = ReserveRequest(
        id=reservation_of("uid", "get.data-to-gcp"),
        run_uid="uid",
        source="aws/default",
        destination="gcp/default",
        size_bytes=TB,
        month="2026-11",
    )
    await books.reserve(reserved)
    await books.reserve(reserved.model_copy(update={"id": reservation_of("other", "a"), "run_uid": "other"}))
    await books.post(PostRequest(charges=(job(1), job(2, cost=None), sent(TB, settles=reserved.id))))
    await books.post(PostRequest(charges=(job(1),)))
    await books.release(ReleaseRequest(run_uid="other", month="2026-11"))
    return play.client.get_workflow_handle(ledger_id("2026-11"))


async def log(play: Play) -> Any:
    """A page of a job's log."""
    request = LogRequest(ref=JobRef(id="id-of-it", name="cw-train-000000000000-00000000-g1", generation=1))
    return await _logged(play, JobLogsRequest(connection="aws", request=request))


async def _logged(play: Play, request: JobLogsRequest) -> Any:
    await play.start(spec_of({"job": {}}), key="beside")
    handle = await play.client.start_workflow(
        JobLogsWorkflow.run, request, id="play/succeeded/logs/1", task_queue=WORKFLOW_QUEUE
    )
    await handle.result()
    return handle
