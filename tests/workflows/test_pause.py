"""Pause means pause: what is in flight lands, nothing new starts anywhere, jobs go on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.common import WorkflowIDConflictPolicy

from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import RunPhase, RunRequest, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, Run, job_of, output, spec_of
from workflows.pipeline import PipelineWorkflow
from workflows.transfer import TransferWorkflow

HOUR = timedelta(hours=1)


async def paused(play: Play, run: Run) -> Any:
    return await play.until(run, lambda now: now.phase is RunPhase.PAUSED)


async def test_what_is_in_flight_lands_before_the_run_is_paused(play: Play) -> None:
    hold = play.world.hold("jobs.submit")
    run = await play.start(spec_of({"job": {}, "next": {"inputs": {"it": "job"}}}))
    await play.reach(hold)
    await run.signal("pause", {"reason": "maintenance", "by": "ann"})
    status = await play.until(run, lambda now: now.phase is RunPhase.PAUSING)
    assert (status.pause.reason, status.pause.by) == ("maintenance", "ann")
    hold.release()
    await paused(play, run)
    assert len(play.world.jobs) == 1, "the submit in flight landed"
    await run.signal("resume")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_a_job_goes_on_while_paused_and_its_outputs_wait_for_the_resume(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_noted(run, "job", "job running")
    await run.signal("pause")
    status = await paused(play, run)
    assert status.jobs_running == 1
    await play.pass_time(hours=2)
    status = await play.until(run, lambda now: now.jobs_running == 0)
    assert status.phase is RunPhase.PAUSED
    await play.settle()
    assert not play.world.asked("jobs.collect")
    await run.signal("resume")
    assert (await play.result(run)).stages["job"].phase is StagePhase.SUCCEEDED


async def test_a_finished_stage_starts_nothing_after_it_while_paused(play: Play) -> None:
    hold = play.world.hold("jobs.collect")
    run = await play.start(spec_of({"job": {}, "next": {"after": ["job"]}}))
    await play.reach(hold)
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSING)
    hold.release()
    await paused(play, run)
    await play.settle()
    status = await run.query(PipelineWorkflow.status)
    assert status.stages["job"].phase is StagePhase.SUCCEEDED
    assert status.stages["next"].phase is StagePhase.PENDING
    assert not play.world.asked("jobs.submit", stage="next")
    await run.signal("resume")
    await play.result(run)


async def test_a_pause_before_the_first_task_lets_nothing_start(play: Play) -> None:
    spec = spec_of({"job": {}})
    run = await play.client.start_workflow(
        PipelineWorkflow.run,
        RunRequest(spec=spec, key="early"),
        id="play/early",
        task_queue=WORKFLOW_QUEUE,
        start_signal="pause",
        start_signal_args=[{"by": "ann"}],
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    await play.start(spec, key="another")
    await paused(play, run)
    await play.settle()
    assert [call.request.connection for call in play.world.asked("connections.preflight")] == ["aws/default"]
    await run.signal("resume")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        pytest.param((), ("", ""), id="none"),
        pytest.param((None,), ("", ""), id="null"),
        pytest.param(("lunch",), ("lunch", ""), id="a-string"),
        pytest.param((["a", 1],), ("", ""), id="a-list"),
        pytest.param((7,), ("", ""), id="a-number"),
        pytest.param((True,), ("", ""), id="a-boolean"),
        pytest.param((b"\x00\xff",), ("", ""), id="bytes"),
        pytest.param(({"reason": "r", "by": "ann", "ticket": {"no": 7}},), ("r", "ann"), id="extra-fields"),
        pytest.param(({"reason": 7, "by": ["x"], "until": "soon"},), ("", ""), id="wrong-types"),
        pytest.param(({"until": "2026-01-01T00:00:00"},), ("", ""), id="a-time-without-a-zone"),
        pytest.param(({"until": "9999-12-31T23:59:59Z"},), ("", ""), id="until-the-end-of-time"),
        pytest.param(("r", "another argument"), ("r", ""), id="two-arguments"),
        pytest.param(({"reason": "x" * 100_000},), ("x" * 200, ""), id="a-novel"),
    ],
)
async def test_a_pause_of_any_shape_pauses(
    play: Play, payload: tuple[Any, ...], shown: tuple[str, str]
) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_noted(run, "job", "job running")
    await run.signal("pause", args=list(payload))
    status = await paused(play, run)
    assert (status.pause.reason, status.pause.by) == shown
    await run.signal("resume", args=list(payload))
    await play.until(run, lambda now: now.phase is RunPhase.RUNNING)
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_the_last_of_two_pauses_holds_and_one_resume_ends_both(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_noted(run, "job", "job running")
    await run.signal("pause", {"reason": "first", "by": "ann"})
    first = await paused(play, run)
    await run.signal("pause", {"reason": "second", "by": "bob"})
    second = await play.until(run, lambda now: now.pause is not None and now.pause.by == "bob")
    assert second.pause.since == first.pause.since
    await run.signal("resume")
    status = await play.until(run, lambda now: now.phase is RunPhase.RUNNING)
    assert status.pause is None


async def test_a_pause_until_a_time_ends_by_itself(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=timedelta(minutes=1))]
    run = await play.start(spec_of({"job": {}}))
    await play.until_noted(run, "job", "job running")
    now = await play.env.get_current_time()
    await run.signal("pause", {"until": (now.astimezone(UTC) + 5 * HOUR).isoformat()})
    await paused(play, run)
    status = await play.result(run)
    assert 5 * HOUR <= status.ended_at - now < 6 * HOUR


async def test_a_second_pause_may_take_the_time_away(play: Play) -> None:
    run, now = await in_a_job(play)
    await run.signal("pause", {"until": (now + HOUR).isoformat()})
    await paused(play, run)
    await run.signal("pause", {"by": "bob"})
    await play.until(run, lambda now: now.pause is not None and now.pause.by == "bob")
    await play.pass_time(hours=3)
    assert (await run.query(PipelineWorkflow.status)).phase is RunPhase.PAUSED


async def test_a_pause_until_a_time_that_has_passed_is_over_at_once(play: Play) -> None:
    run, now = await in_a_job(play)
    await run.signal("pause", {"until": (now - HOUR).isoformat()})
    await play.settle()
    assert (await run.query(PipelineWorkflow.status)).phase is RunPhase.RUNNING


async def test_a_resume_without_a_pause_changes_nothing(play: Play) -> None:
    run, _ = await in_a_job(play)
    await run.signal("resume")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def in_a_job(play: Play) -> tuple[Run, datetime]:
    play.world.lives["job"] = [Life(runs=10 * HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "5d"}}))
    await play.until_noted(run, "job", "job running")
    return run, (await play.env.get_current_time()).astimezone(UTC)


async def in_a_copy(play: Play, *, lands: bool = True) -> tuple[Run, Any, Any]:
    source = play.put("azure", "data.csv")
    hold = play.world.hold("storage.copy", lands=lands)
    run = await play.start(spec_of({"copy": {"kind": "copy", "on": "aws", "source": source}}))
    await play.reach(hold)
    child = play.client.get_workflow_handle_for(
        TransferWorkflow.run, f"{run.id}/transfer/copy.data-to-aws.default"
    )
    return run, hold, child


async def test_a_pause_inside_a_transfer_waits_for_its_parts_and_starts_nothing_more(play: Play) -> None:
    run, hold, child = await in_a_copy(play)
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSING)
    assert (await child.query(TransferWorkflow.status)).phase == "PAUSING"
    await play.cut(hold)
    hold.release()
    await paused(play, run)
    assert (await child.query(TransferWorkflow.status)).phase == "PAUSED"
    await play.settle()
    assert len(play.world.asked("storage.copy")) == 1
    assert not play.world.asked("storage.abort_upload"), "a pause keeps what has arrived"


async def test_a_transfer_resumed_mints_anew_and_finishes(play: Play) -> None:
    run, hold, _ = await in_a_copy(play)
    await run.signal("pause")
    await play.cut(hold)
    hold.release()
    await paused(play, run)
    await play.pass_time(hours=1)
    await run.signal("resume")
    status = await play.result(run)
    assert len(play.world.asked("storage.grant_read")) == 2
    assert output(status, "copy", "data").size_bytes == 8
    assert status.transfers[0].seconds < 60, "the pause is no part of the transfer's time"


async def test_a_pause_between_grant_and_copy_never_uses_a_dead_grant(play: Play) -> None:
    source = play.put("azure", "data.csv")
    hold = play.world.hold("storage.grant_read")
    run = await play.start(spec_of({"copy": {"kind": "copy", "on": "aws", "source": source}}))
    await play.reach(hold)
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSING)
    hold.release()
    await paused(play, run)
    await play.pass_time(hours=1)
    await run.signal("resume")
    await play.result(run)
    failed = [call for call in play.world.asked("storage.copy") if call.outcome == "failed"]
    assert not failed


async def test_a_transfer_that_starts_while_paused_hears_of_it(play: Play) -> None:
    play.put("azure", "data.csv")
    run = await play.start(
        spec_of({"copy": {"kind": "copy", "on": "aws", "source": "az://causeway/data.csv"}})
    )
    await run.signal("pause")
    await paused(play, run)
    count = len(play.world.calls)
    await play.settle()
    assert len(play.world.calls) == count
    await run.signal("resume")
    await play.result(run)


async def test_queries_answer_while_paused(play: Play) -> None:
    run, _ = await in_a_job(play)
    await run.signal("pause", {"by": "ann"})
    await paused(play, run)
    await play.pass_time(hours=20)
    status = await run.query(PipelineWorkflow.status)
    assert status.stages["job"].job.id == job_of(play, "job").ref.id
