"""A pause may have remote jobs stopped; they begin again after the resume. And whatever is sent when, a run keeps its head."""

import asyncio
from datetime import UTC, timedelta
from typing import Any

import pytest
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import RunPhase, RunRequest, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, Run, job_of, spec_of
from tests.workflows.test_pause import in_a_job, paused
from workflows.pipeline import PipelineWorkflow

HOUR = timedelta(hours=1)
STOP = {"by": "ann", "reason": "price peak", "jobs": "stop"}


def decided(status: Any) -> list[tuple[str, str]]:
    return [(decision.decision, decision.by) for decision in status.decisions]


async def test_a_pause_that_stops_jobs_ends_them_and_the_resume_begins_a_new_generation(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=10 * HOUR), Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {"retries": 0, "timeout": "1d"}}))
    await play.until_noted(run, "job", "job running")
    await run.signal("pause", STOP)
    status = await paused(play, run)
    assert (status.jobs_running, status.pause.jobs) == (0, "stop")
    assert await play.world.live_jobs() == []
    stage = status.stages["job"]
    assert stage.phase is StagePhase.RUNNING
    assert stage.note == "stopped by a pause; generation 2 follows the resume"
    await play.pass_time(hours=5)
    assert len(play.world.asked("jobs.submit")) == 1
    await run.signal("resume", {"by": "bob"})
    status = await play.result(run)
    stage = status.stages["job"]
    assert (stage.phase, stage.attempts) == (StagePhase.SUCCEEDED, 2)
    assert stage.history == ("generation 1: stopped by a pause by ann",)
    assert decided(status) == [("pause", "ann"), ("resume", "bob")]
    assert status.decisions[0].changes == ("jobs stop",)


async def test_jobs_go_on_where_a_pause_says_nothing_or_something_else(play: Play) -> None:
    run, _ = await in_a_job(play)
    for jobs in ("continue", "halt", 7, None):
        await run.signal("pause", {"jobs": jobs})
        status = await paused(play, run)
        assert (status.jobs_running, status.pause.jobs) == (1, "continue")


async def test_a_second_pause_may_have_jobs_stopped_after_all(play: Play) -> None:
    run, _ = await in_a_job(play)
    await run.signal("pause", {"by": "ann"})
    await paused(play, run)
    await run.signal("pause", STOP)
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED and now.jobs_running == 0)
    await run.signal("pause", STOP)
    await run.signal("resume")
    await run.signal("resume")
    play.world.lives["job"] = [Life()]
    assert job_of(play, "job").phase(await play.world.now()) is JobPhase.STOPPED
    status = await play.result(run)
    assert status.stages["job"].attempts == 2
    assert decided(status) == [("pause", "ann"), ("pause", "ann"), ("pause", "ann"), ("resume", "")]


async def test_a_job_that_ended_by_itself_meanwhile_is_not_begun_again(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    hold = play.world.hold("jobs.cancel")
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_noted(run, "job", "job running")
    await run.signal("pause", STOP)
    await play.reach(hold)
    play.world.lives["job"] = [Life()]
    job = job_of(play, "job")
    job.life = Life()
    hold.release()
    await paused(play, run)
    await play.settle()
    assert not play.world.asked("jobs.collect")
    await run.signal("resume")
    stage = (await play.result(run)).stages["job"]
    assert (stage.phase, stage.attempts) == (StagePhase.SUCCEEDED, 1)


async def test_a_submit_in_flight_lands_before_its_job_is_stopped(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR), Life()]
    hold = play.world.hold("jobs.submit")
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.reach(hold)
    await run.signal("pause", STOP)
    await play.until(run, lambda now: now.phase is RunPhase.PAUSING)
    hold.release()
    status = await paused(play, run)
    assert status.jobs_running == 0
    assert await play.world.live_jobs() == []
    await run.signal("resume")
    assert (await play.result(run)).stages["job"].attempts == 2


async def test_a_stopped_job_has_its_whole_limit_and_all_its_retries_again(play: Play) -> None:
    dead = Life(runs=HOUR, end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
    play.world.lives["job"] = [Life(runs=3 * HOUR), dead, Life(runs=3 * HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "4h", "retries": 1}}))
    await play.until_noted(run, "job", "job running")
    await play.pass_time(hours=2)
    await run.signal("pause", STOP)
    await paused(play, run)
    await run.signal("resume")
    stage = (await play.result(run)).stages["job"]
    assert (stage.phase, stage.attempts) == (StagePhase.SUCCEEDED, 3)


