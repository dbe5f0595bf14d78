"""Holds: a step of a run, or a run before its first stage, waits for a person's yes, and goes on with it or not at all."""

import asyncio
from collections.abc import Callable
from functools import partial

from pydantic import Field
from temporalio import workflow

from contracts.approvals import YES_NO, Approval, Gate
from contracts.decisions import Decided
from contracts.errors import ErrorKind, hint_for, printable
from contracts.foreach import as_text
from contracts.model import Message
from contracts.runs import StageError, StagePhase
from contracts.tables import Scalar
from workflows.book import Book
from workflows.checkpoint import Checkpoint
from workflows.gates import TEXT_LIMIT, refused
from workflows.outcomes import StageFailed

RUN = ""
"""Instead of a stage: the run itself, before its first one."""
YES, NO = YES_NO


class Hold(Message):
    """What a step waits for."""

    rule: str
    """What is kept by asking, such as `budget`."""
    kind: ErrorKind
    """What the stage fails with when the answer is no."""
    question: str
    shown: dict[str, str] = Field(default_factory=dict)
    """What a person should see to decide."""
    approvers: tuple[str, ...] = ()
    """Who may answer, by name; anybody if there are none."""
    about: str = ""
    """The step, such as `train/g2`; a yes to another step of the same stage is none for this one."""


class HoldRefused(StageFailed):
    """A person said no."""


class Parked(Exception):
    """A stage that waits for an answer has nothing to do until it comes: its work begins again after the answer.

    Then the history is cut meanwhile, or something else became of the stage.
    """


