"""Stages at which a person answers: what is asked, who may answer, what an answer is, and how it is written down."""

import math
import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator

from contracts.expression_tree import Type
from contracts.model import Message
from contracts.placeholders import parse_template
from contracts.stage_base import StageRules
from contracts.tables import Scalar

AnswerKind = Literal["choice", "number", "string", "bool"]
ANSWER_LIMIT = 1000
YES_NO = ("yes", "no")
TAKES: dict[AnswerKind, str] = {"number": "a number", "string": "a text", "bool": "true or false"}
TYPES: dict[AnswerKind, Type] = {
    "choice": "a text",
    "number": "a number",
    "string": "a text",
    "bool": "true or false",
}
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})([eE][+-]?\d{1,3})?")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class ApproveStage(StageRules):
    """Asks a person, and goes on with the answer. It runs on no cloud."""

    kind: Literal["approve"]
    question: str = Field(min_length=1, max_length=1000)
    """What is asked; `{params.x}`, `{stage.metrics.name}` and `{stage.answer}` are filled in."""
    show: dict[Annotated[str, Field(min_length=1, max_length=60)], str] = Field(
        default_factory=dict, max_length=20
    )
    """What a person should see to decide: names to texts, filled in as the question is."""
    answer: AnswerKind = "choice"
    """What is taken for an answer: one of `choices`, or a number, a text, true or false."""
    choices: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=YES_NO, min_length=1, max_length=20
    )
    """What may be answered to a `choice`."""
    approvers: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    """Who may answer, by name; anybody if there are none."""
    default: Scalar | None = None
    """The answer when nobody gave one within `timeout`; without it the stage has failed then."""

    @field_validator("question")
    @classmethod
    def _question(cls, value: str) -> str:
        parse_template(value)
        return value

    @field_validator("show")
    @classmethod
    def _show(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value.values():
            parse_template(text)
        return value

    @property
    def on(self) -> str:
        """Empty: it runs nowhere."""
        return ""

    @property
    def takes(self) -> str:
        """What it takes for an answer, in words."""
        return f"one of {', '.join(self.choices)}" if self.answer == "choice" else TAKES[self.answer]


class Gate(Message):
    """What a stage, or a run before its first stage, has asked, and how it was answered."""

    question: str
    rule: str = ""
    """Of a hold: the rule that is kept by asking, such as `budget`; empty where an `approve` stage asks."""
    about: str = ""
    """Of a hold: the step that waits, such as `train/g2`."""
    shown: dict[str, str] = Field(default_factory=dict)
    takes: str = ""
    """What is taken for an answer, in words."""
    choices: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    asked_at: datetime
    due_at: datetime | None = None
    """When nobody needs to answer any more, as far as the run is not paused until then."""
    paused_seconds: float = 0.0
    """How long the run had been paused in all when it was asked."""
    default: Scalar | None = None
    answer: Scalar | None = None
    by: str = ""
    """Who answered; empty where nobody did in time, or nobody said."""
    comment: str = ""
    answered_at: datetime | None = None
    late: bool = False
    """Whether nobody answered in time."""
    taken: bool = False
    """Of a hold: whether the step has gone on, or was given up, by its answer."""

    @property
    def is_open(self) -> bool:
        """Whether it waits for its answer."""
        return self.answer is None and not self.late


class Approval(Message):
    """A person's answer to what a stage asks."""

    stage: str = ""
    """Empty for what the run itself asks before its first stage."""
    answer: Scalar
    by: str = ""
    comment: str = ""


def read_answer(stage: ApproveStage, given: Scalar) -> Scalar:
    """Return an answer as its stage takes it: the choice as the author wrote it, a number, a text, or true or false.

    Raises:
        ValueError: it takes no such answer.
    """
    found = _READERS[stage.answer](stage, given)
    if found is None:
        said = repr(given) if len(repr(given)) <= 60 else f"{repr(given)[:57]}..."
        raise ValueError(f"{said} is no answer here; write {stage.takes}")
    return found


def _choice(stage: ApproveStage, given: Scalar) -> Scalar | None:
    exact = [choice for choice in stage.choices if choice == given]
    alike = [choice for choice in stage.choices if choice.casefold() == str(given).casefold()]
    return exact[0] if exact else alike[0] if len(alike) == 1 else None


def _number(stage: ApproveStage, given: Scalar) -> Scalar | None:
    if isinstance(given, bool) or (isinstance(given, str) and not _NUMBER.fullmatch(given)):
        return None
    if isinstance(given, int) or re.fullmatch(r"[+-]?\d{1,15}", str(given)):
        return int(given)
    number = float(given)
    return number if math.isfinite(number) else None


def _text(stage: ApproveStage, given: Scalar) -> Scalar | None:
    fits = isinstance(given, str) and 0 < len(given) <= ANSWER_LIMIT and not _UNPRINTABLE.search(given)
    return given if fits else None


def _truth(stage: ApproveStage, given: Scalar) -> Scalar | None:
    return given if isinstance(given, bool) else _TRUTH.get(str(given).casefold())


_READERS = {"choice": _choice, "number": _number, "string": _text, "bool": _truth}
