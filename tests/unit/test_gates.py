"""Mistakes in what a person is asked are found before a run, and what is asked is shown with how to answer."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.approvals import ApproveStage, Gate, read_answer
from contracts.decisions import Decided
from contracts.expression_tree import ExpressionError
from contracts.expressions import parse, parse_best
from contracts.placeholders import parse_template, references
from contracts.runs import RunRequest, RunStatus, StageError, StagePhase, StageStatus
from contracts.spec import PipelineSpec
from starter.document import run_document
from starter.pages.report import html, markdown
from starter.show import live_view, report
from tests.unit.test_choices import job, mistakes
from tests.unit.test_show import status, text_of
from workflows.details import stage_table

NOW = datetime.now(UTC)


def gate(**fields: Any) -> dict[str, Any]:
    return {"kind": "approve", "question": "Go on?", **fields}


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (
            {"ask": gate(default="no")},
            "stages.ask.default: a default is what holds when the timeout has passed",
        ),
        ({"ask": gate(default="maybe", timeout="2h")}, "'maybe' is no answer here; write one of yes, no"),
        ({"ask": gate(choices=["a", "a"])}, "stages.ask.choices.1: 'a' is named twice"),
        ({"ask": gate(answer="number", choices=["a"])}, "choices go with answer: choice, not number"),
        ({"metrics": gate()}, "metrics.answer would be read as the metrics of a candidate"),
        (
            {"ask": gate(show={"it": "{plain.metrics.auc}"})},
            "stages.ask.show.it: {plain.metrics.auc}: stage 'plain'",
        ),
        ({"ask": gate(question="{params.flor}?")}, "there is none of that name; did you mean 'floor'?"),
        (
            {"ask": gate(question="{inputs.x}?")},
            "a question takes {params.x}, {stage.metrics.name} and {stage.answer}",
        ),
        ({"use": job(when='train.answer == "yes"')}, "stage 'train' asks nobody"),
        ({"use": job(command="go {train.answer}")}, "{train.answer}: stage 'train' asks nobody"),
        ({"use": job(command="go {nobody.answer}")}, "there is no stage 'nobody'"),
        ({"ask": gate(), "use": job(when="ask.answer > 1")}, "is a number and is compared with a text"),
        (
            {"ask": gate(answer="number"), "use": job(when="ask.answer")},
            "'ask.answer' is a number; a condition compares",
        ),
        (
            {"ask": gate(), "use": job(after=["ask"])},
            'use would run whatever the answer is; give it `when: ask.answer == "yes"`',
        ),
        ({"ask": gate(answer="bool"), "use": job(after=["ask"])}, "give it `when: ask.answer`"),
        ({"ask": gate(), "use": job(inputs={"it": "ask"})}, "stage 'ask' has 0 outputs"),
    ],
)
def test_a_wrong_question_is_told_with_its_place(stages: dict[str, Any], words: str) -> None:
    found = mistakes(stages)
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize(
    "stages",
    [
        {"ask": gate(choices=["seen"]), "use": job(after=["ask"])},
        {"ask": gate(), "use": job(after=["ask"], when='ask.answer == "yes"')},
        {"ask": gate(answer="bool"), "use": job(command="go {ask.answer}"), "more": job(after=["ask"])},
        {"ask": gate(timeout="2h", default="no", approvers=["ann"], on_failure="fail")},
    ],
)
def test_a_sound_question_has_no_mistake(stages: dict[str, Any]) -> None:
    assert mistakes(stages) == []


def test_an_answer_is_a_placeholder_and_a_name_in_conditions() -> None:
    (asked,) = references(parse_template("go {gate.answer}"))
    assert (asked.role, asked.stage, asked.text) == ("answer", "gate", "gate.answer")
    (item,) = references(parse_template("{item.answer}"))
    assert item.role == "item"
    (name,) = parse("gate.answer == 1").names()
    assert (name.stage, name.answer, name.text) == ("gate", True, "gate.answer")
    with pytest.raises(ExpressionError):
        parse("gate.answers == 1")
    with pytest.raises(ExpressionError, match="judged by its own metrics"):
        parse_best("max(gate.answer)")


def test_a_whole_number_of_any_length_stays_finite() -> None:
    stage = ApproveStage.model_validate(gate(answer="number"))
    assert read_answer(stage, "007") == 7
    with pytest.raises(ValueError, match="write a number"):
        read_answer(stage, "9" * 400)
    with pytest.raises(ValueError, match="write a number"):
        read_answer(stage, "1e999")


def test_a_pipeline_without_questions_keeps_its_digest() -> None:
    spec = {"pipeline": "p", "stages": {"copy": {"kind": "copy", "on": "aws", "source": "file:///a"}}}
    assert PipelineSpec.model_validate(spec).digest.startswith("df28fc007927c385")


def asking(**fields: Any) -> StageStatus:
    asked = Gate(
        question="Publish `it`?",
        shown={"AUC": "0.93"},
        takes="one of yes, no",
        choices=("yes", "no"),
        approvers=("ann",),
        asked_at=NOW,
        due_at=NOW + timedelta(hours=2, minutes=50),
        default="no",
    )
    held = StageStatus(name="gate", kind="approve", connection="", phase=StagePhase.WAITING, gate=asked)
    return held.model_copy(update=fields)


def test_a_question_is_shown_with_evidence_terms_and_the_command_that_answers() -> None:
    text = text_of(live_view(status(asking())))
    assert "gate asks: Publish `it`?" in text
    assert "AUC  0.93" in text
    assert re.search(r"answer with one of yes, no; ann may answer; in \dh\d\dm the answer is no", text)
    assert "-> python -m starter approve play/k gate --answer yes" in text
    page = stage_table(status(asking()))
    assert '{"stage": "gate", "answer": "yes", "by": "ann", "comment": ""}' in page
    assert "AUC: 0.93" in page


def test_a_question_that_failed_or_was_answered_is_no_longer_asked() -> None:
    failed = asking(error=StageError(kind="TIMED_OUT", message="nobody answered", hint=""))
    for held in (failed, asking(phase=StagePhase.SUCCEEDED)):
        assert "asks:" not in text_of(live_view(status(held)))
    assert status(failed).waiting_for == "a decision on gate"


def test_answers_and_who_gave_them_are_in_the_document() -> None:
    held = asking(phase=StagePhase.SUCCEEDED)
    assert held.gate is not None
    answered = held.gate.model_copy(
        update={"answer": "yes", "by": "ann", "comment": "good", "answered_at": NOW}
    )
    now: RunStatus = status(held.model_copy(update={"gate": answered}))
    (told,) = run_document(now, "")["stages"]
    assert (told["gate"]["answer"], told["gate"]["by"], told["gate"]["comment"]) == ("yes", "ann", "good")
    assert run_document(status(asking()), "")["waiting_for"] == "an answer to gate"


def decisions() -> tuple[Decided, ...]:
    changed = Decided(
        at=NOW,
        decision="retry",
        stage="train",
        by="ann",
        reason="<b>too|small</b>",
        changes=("timeout 1h -> 2h",),
    )
    return (
        changed,
        Decided(at=NOW, decision="approve", stage="gate", by="bob", answer=True),
        Decided(at=NOW, decision="resume"),
    )


def test_the_report_says_who_decided_what_when_and_why() -> None:
    text = text_of(report(status(asking()).model_copy(update={"decisions": decisions()})))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    moment = f"{NOW:%Y-%m-%d %H:%M:%S}"
    assert f"{moment} train ann retry with timeout 1h -> 2h: <b>too|small</b>" in lines
    assert f"{moment} gate bob approve with true" in lines
    assert f"{moment} resume" in lines


def test_the_pages_have_questions_and_decisions_and_nothing_of_them_becomes_markup() -> None:
    spec = PipelineSpec.model_validate({"pipeline": "play", "stages": {"gate": gate(approvers=["ann"])}})
    now = status(asking()).model_copy(update={"decisions": decisions()})
    page = html(RunRequest(spec=spec, key="k"), now, "http://t")
    for words in (
        "gate asks",
        "Publish `it`?",
        "0.93",
        "ann may answer",
        "Decisions",
        "approve with true",
        "the run",
    ):
        assert words in page
    assert "<b>too" not in page
    text = markdown(now, "http://t")
    assert "## gate asks" in text
    assert "- AUC: 0.93" in text
    assert "| train | ann | retry with timeout 1h -\\> 2h | \\<b\\>too\\|small\\</b\\> |" in text