class Holds:
    """What one run waits for beside the questions of its `approve` stages."""

    def __init__(self, book: Book, checkpoint: Checkpoint, parks: Callable[[], bool]) -> None:
        """Hold this run's steps; while `parks` is true a stage that waits gives way, so that the history can be cut."""
        self._book = book
        self._checkpoint = checkpoint
        self._parks = parks
        self._turns: dict[str, asyncio.Lock] = {}

    async def passed(self, stage: str, hold: Hold) -> Gate:
        """Return the answered question once a person has said yes; steps of one stage ask one after another.

        A yes that came while the stage was parked counts, if it was given to the same step.

        Raises:
            HoldRefused: a person said no.
            Parked: nothing more comes of this attempt; only ever of a stage, not of the run itself.
        """
        gate = await self.passed_while(stage, hold, lambda: True)
        if gate is None:
            raise AssertionError("what is always needed is never withdrawn")
        return gate

    async def passed_while(self, stage: str, hold: Hold, needed: Callable[[], bool]) -> Gate | None:
        """As `passed`; a question that is needed no more is withdrawn, and None returned.

        Raises:
            HoldRefused, Parked: as `passed`.
        """
        async with self._turns.setdefault(stage, asyncio.Lock()):
            gate = self._answered(stage, hold) or await self._asked(stage, hold, needed)
            if gate is None:
                return None
            gate = gate.model_copy(update={"taken": True})
            self._put(stage, gate)
        if gate.answer != YES:
            raise _no(hold, gate)
        await self._checkpoint.passed()
        return gate

    def concerns(self, approval: Approval) -> bool:
        """Whether an answer is to a hold, not to an `approve` stage."""
        if approval.stage == RUN:
            return True
        held = self._book.status.stages.get(approval.stage)
        return bool(held and held.gate and held.gate.rule)

    def check(self, approval: Approval) -> None:
        """Refuse what is no answer to what is asked now.

        Raises:
            ApplicationError: nothing is asked, the answer does not fit, or another must give it.
        """
        name = approval.stage
        what, gate = self._named(name), self._gate(name)
        if gate and gate.answer is not None and name not in self._book.status.asking:
            raise refused(f"{what} is answered already: {told(gate)}")
        if gate is None or name not in self._book.status.asking:
            raise refused(f"{what} asks nothing now; name the stage that does: starter approve RUN STAGE")
        if gate.approvers and approval.by not in gate.approvers:
            may = ", ".join(gate.approvers)
            raise refused(f"{approval.by or 'nobody'!r} may not answer {what}; {may} may, by --by NAME")
        if read_yes_no(approval.answer) is None:
            raise refused(f"{what}: {approval.answer!r} is no answer here; write {gate.takes}")

    def take(self, approval: Approval) -> str:
        """Write a checked answer down; return what the person is told."""
        name, gate = approval.stage, self._gate(approval.stage)
        if gate is None:
            raise refused(f"{self._named(name)} has asked nothing")
        gate = gate.model_copy(
            update={
                "answer": read_yes_no(approval.answer),
                "answered_at": workflow.now(),
                "by": printable(approval.by[:200]),
                "comment": printable(approval.comment[:TEXT_LIMIT]),
            }
        )
        words = f"answered {told(gate)}"
        self._put(name, gate, words)
        self._book.decided(
            Decided(
                at=workflow.now(),
                decision="approve",
                stage=name,
                by=gate.by,
                reason=gate.comment[:200],
                answer=gate.answer,
                rule=gate.rule,
                about=gate.about,
            )
        )
        return words

    def _answered(self, stage: str, hold: Hold) -> Gate | None:
        """A yes or no that came while nobody waited for it here."""
        gate = self._gate(stage)
        fits = gate and not gate.taken and (gate.rule, gate.about) == (hold.rule, hold.about)
        return gate if fits and gate and gate.answer is not None else None

    async def _asked(self, stage: str, hold: Hold, needed: Callable[[], bool]) -> Gate | None:
        await self._checkpoint.passed()
        if not needed():
            return None
        self._ask(stage, hold)
        await workflow.wait_condition(partial(self._moved, stage, needed))
        gate = self._gate(stage)
        if gate is not None and gate.answer is not None and not gate.taken:
            return gate
        if stage in self._book.status.asking and not needed():
            self._withdraw(stage)
            return None
        raise Parked

    def _moved(self, stage: str, needed: Callable[[], bool]) -> bool:
        parks = stage != RUN and self._parks()
        return stage not in self._book.status.asking or parks or not needed()

    def _withdraw(self, stage: str) -> None:
        if stage == RUN:
            self._book.update(gate=None)
        else:
            note = "no answer is needed any more"
            self._book.change(stage, phase=StagePhase.RUNNING, gate=None, note=note)

    def _ask(self, stage: str, hold: Hold) -> None:
        gate = Gate(
            question=hold.question,
            rule=hold.rule,
            about=hold.about,
            shown=hold.shown,
            takes=f"one of {', '.join(YES_NO)}",
            choices=YES_NO,
            approvers=hold.approvers,
            asked_at=workflow.now(),
        )
        if stage == RUN:
            self._book.update(gate=gate)
            return
        note = f"asks: {gate.question}"[:200]
        self._book.change(stage, phase=StagePhase.WAITING, gate=gate, note=note, error=None)

    def _gate(self, stage: str) -> Gate | None:
        return self._book.status.gate if stage == RUN else self._book.stage(stage).gate

    def _put(self, stage: str, gate: Gate, words: str = "") -> None:
        """Keep what became of a question; with words it has just been answered, and the stage goes on."""
        if stage == RUN:
            self._book.update(gate=gate)
        elif words:
            history = (*self._book.stage(stage).history, words[:500])
            self._book.change(stage, gate=gate, phase=StagePhase.RUNNING, note=words[:200], history=history)
        else:
            self._book.change(stage, gate=gate)

    def _named(self, stage: str) -> str:
        return f"stage {stage!r}" if stage != RUN else "the run itself"


def read_yes_no(given: Scalar) -> str | None:
    """Return `yes` or `no` of what a person wrote; None where it is neither."""
    said = as_text(given).casefold()
    return {"yes": YES, "true": YES, "no": NO, "false": NO}.get(said)


def told(gate: Gate) -> str:
    """An answer with who gave it and why."""
    who = f" by {gate.by}" if gate.by else ""
    return f"{as_text(gate.answer) if gate.answer is not None else ''}{who}" + (
        f": {gate.comment}" if gate.comment else ""
    )


def _no(hold: Hold, gate: Gate) -> HoldRefused:
    who = f"{gate.by} said no" if gate.by else "somebody said no"
    why = f" ({gate.comment})" if gate.comment else ""
    message = f"{who}{why} to: {hold.question}"
    return HoldRefused(StageError(kind=hold.kind, message=message, hint=hint_for(hold.kind)))
