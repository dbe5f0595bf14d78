"""A cancelled run leaves nothing behind, and says what it could not take with it."""

from datetime import timedelta

import pytest

from contracts.errors import ErrorKind
from contracts.runs import RunPhase, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, job_of, spec_of

HOUR = timedelta(hours=1)


async def assert_nothing_is_left(play: Play) -> None:
    assert play.world.in_flight() == []
    assert await play.world.live_jobs() == []


async def test_a_cancel_while_submitting_finds_the_job_and_stops_it(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    play.world.fail("jobs.submit", ErrorKind.UNAVAILABLE, after=True)
    run = await play.start(spec_of({"job": {}}))
    await play.until(run, lambda _: bool(play.world.jobs))
    await run.cancel()
    status = await play.cancelled(run)
    assert status.phase is RunPhase.CANCELLED
    assert status.stages["job"].phase is StagePhase.CANCELLED
    assert len(play.world.jobs) == 1
    await assert_nothing_is_left(play)


async def test_the_clean_up_looks_only_when_the_submit_in_flight_is_over(play: Play) -> None:
    hold = play.world.hold("jobs.submit", lands=True)
    run = await play.start(spec_of({"job": {}}))
    await play.reach(hold)
    await run.cancel()
    await play.cut(hold)
    await play.settle()
    assert not play.world.asked("jobs.close")
    hold.release()
    await play.cancelled(run)
    assert play.world.story.index("-jobs.submit") < play.world.story.index("+jobs.close")


@pytest.mark.parametrize("activity", ["jobs.submit", "code.publish"])
async def test_a_cancel_is_not_lost_when_what_is_in_flight_ends_well(real: Play, activity: str) -> None:
    play = real
    play.world.lives["job"] = [Life(runs=HOUR)]
    hold = play.world.hold(activity)
    hold.tells = True
    run = await play.start(spec_of({"job": {"code": "src"}}))
    await play.reach(hold)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.stages["job"].phase is StagePhase.CANCELLED
    assert all(job.stopped for job in play.world.jobs.values())
    assert len(play.world.jobs) == (1 if activity == "jobs.submit" else 0)
    await assert_nothing_is_left(play)


async def test_a_cancel_while_a_job_runs_stops_it(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {}, "next": {"after": ["job"]}}))
    await play.until_noted(run, "job", "job running")
    await run.cancel()
    status = await play.cancelled(run)
    assert job_of(play, "job").stopped
    assert status.stages["job"].note == f"cancelled; job {job_of(play, 'job').name} was stopped"
    assert {stage.phase for stage in status.stages.values()} == {StagePhase.CANCELLED}
    assert [call.outcome for call in play.world.asked("jobs.close")] == ["done"]
    await assert_nothing_is_left(play)


async def test_a_cancel_while_collecting_ends_at_once(play: Play) -> None:
    hold = play.world.hold("jobs.collect")
    run = await play.start(spec_of({"job": {}}))
    await play.reach(hold)
    await run.cancel()
    await play.cancelled(run)
    await assert_nothing_is_left(play)


async def test_a_submit_that_nobody_answers_is_looked_for_until_none_can_be_under_way(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.UNAVAILABLE, "the network is cut", times=1000)
    run = await play.start(spec_of({"job": {"timeout": "1m", "on_failure": "fail"}}))
    kind, _ = await play.failure(run)
    assert kind == ErrorKind.UNAVAILABLE
    assert [call.request.under_way for call in play.world.asked("jobs.close")] == [True]


@pytest.mark.parametrize("kind", [ErrorKind.INVALID_REQUEST, ErrorKind.UNSUPPORTED])
async def test_a_submit_that_was_refused_is_not_waited_for(play: Play, kind: ErrorKind) -> None:
    play.world.fail("jobs.submit", kind)
    run = await play.start(spec_of({"job": {}}))
    await play.until_phase(run, "job", "WAITING")
    assert [call.request.under_way for call in play.world.asked("jobs.close")] == [False]