async def test_the_items_of_a_stage_are_stopped_and_begin_again_too(play: Play) -> None:
    play.world.lives |= {f"job-{index}": [Life(runs=10 * HOUR), Life()] for index in range(3)}
    each = {"foreach": {"range": 3}, "retries": 0, "timeout": "1d"}
    run = await play.start(spec_of({"job": each}))
    await play.until(run, lambda now: bool(now.stages["job"].fanout and now.stages["job"].fanout.jobs == 3))
    await run.signal("pause", STOP)
    await paused(play, run)
    assert await play.world.live_jobs() == []
    await run.signal("resume")
    status = await play.result(run)
    assert status.stages["job"].note == "3 of 3 items"
    assert len(play.world.jobs) == 6


async def test_a_pause_until_a_time_begins_stopped_jobs_again_by_itself(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=10 * HOUR), Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_noted(run, "job", "job running")
    now = (await play.env.get_current_time()).astimezone(UTC)
    await run.signal("pause", {**STOP, "until": (now + 5 * HOUR).isoformat()})
    await paused(play, run)
    status = await play.result(run)
    assert status.ended_at is not None
    assert 6 * HOUR <= status.ended_at - now < 7 * HOUR
    assert decided(status) == [("pause", "ann"), ("resume", "")]
    assert status.decisions[1].reason == "the end of the pause was reached"


async def test_a_cancel_while_jobs_are_stopped_leaves_none(play: Play) -> None:
    run, _ = await in_a_job(play)
    await run.signal("pause", STOP)
    await paused(play, run)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.stages["job"].phase is StagePhase.CANCELLED
    assert await play.world.live_jobs() == []


async def early(play: Play, *signals: tuple[str, Any]) -> Run:
    """A run that hears these before its first task."""
    spec = spec_of({"job": {}})
    run = await play.client.start_workflow(
        PipelineWorkflow.run,
        RunRequest(spec=spec, key="early"),
        id="play/early",
        task_queue=WORKFLOW_QUEUE,
        start_signal=signals[0][0],
        start_signal_args=[signals[0][1]],
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    play.runs.append(run)
    for name, payload in signals[1:]:
        await run.signal(name, payload)
    await play.start(spec, key="another")
    return run


async def test_a_pause_and_a_resume_before_the_first_task_leave_a_run_that_goes_on(play: Play) -> None:
    run = await early(play, ("pause", STOP), ("pause", {"by": "bob"}), ("resume", {"by": "eve"}))
    status = await play.result(run)
    assert status.phase is RunPhase.SUCCEEDED
    assert decided(status) == [("pause", "ann"), ("pause", "bob"), ("resume", "eve")]


async def test_a_resume_before_a_pause_before_the_first_task_does_not_undo_it(play: Play) -> None:
    run = await early(play, ("resume", {"by": "eve"}), ("pause", STOP))
    status = await paused(play, run)
    assert decided(status) == [("pause", "ann")]
    await run.signal("resume")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_many_pauses_at_once_are_one_pause(play: Play) -> None:
    run, _ = await in_a_job(play)
    play.world.lives["job"] = [Life()]
    await asyncio.gather(*(run.signal("pause", {**STOP, "by": f"p{number}"}) for number in range(5)))
    status = await paused(play, run)
    assert len(play.world.asked("jobs.cancel")) == 1
    assert len(status.decisions) == 5
    await run.signal("resume")
    assert (await play.result(run)).stages["job"].attempts == 2


async def test_decisions_are_kept_up_to_a_limit_the_latest_ones(play: Play) -> None:
    run, _ = await in_a_job(play)
    for number in range(205):
        await run.signal("pause", {"by": f"p{number}"})
    status = await play.until(run, lambda now: now.pause is not None and now.pause.by == "p204")
    assert len(status.decisions) == 200
    assert status.decisions[-1].by == "p204"


@pytest.mark.parametrize("signal", ["pause", "resume"])
async def test_a_signal_after_the_end_finds_nobody(play: Play, signal: str) -> None:
    run = await play.start(spec_of({"job": {}}))
    await play.result(run)
    with pytest.raises(RPCError):
        await run.signal(signal, STOP)
