"""A question has a time to be answered in: a default, a failure, a pause and a cut history keep to it."""

import asyncio
from typing import Any

from contracts.errors import ErrorKind
from contracts.runs import RunPhase, RunStatus, StagePhase
from tests.fakes.lives import Life
from tests.house import PATIENCE_SECONDS
from tests.workflows.asking import GATE, HOUR, answer, asked, command_of, refusal
from tests.workflows.play import Play, spec_of
from workflows.pipeline import PipelineWorkflow


async def test_the_default_holds_when_nobody_answered_in_time(play: Play) -> None:
    use = {"use": {"when": 'gate.answer == "no"', "command": "go {gate.answer}"}}
    started = await play.env.get_current_time()
    run = await asked(play, use, timeout="2h", default="no")
    status = await play.result(run)
    gate = status.stages["gate"].gate
    assert gate is not None
    assert (gate.answer, gate.by, gate.late) == ("no", "", True)
    assert gate.answered_at is not None
    assert 2 * HOUR <= gate.answered_at - started < 3 * HOUR
    assert status.stages["gate"].history == ("answered no by default, since nobody answered in time",)
    assert command_of(play, "use") == (("go",), ("no",))


async def test_an_answer_in_time_leaves_no_timer_to_answer_again(play: Play) -> None:
    play.world.lives["slow"] = [Life(runs=5 * HOUR)]
    run = await asked(play, {"slow": {"timeout": "1d"}}, timeout="2h", default="no")
    await answer(play, run, "yes", by="ann")
    stage = (await play.result(run)).stages["gate"]
    assert stage.history == ("answered yes by ann",)


async def test_without_a_default_the_stage_has_failed_then_and_a_retry_asks_again(play: Play) -> None:
    run = await asked(play, timeout="2h")
    await play.pass_time(hours=3)
    status = await play.until(run, lambda now: now.stages["gate"].error is not None)
    assert status.stages["gate"].error is not None
    assert status.stages["gate"].error.kind == ErrorKind.TIMED_OUT
    assert "within 2h" in status.stages["gate"].error.message
    assert status.stages["gate"].error.hint.startswith("retry asks again")
    assert status.waiting_for == "a decision on gate"
    assert "nobody answered in time; retry asks again" in await refusal(play, run)
    await play.decide(run, "retry", "gate")
    await play.until(run, lambda now: now.stages["gate"].asks)
    await play.pass_time(hours=1)
    await answer(play, run, "yes")
    assert (await play.result(run)).stages["gate"].phase is StagePhase.SUCCEEDED


async def test_without_a_default_a_run_that_shall_fail_has_failed_then(play: Play) -> None:
    run = await asked(play, timeout="2h", on_failure="fail")
    kind, status = await play.failure(run)
    assert (kind, status.stages["gate"].phase) == (ErrorKind.TIMED_OUT, StagePhase.FAILED)


async def test_the_time_to_answer_stands_still_while_the_run_is_paused(play: Play) -> None:
    started = await play.env.get_current_time()
    run = await asked(play, timeout="2h", default="no")
    await play.pass_time(hours=1)
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await play.pass_time(hours=10)
    assert (await run.query(PipelineWorkflow.status)).stages["gate"].asks
    await run.signal("resume")
    status = await play.until(run, lambda now: now.phase is RunPhase.WAITING)
    gate = status.stages["gate"].gate
    assert gate is not None
    assert gate.due_at is not None
    assert gate.due_at - gate.asked_at > 11 * HOUR
    ended = (await play.result(run)).ended_at
    assert ended is not None
    assert 12 * HOUR <= ended - started < 13 * HOUR


async def test_an_answer_while_paused_starts_nothing_until_the_resume(play: Play) -> None:
    run = await asked(play, {"use": {"when": 'gate.answer == "yes"'}})
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await answer(play, run, "yes")
    await play.settle()
    assert not play.world.asked("jobs.submit")
    await run.signal("resume")
    assert (await play.result(run)).stages["use"].phase is StagePhase.SUCCEEDED


async def test_nothing_is_asked_while_paused(play: Play) -> None:
    hold = play.world.hold("jobs.collect")
    run = await play.start(spec_of({"job": {}, "gate": {**GATE, "after": ["job"]}}))
    await play.reach(hold)
    await run.signal("pause")
    hold.release()
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await play.settle()
    assert "is PENDING" in await refusal(play, run)
    await run.signal("resume")
    await play.until(run, lambda now: now.stages["gate"].asks)
    await answer(play, run, "yes")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_a_question_is_carried_over_a_cut_history_with_the_time_that_is_left(forgetful: Play) -> None:
    play = forgetful
    stages: dict[str, Any] = {f"job{number}": {} for number in range(8)}
    run = await asked(play, stages, timeout="1h", default="no")
    first = (await run.describe()).run_id
    await play.until(run, lambda now: all(now.stages[name].phase.ended for name in stages))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await run.describe()).run_id == first:
            await asyncio.sleep(0.1)
    status: RunStatus = await play.until(run, lambda now: now.stages["gate"].asks)
    gate = status.stages["gate"].gate
    assert gate is not None
    assert gate.due_at is not None
    assert gate.due_at - gate.asked_at == HOUR
    await answer(play, run, "yes", by="ann")
    assert (await play.result(run)).stages["gate"].history == ("answered yes by ann",)
