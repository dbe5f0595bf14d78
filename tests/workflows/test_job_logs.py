"""The log of a job, asked for through its cloud's own worker."""

import pytest
from temporalio.client import WorkflowFailureError

from contracts.errors import ErrorKind
from contracts.jobs import FindRequest, JobPhase, JobRef, LogPage, LogRequest
from contracts.queues import WORKFLOW_QUEUE
from tests.fakes.lives import Life
from tests.workflows.play import Play, spec_of
from workflows.failures import kind_of, stage_error
from workflows.job_logs import JobLogsRequest, JobLogsWorkflow


async def page(play: Play, run_uid: str, generation: int) -> LogPage:
    ref = JobRef(id="", name="", generation=generation)
    request = JobLogsRequest(
        connection="aws/default",
        request=LogRequest(ref=ref),
        find=FindRequest(run_uid=run_uid, stage="job"),
        generation=generation,
    )
    return await play.client.execute_workflow(
        JobLogsWorkflow.run, request, id=f"log-{generation}", task_queue=WORKFLOW_QUEUE
    )


async def test_an_earlier_generation_s_job_is_found_by_its_tags(play: Play) -> None:
    play.world.lives["job"] = [Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED), Life()]
    status = await play.finish(spec_of({"job": {"retries": 1}}))
    assert (await page(play, status.run.run_uid, 1)).lines == play.world.log
    (asked,) = [call.request for call in play.world.asked("jobs.logs") if call.request.patience_seconds == 0][
        -1:
    ]
    assert asked.ref.generation == 1
    assert asked.ref.name.endswith("-g1")


async def test_without_a_generation_the_newest_job_is_found(play: Play) -> None:
    play.world.lives["job"] = [Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED), Life()]
    status = await play.finish(spec_of({"job": {"retries": 1}}))
    assert (await page(play, status.run.run_uid, 0)).lines == play.world.log
    assert play.world.asked("jobs.logs")[-1].request.ref.generation == 2


async def test_a_generation_that_never_was_is_refused_with_those_that_were(play: Play) -> None:
    status = await play.finish(spec_of({"job": {}}))
    with pytest.raises(WorkflowFailureError) as refused:
        await page(play, status.run.run_uid, 3)
    cause = refused.value.cause
    assert kind_of(cause) == ErrorKind.SOURCE_MISSING
    assert stage_error(cause).message == "stage job has no job of generation 3; there are: 1"