async def test_a_cancel_while_nobody_knows_the_job_s_state_stops_it(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR, unknown_from=timedelta(0), unknown_for=HOUR)]
    run = await play.start(spec_of({"job": {}}))
    await play.until_noted(run, "job", "job state unknown")
    await run.cancel()
    await play.cancelled(run)
    assert job_of(play, "job").stopped
    await assert_nothing_is_left(play)


async def test_a_cancel_while_a_job_is_queued_stops_it(play: Play) -> None:
    play.world.lives["job"] = [Life(queued=HOUR, runs=HOUR)]
    run = await play.start(spec_of({"job": {}}))
    await play.until_noted(run, "job", "job queued")
    await run.cancel()
    await play.cancelled(run)
    assert job_of(play, "job").stopped
    await assert_nothing_is_left(play)


TABLE_STAGES = {
    "load": {
        "kind": "load_table",
        "on": "gcp",
        "table": "d.t",
        "inputs": {"rows": "files"},
        "schema": [{"name": "n", "type": "INTEGER"}],
    },
    "query": {"kind": "query", "on": "gcp", "sql": "SELECT 1"},
}


def tables_of(play: Play, kind: str) -> dict[str, object]:
    files = {"kind": "copy", "on": "gcp", "source": play.put("gcp", "data.csv")}
    return {"files": files, kind: TABLE_STAGES[kind]} if kind == "load" else {kind: TABLE_STAGES[kind]}


@pytest.mark.parametrize("kind", ["load", "query"])
async def test_a_cancel_while_a_table_job_runs_ends_it_and_says_so(play: Play, kind: str) -> None:
    hold = play.world.hold(f"tables.{kind}")
    run = await play.start(spec_of(tables_of(play, kind)))
    await play.reach(hold)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.stages[kind].note == f"cancelled; stopped {kind}-1"
    asked = play.world.asked("tables.cancel")
    assert [call.request.table for call in asked] == ["d.t" if kind == "load" else None]
    assert play.world.story.index(f"-tables.{kind}") < play.world.story.index("+tables.cancel")
    await assert_nothing_is_left(play)


async def test_a_table_job_that_cannot_be_stopped_is_told(play: Play) -> None:
    play.world.fail("tables.load", ErrorKind.UNSUPPORTED, "no such thing")
    play.world.fail("tables.cancel", ErrorKind.ACCESS_DENIED, "you may not cancel", times=9)
    run = await play.start(spec_of(tables_of(play, "load")))
    status = await play.until_phase(run, "load", "WAITING")
    error = status.stages["load"].error
    assert error.kind == ErrorKind.UNSUPPORTED
    assert "no such thing" in error.message
    assert "may still run: you may not cancel" in error.message


async def test_a_cancel_during_the_preflight_ends_the_run(play: Play) -> None:
    hold = play.world.hold("connections.preflight")
    run = await play.start(spec_of({"job": {}}))
    await play.reach(hold)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.phase is RunPhase.CANCELLED
    await assert_nothing_is_left(play)


@pytest.mark.parametrize("paused", [False, True], ids=["running", "paused"])
async def test_a_cancel_in_a_transfer_gives_its_upload_up_after_its_parts_have_landed(
    play: Play, paused: bool
) -> None:
    source = play.put("azure", "data.csv")
    hold = play.world.hold("storage.copy", lands=True)
    run = await play.start(spec_of({"copy": {"kind": "copy", "on": "aws", "source": source}}))
    await play.reach(hold)
    if paused:
        await run.signal("pause")
        await play.until(run, lambda now: now.phase is RunPhase.PAUSING)
    await run.cancel()
    await play.cut(hold)
    await play.settle()
    assert not play.world.asked("storage.abort_upload"), "given up while parts were in flight"
    hold.release()
    status = await play.cancelled(run)
    assert status.stages["copy"].phase is StagePhase.CANCELLED
    assert status.stages["copy"].note == "cancelled; gave up what was not whole"
    given_up = play.world.asked("storage.abort_upload")
    assert [call.connection for call in given_up] == ["aws/default"]
    assert play.world.story.index("-storage.copy") < play.world.story.index("+storage.abort_upload")
    await assert_nothing_is_left(play)


