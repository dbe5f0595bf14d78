"""A stage that asks a person: what it shows, who may answer, what is taken, and what holds when nobody answers in time."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from contracts.approvals import ApproveStage
from contracts.errors import ErrorKind
from contracts.observed import Observed
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import RunPhase, RunRequest, StagePhase
from starter.spec.load import find, load
from tests.fakes.lives import Life
from tests.house import PATIENCE_SECONDS
from tests.workflows.asking import GATE, answer, asked, command_of, refusal
from tests.workflows.play import Play, spec_of
from workflows.pipeline import PipelineWorkflow


async def test_a_question_waits_for_a_person_with_what_there_is_to_show(play: Play) -> None:
    play.world.lives["train"] = [Life(metrics={"auc": 0.93})]
    stages = {
        "train": {"outputs": ["model", "metrics"]},
        "gate": {
            **GATE,
            "question": "Publish the model of {params.region}?",
            "show": {"AUC": "{train.metrics.auc}", "needed": "{params.floor}"},
        },
        "publish": {"when": 'gate.answer == "yes"', "after": ["gate"]},
    }
    run = await play.start(spec_of(stages, params={"region": "eu", "floor": 0.9}))
    status = await play.until(run, lambda now: now.stages["gate"].asks)
    gate = status.stages["gate"].gate
    assert gate is not None
    assert gate.question == "Publish the model of eu?"
    assert gate.shown == {"AUC": "0.93", "needed": "0.9"}
    assert (status.phase, status.waiting_for) == (RunPhase.WAITING, "an answer to gate")
    assert await answer(play, run, "yes", by="ann", comment="looks good") == "answered yes by ann: looks good"
    stage = (await play.result(run)).stages
    assert (stage["gate"].phase, stage["publish"].phase) == (StagePhase.SUCCEEDED, StagePhase.SUCCEEDED)
    assert stage["gate"].history == ("answered yes by ann: looks good",)
    assert stage["gate"].gate is not None
    assert (stage["gate"].gate.answer, stage["gate"].gate.by) == ("yes", "ann")


async def test_who_says_no_keeps_what_asks_for_a_yes_from_running(play: Play) -> None:
    run = await asked(
        play, {"publish": {"when": 'gate.answer == "yes"'}, "tell": {"when": 'gate.answer == "no"'}}
    )
    await answer(play, run, "NO")
    stages = (await play.result(run)).stages
    assert (stages["publish"].phase, stages["tell"].phase) == (StagePhase.SKIPPED, StagePhase.SUCCEEDED)
    assert stages["publish"].note == "gate.answer == \"yes\" is false (gate.answer = 'no')"


@pytest.mark.parametrize(
    ("kind", "given", "taken", "when"),
    [
        pytest.param("number", "0.25", 0.25, "gate.answer < 1", id="number"),
        pytest.param("number", 7, 7, "gate.answer == 7", id="whole"),
        pytest.param("bool", "yes", True, "gate.answer", id="bool"),
        pytest.param("bool", False, False, "not gate.answer", id="false"),
        pytest.param("string", "eu; rm -rf /", "eu; rm -rf /", 'gate.answer != ""', id="text"),
    ],
)
async def test_a_typed_answer_goes_into_conditions_commands_and_environments(
    play: Play, kind: str, given: Any, taken: Any, when: str
) -> None:
    use = {"command": "go {gate.answer}", "env": {"ANSWER": "{gate.answer}"}, "when": when}
    run = await asked(play, {"use": use, "each": {**use, "foreach": {"range": 2}}}, answer=kind)
    await answer(play, run, given)
    status = await play.result(run)
    assert status.stages["gate"].gate is not None
    assert status.stages["gate"].gate.answer == taken
    text = str(taken).lower() if isinstance(taken, bool) else str(taken)
    assert command_of(play, "use") == (("go",), (text,))
    requests = [job.request for job in play.world.jobs.values()]
    assert len(requests) == 3
    assert {request.env["ANSWER"] for request in requests} == {text}


@pytest.mark.parametrize(
    ("gate", "given", "words"),
    [
        pytest.param({}, "maybe", "'maybe' is no answer here; write one of yes, no", id="choice"),
        pytest.param({"choices": ["eu", "us"]}, "yes", "write one of eu, us", id="own-choices"),
        pytest.param({"answer": "number"}, "many", "write a number", id="number"),
        pytest.param({"answer": "number"}, "nan", "write a number", id="nan"),
        pytest.param({"answer": "number"}, True, "write a number", id="no-number"),
        pytest.param({"answer": "bool"}, "perhaps", "write true or false", id="bool"),
        pytest.param({"answer": "string"}, "", "write a text", id="empty"),
        pytest.param({"answer": "string"}, "a\nb", "write a text", id="two-lines"),
        pytest.param({"answer": "string"}, "x" * 1001, "write a text", id="a-novel"),
    ],
)
async def test_an_answer_that_does_not_fit_is_refused_and_the_question_stays(
    play: Play, gate: dict[str, Any], given: Any, words: str
) -> None:
    run = await asked(play, **gate)
    assert words in await refusal(play, run, given)
    assert (await run.query(PipelineWorkflow.status)).stages["gate"].asks


async def test_only_who_may_answers(play: Play) -> None:
    run = await asked(play, approvers=["ann", "bob"])
    assert "'eve' may not answer 'gate'; ann, bob may" in await refusal(play, run, by="eve")
    assert "'nobody' may not answer" in await refusal(play, run)
    await answer(play, run, "yes", by="bob")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_an_answer_to_what_asks_nothing_is_refused(play: Play) -> None:
    stages = {"job": {}, "later": {**GATE, "after": ["gate"]}, "bad": {}}
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, stage="bad")
    run = await asked(play, stages, choices=["go"])
    await play.until_phase(run, "bad", "WAITING")
    assert "did you mean 'gate'" in await refusal(play, run, stage="gaet")
    assert "stage 'job' asks nothing" in await refusal(play, run, stage="job")
    assert "stage 'bad' asks nothing" in await refusal(play, run, stage="bad")
    assert "is PENDING: it asks nothing now" in await refusal(play, run, stage="later")


async def test_a_question_is_answered_once(play: Play) -> None:
    run = await asked(play, {"slow": {**GATE}})
    answers = [answer(play, run, given, by=given) for given in ("yes", "no")]
    said = await asyncio.gather(*answers, return_exceptions=True)
    won = [one for one in said if isinstance(one, str)]
    lost = [one for one in said if isinstance(one, WorkflowUpdateFailedError)]
    assert len(won) == len(lost) == 1
    assert f"is {won[0].replace('answered', 'answered already:')}" in str(lost[0].cause)
    await answer(play, run, "yes", "slow")
    stage = (await play.result(run)).stages["gate"]
    assert len(stage.history) == 1


async def test_an_answer_after_the_end_finds_nobody(play: Play) -> None:
    run = await asked(play)
    await answer(play, run, "yes")
    await play.result(run)
    with pytest.raises(RPCError):
        await answer(play, run, "yes")


@pytest.mark.parametrize(
    ("decision", "words"),
    [("retry", "waits for an answer"), ("skip", "asks a person, which cannot be skipped")],
)
async def test_a_question_cannot_be_got_round(play: Play, decision: str, words: str) -> None:
    run = await asked(play)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await play.decide(run, decision, "gate")
    assert words in str(refused.value.cause)


async def test_a_run_can_be_given_up_at_a_question(play: Play) -> None:
    run = await asked(play, {"next": {"when": 'gate.answer == "yes"'}})
    await play.decide(run, "abort", "gate", by="ann")
    kind, status = await play.failure(run)
    assert kind == ErrorKind.CANCELLED
    assert status.stages["gate"].history == ("abort decided by ann",)


async def test_a_question_that_shows_what_was_not_left_waits_for_a_decision(play: Play) -> None:
    play.world.lives["train"] = [Life(metrics={"loss": 1.0})]
    stages = {"train": {"outputs": ["metrics"]}, "gate": {**GATE, "show": {"AUC": "{train.metrics.auc}"}}}
    run = await play.start(spec_of(stages))
    status = await play.until_phase(run, "gate", "WAITING")
    assert status.stages["gate"].error is not None
    assert "left no metric 'auc'" in status.stages["gate"].error.message


async def test_what_needs_the_answer_of_a_skipped_question_is_skipped_too(play: Play) -> None:
    stages = {
        "gate": {**GATE, "when": "params.ask"},
        "use": {"when": 'gate.answer == "yes"'},
        "again": {**GATE, "question": "And so {gate.answer}?"},
    }
    status = await play.finish(spec_of(stages, params={"ask": False}))
    assert {stage.phase for stage in status.stages.values()} == {StagePhase.SKIPPED}


async def test_an_answer_before_the_first_task_is_refused_and_the_question_still_asked(play: Play) -> None:
    run = await play.client.start_workflow(
        PipelineWorkflow.run,
        RunRequest(spec=spec_of({"gate": GATE}), key="early"),
        id="play/early",
        task_queue=WORKFLOW_QUEUE,
    )
    play.runs.append(run)
    early = play.in_background(refusal(play, run))
    await play.settle()
    await play.serve()
    assert "is PENDING: it asks nothing now" in await early
    await play.until(run, lambda now: now.stages["gate"].asks)
    await answer(play, run, "yes")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_a_workflow_of_ones_own_asks_too_and_its_answer_counts(play: Play) -> None:
    play.put("onprem", "quickstart/breast_cancer.csv")
    play.world.lives["train"] = [Life(metrics={"auc": 0.99})]
    held = load(find("custom_workflow")).spec
    gate = ApproveStage.model_validate(GATE)
    score = held.stages["score"].model_copy(update={"when": 'gate.answer == "yes"'})
    spec = held.model_copy(update={"stages": {**held.stages, "gate": gate, "score": score}})
    run = await play.start(spec)
    await play.until(run, lambda now: now.stages["gate"].asks)
    assert not play.world.asked("jobs.submit", stage="score")
    await answer(play, run, "yes", by="ann")
    assert (await play.result(run)).stages["score"].phase is StagePhase.SUCCEEDED


@pytest.mark.parametrize("payload", [{"stage": "gate"}, {}, "yes", None, {"stage": 7, "answer": []}])
async def test_an_answer_of_another_shape_is_refused_and_blocks_nothing(play: Play, payload: Any) -> None:
    run = await asked(play)
    with pytest.raises(WorkflowUpdateFailedError):
        await run.execute_update("approve", payload)
    await answer(play, run, "yes")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_whoever_wants_to_hear_of_what_waits_hears_the_question_and_how_to_answer(play: Play) -> None:
    play.world.observed = Observed(alerts=("waiting",))
    run = await asked(play, show={"floor": "{params.floor}"})
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not play.world.alerts:
            await asyncio.sleep(0.05)
    (alert,) = play.world.alerts
    assert (alert.event, alert.stage, alert.message) == ("waiting", "gate", "Publish it?; floor: 0.9")
    assert "starter approve" in alert.hint
    await answer(play, run, "yes")
    await play.result(run)
