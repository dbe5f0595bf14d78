"""A step that waits for a person's yes: asked as a question is, and gone on with or given up by the answer."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts.approvals import Approval
from contracts.errors import ErrorKind
from contracts.observed import Observed
from contracts.runs import RunPhase, RunStatus, StagePhase
from tests.fakes.lives import Life
from tests.house import PATIENCE_SECONDS
from tests.workflows.held import Held
from tests.workflows.play import Play, Run, spec_of
from tests.workflows.test_continue import chain, cuts
from workflows.details import stage_table
from workflows.pipeline import PipelineWorkflow

HELD: dict[str, Any] = {"held": {}}


async def answer(run: Run, given: Any, stage: str = "held", **fields: Any) -> str:
    approval = Approval(stage=stage, answer=given, **fields)
    return str(await run.execute_update(PipelineWorkflow.approve, approval))


async def refusal(run: Run, given: Any = "yes", stage: str = "held", **fields: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await answer(run, given, stage, **fields)
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == ErrorKind.INVALID_REQUEST
    return cause.message


async def held(play: Play, stages: dict[str, Any] | None = None, **fields: Any) -> Run:
    play.own = (Held,)
    fields = {"workflow": "held", **fields}
    run = await play.start(spec_of(HELD if stages is None else stages, **fields))
    await play.until(run, lambda now: bool(now.asking))
    return run


async def test_a_held_step_waits_with_its_question_and_goes_on_with_a_yes(play: Play) -> None:
    run = await held(play)
    status: RunStatus = await run.query(PipelineWorkflow.status)
    assert (status.phase, status.waiting_for) == (RunPhase.WAITING, "an answer to held")
    gate = status.asking["held"]
    assert (gate.question, gate.shown, gate.takes) == (
        "Spend on held/0?",
        {"budget": "20 USD"},
        "one of yes, no",
    )
    assert '{"stage": "held", "answer": "yes"' in stage_table(status)
    assert not play.world.asked("jobs.submit")
    assert await answer(run, "yes", by="ann", comment="go") == "answered yes by ann: go"
    status = await play.result(run)
    assert status.stages["held"].phase is StagePhase.SUCCEEDED
    assert status.stages["held"].history == ("answered yes by ann: go",)
    (decided,) = status.decisions
    assert (decided.words, decided.by, decided.about) == ("approve budget with yes", "ann", "held/0")


async def test_steps_of_a_stage_ask_one_after_another(play: Play) -> None:
    run = await held(play, params={"steps": 2})
    await answer(run, "yes")
    await play.until(run, lambda now: now.asking.get("held", None) is not None)
    assert (await run.query(PipelineWorkflow.status)).asking["held"].question == "Spend on held/1?"
    await answer(run, "yes")
    assert [one.about for one in (await play.result(run)).decisions] == ["held/0", "held/1"]


async def test_after_a_no_the_stage_has_failed_and_a_retry_asks_again(play: Play) -> None:
    run = await held(play)
    await answer(run, "no", by="bob", comment="too dear")
    status = await play.until(run, lambda now: now.stages["held"].error is not None)
    error = status.stages["held"].error
    assert error is not None
    assert (error.kind, error.message) == ("BUDGET_EXCEEDED", "bob said no (too dear) to: Spend on held/0?")
    assert status.waiting_for == "a decision on held"
    await play.decide(run, "retry", "held")
    await play.until(run, lambda now: bool(now.asking))
    await answer(run, "yes")
    assert (await play.result(run)).stages["held"].phase is StagePhase.SUCCEEDED


async def test_after_a_no_the_stage_can_be_skipped(play: Play) -> None:
    run = await held(play)
    await answer(run, False)
    await play.until(run, lambda now: now.stages["held"].error is not None)
    await play.decide(run, "skip", "held")
    assert (await play.result(run)).stages["held"].phase is StagePhase.SKIPPED


async def test_a_no_ends_a_run_that_fails_with_its_stages(play: Play) -> None:
    run = await held(play, {"held": {"on_failure": "fail"}})
    await answer(run, "no")
    kind, status = await play.failure(run)
    assert (kind, status.stages["held"].phase) == (ErrorKind.BUDGET_EXCEEDED, StagePhase.FAILED)
    assert not play.world.asked("jobs.submit")


async def test_only_who_may_answers_and_only_what_is_asked(play: Play) -> None:
    run = await held(play, {**HELD, "other": {}}, params={"ann": True})
    assert "'eve' may not answer stage 'held'; ann may" in await refusal(run, by="eve")
    assert "'maybe' is no answer here; write one of yes, no" in await refusal(run, "maybe", by="ann")
    assert "stage 'other' asks nothing" in await refusal(run, stage="other")
    assert "the run itself asks nothing now" in await refusal(run, stage="")
    assert "did you mean 'held'" in await refusal(run, stage="hedl")
    await answer(run, "YES", by="ann")
    await play.result(run)


@pytest.mark.parametrize(
    ("decision", "words"), [("retry", "waits for an answer"), ("skip", "with no it can")]
)
async def test_a_hold_cannot_be_got_round(play: Play, decision: str, words: str) -> None:
    run = await held(play)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await play.decide(run, decision, "held")
    assert words in str(refused.value.cause)


async def test_a_run_can_be_given_up_at_a_hold(play: Play) -> None:
    run = await held(play)
    await play.decide(run, "abort", "held", by="ann")
    kind, status = await play.failure(run)
    assert (kind, status.stages["held"].phase) == (ErrorKind.CANCELLED, StagePhase.FAILED)


async def test_a_cancel_ends_what_is_held(play: Play) -> None:
    run = await held(play)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.stages["held"].phase is StagePhase.CANCELLED
    assert not play.world.asked("jobs.submit")


async def test_a_run_that_fails_ends_what_is_held(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, stage="bad")
    run = await held(play, {**HELD, "bad": {"on_failure": "fail"}})
    kind, status = await play.failure(run)
    assert (kind, status.stages["held"].phase) == (ErrorKind.INVALID_REQUEST, StagePhase.CANCELLED)


async def test_a_yes_while_paused_starts_nothing_until_the_resume(play: Play) -> None:
    run = await held(play)
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await answer(run, "yes")
    await play.settle()
    assert not play.world.asked("jobs.submit")
    await run.signal("resume")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_what_does_not_need_a_held_stage_goes_on(play: Play) -> None:
    run = await held(play, {**HELD, "free": {}, "after": {"after": ["held"]}})
    status = await play.until_phase(run, "free", "SUCCEEDED")
    assert status.stages["after"].phase is StagePhase.PENDING
    await answer(run, "yes")
    assert (await play.result(run)).stages["after"].phase is StagePhase.SUCCEEDED


async def test_a_hold_is_carried_over_a_cut_history_and_asks_once(forgetful: Play) -> None:
    play = forgetful
    run = await held(play, {**HELD, **chain(8)})
    first = (await run.describe()).run_id
    await play.until_phase(run, "s7", "SUCCEEDED")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await run.describe()).run_id == first:
            await asyncio.sleep(0.1)
    status: RunStatus = await run.query(PipelineWorkflow.status)
    assert status.asking["held"].question == "Spend on held/0?"
    assert not play.world.asked("jobs.submit", stage="held")
    await answer(run, "yes", by="ann")
    status = await play.result(run)
    assert await cuts(play, run) >= 1
    assert status.stages["held"].history == ("answered yes by ann",)
    assert len(status.decisions) == 1


async def test_a_no_over_a_cut_history_counts_too(forgetful: Play) -> None:
    play = forgetful
    run = await held(play, {"held": {"on_failure": "fail"}, **chain(8)})
    first = (await run.describe()).run_id
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await run.describe()).run_id == first:
            await asyncio.sleep(0.1)
    await answer(run, "no", by="ann")
    kind, status = await play.failure(run)
    assert (kind, status.stages["held"].phase) == (ErrorKind.BUDGET_EXCEEDED, StagePhase.FAILED)
    assert not play.world.asked("jobs.submit", stage="held")


async def test_the_run_itself_waits_before_its_first_stage(play: Play) -> None:
    play.world.observed = Observed(alerts=("waiting",))
    run = await held(play, {"job": {}}, params={"first": True})
    status: RunStatus = await run.query(PipelineWorkflow.status)
    assert (status.phase, status.waiting_for) == (RunPhase.WAITING, "an answer before it begins")
    assert status.asking[""].question == "Spend on run?"
    assert '{"stage": "", "answer": "yes"' in stage_table(status)
    assert not play.world.asked("jobs.submit")
    assert await answer(run, "yes", stage="", by="ann") == "answered yes by ann"
    status = await play.result(run)
    assert [(one.words, one.stage) for one in status.decisions] == [("approve budget with yes", "")]


async def test_a_no_to_the_run_itself_ends_it_before_anything_has_begun(play: Play) -> None:
    run = await held(play, {"job": {}}, params={"first": True})
    await answer(run, "no", stage="", by="ann")
    kind, status = await play.failure(run)
    assert kind == ErrorKind.POLICY_VIOLATION
    assert status.stages["job"].phase is StagePhase.CANCELLED
    assert status.notes == ("POLICY_VIOLATION: ann said no to: Spend on run?",)
    assert not play.world.asked("jobs.submit")


async def test_a_run_that_waits_before_its_first_stage_can_be_cancelled(play: Play) -> None:
    run = await held(play, {"job": {}}, params={"first": True})
    await run.cancel()
    status = await play.cancelled(run)
    assert status.asking == {}
    assert status.stages["job"].phase is StagePhase.CANCELLED


async def test_whoever_wants_to_hear_of_what_waits_hears_of_holds(play: Play) -> None:
    play.world.observed = Observed(alerts=("waiting",))
    run = await held(play)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not play.world.alerts:
            await asyncio.sleep(0.05)
    (alert,) = play.world.alerts
    assert (alert.stage, alert.message) == ("held", "Spend on held/0?; budget: 20 USD")
    assert "starter approve RUN held --answer" in alert.hint
    await answer(run, "yes")
    await play.result(run)


async def test_time_at_a_hold_is_none_of_the_jobs_time(play: Play) -> None:
    play.world.lives["held"] = [Life(runs=timedelta(minutes=50))]
    run = await held(play, {"held": {"timeout": "1h"}})
    await play.pass_time(hours=30)
    await answer(run, "yes")
    assert (await play.result(run)).stages["held"].phase is StagePhase.SUCCEEDED