async def test_a_cancel_while_paused_stops_jobs_and_transfers(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_noted(run, "job", "job running")
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.phase is RunPhase.CANCELLED
    assert status.pause is None
    await assert_nothing_is_left(play)


async def test_a_cancel_while_a_stage_waits_for_a_decision_ends_the_run(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST)
    run = await play.start(spec_of({"job": {}}))
    await play.until_phase(run, "job", "WAITING")
    await run.cancel()
    status = await play.cancelled(run)
    assert status.stages["job"].phase is StagePhase.CANCELLED


async def test_a_cancel_during_the_clean_up_of_a_failed_run_does_not_cut_it_short(play: Play) -> None:
    play.world.lives["slow"] = [Life(runs=10 * HOUR)]
    hold = play.world.hold("jobs.close", stage="slow", lands=True)
    gate = play.world.hold("jobs.submit", stage="bad")
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, stage="bad")
    run = await play.start(spec_of({"slow": {"timeout": "1d"}, "bad": {"on_failure": "fail"}}))
    await play.until_noted(run, "slow", "job running")
    gate.release()
    await play.reach(hold)
    await run.cancel()
    await play.settle()
    assert [call.outcome for call in play.world.asked("jobs.close", stage="slow")] == ["in flight"]
    hold.release()
    await play.cancelled(run)
    await assert_nothing_is_left(play)


async def test_a_cancel_during_the_clean_up_of_a_failed_watch_does_not_cut_it_short(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=10 * HOUR)]
    play.world.fail("jobs.wait", ErrorKind.ACCESS_DENIED)
    hold = play.world.hold("jobs.close", lands=True)
    run = await play.start(spec_of({"job": {}}))
    await play.reach(hold)
    await run.cancel()
    await play.settle()
    hold.release()
    await play.cancelled(run)
    await assert_nothing_is_left(play)


async def test_a_job_that_cannot_be_stopped_is_told_and_the_run_still_ends(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=10 * HOUR)]
    play.world.fail("jobs.close", ErrorKind.ACCESS_DENIED, "you may not list jobs", times=99)
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_noted(run, "job", "job running")
    await run.cancel()
    status = await play.cancelled(run)
    error = status.stages["job"].error
    assert status.stages["job"].phase is StagePhase.CANCELLED
    assert "may still live" in error.message
    assert "you may not list jobs" in error.message


async def test_an_upload_that_cannot_be_given_up_is_told_and_the_run_still_ends(play: Play) -> None:
    source = play.put("azure", "data.csv")
    hold = play.world.hold("storage.copy")
    play.world.fail("storage.abort_upload", ErrorKind.ACCESS_DENIED, "you may not abort", times=99)
    run = await play.start(spec_of({"copy": {"kind": "copy", "on": "aws", "source": source}}))
    await play.reach(hold)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.stages["copy"].phase is StagePhase.CANCELLED
    assert "you may not abort" in status.stages["copy"].error.message


async def test_a_transfer_that_somebody_cancels_alone_waits_for_a_decision(play: Play) -> None:
    source = play.put("azure", "data.csv")
    hold = play.world.hold("storage.copy")
    stages = {
        "copy": {"kind": "copy", "on": "aws", "source": source},
        "next": {"inputs": {"it": "copy"}},
    }
    run = await play.start(spec_of(stages))
    await play.reach(hold)
    await play.client.get_workflow_handle(f"{run.id}/transfer/copy.data-to-aws.default").cancel()
    status = await play.until_phase(run, "copy", "WAITING")
    assert status.stages["copy"].error.kind == ErrorKind.CANCELLED
    assert status.stages["next"].phase is StagePhase.PENDING
    await play.decide(run, "retry", "copy")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED
