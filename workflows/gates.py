"""Questions to a person: asked, answered or refused at once, and answered by their default when nobody did in time."""

import contextlib
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from contracts.approvals import Approval, ApproveStage, Gate, read_answer
from contracts.decisions import Decided
from contracts.errors import ErrorKind, printable
from contracts.foreach import as_text
from contracts.mistakes import nearest
from contracts.placeholders import parse_template, render
from contracts.runs import StageError, StagePhase
from contracts.spec import PipelineSpec
from contracts.tables import Scalar
from contracts.units import format_duration
from workflows.book import Book
from workflows.checkpoint import Checkpoint
from workflows.effects import brief
from workflows.outcomes import StageFailed
from workflows.values import value_of

TEXT_LIMIT = 2000


class Gates:
    """The questions of one run."""

    def __init__(self, spec: PipelineSpec, book: Book, checkpoint: Checkpoint) -> None:
        """Ask for this run, or go on where the execution before this one was cut."""
        asking = {name: stage for name, stage in spec.stages.items() if isinstance(stage, ApproveStage)}
        self._stages: dict[str, ApproveStage] = asking
        self._known = tuple(spec.stages)
        self._book = book
        self._checkpoint = checkpoint

    def ask(self, name: str, spec: PipelineSpec) -> None:
        """Ask what a stage asks, with what there is to show; it waits then.

        Raises:
            StageFailed: it shows a metric that was not left.
        """
        stage, now = spec.stages[name], workflow.now()
        if not isinstance(stage, ApproveStage):
            raise AssertionError(f"{name} asks nothing")
        gate = Gate(
            question=self._filled(stage.question, spec),
            shown={label: self._filled(text, spec) for label, text in stage.show.items()},
            takes=stage.takes,
            choices=stage.choices if stage.answer == "choice" else (),
            approvers=stage.approvers,
            asked_at=now,
            due_at=now + stage.timeout if stage.timeout else None,
            paused_seconds=self._checkpoint.paused_for.total_seconds(),
            default=stage.default,
        )
        self._book.change(name, phase=StagePhase.WAITING, gate=gate, note=f"asks: {gate.question}"[:200])

    def check(self, approval: Approval) -> None:
        """Refuse what is no answer to what is asked now.

        Raises:
            ApplicationError: no such stage, it asks nothing now, the answer does not fit, or another must give it.
        """
        name = approval.stage
        if name not in self._known:
            raise refused(f"there is no stage {name!r}{nearest(name, self._known)}")
        if name not in self._stages:
            raise refused(f"stage {name!r} asks nothing{nearest(name, self._stages)}")
        held, stage = self._book.stage(name), self._stages[name]
        if held.gate and held.gate.answer is not None:
            raise refused(f"stage {name!r} is answered already: {_told(held.gate)}")
        if not held.asks:
            why = "nobody answered in time; retry asks again" if held.error else "it asks nothing now"
            raise refused(f"stage {name!r} is {held.phase}: {why}")
        if stage.approvers and approval.by not in stage.approvers:
            may = ", ".join(stage.approvers)
            raise refused(f"{approval.by or 'nobody'!r} may not answer {name!r}; {may} may, by --by NAME")
        try:
            read_answer(stage, approval.answer)
        except ValueError as error:
            raise refused(f"stage {name!r}: {error}") from None

    def take(self, approval: Approval) -> str:
        """Write a checked answer down; return what the person is told."""
        answer = read_answer(self._stages[approval.stage], approval.answer)
        who = {"by": printable(approval.by[:200]), "comment": printable(approval.comment[:TEXT_LIMIT])}
        return self._answered(approval.stage, answer, who)

    async def keep(self) -> list[str]:
        """Return the stages that nobody answered in time and that have no default, as soon as there are any."""
        while True:
            late = self._expire()
            if late:
                return late
            self._show_dues()
            armed, left = self._armed(), self._left()
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    partial(self._moved, armed), timeout=left, timeout_summary=self._awaited()
                )

    def _awaited(self) -> str:
        """What the timer of the next answer waits for."""
        dues = self._dues()
        if not dues:
            return "an answer in time"
        name = min(dues, key=lambda name: dues[name])
        default = self._stages[name].default
        late = "it fails" if default is None else f"the answer is {as_text(default)}"
        return brief(f"{name}: an answer; then {late}")

    def late(self, name: str) -> StageFailed:
        """What is wrong with a stage that nobody answered in time."""
        limit = format_duration(self._stages[name].timeout or timedelta(0))
        told = f"nobody answered within {limit}, and there is no default"
        hint = "retry asks again; a longer timeout or a default in the pipeline helps the next run"
        return StageFailed(StageError(kind=ErrorKind.TIMED_OUT, message=told, hint=hint))

    def _filled(self, text: str, spec: PipelineSpec) -> str:
        pieces = parse_template(text)
        return render(pieces, lambda asked: as_text(value_of(asked, spec, self._book)))[:TEXT_LIMIT]

    def _expire(self) -> list[str]:
        """Take the default of each question whose time is over; return those that have none."""
        late = []
        for name, due in self._dues().items():
            if self._checkpoint.pause or due > workflow.now():
                continue
            default = self._stages[name].default
            if default is None:
                late.append(name)
            else:
                self._answered(name, read_answer(self._stages[name], default), {"late": True})
        return late

    def _answered(self, name: str, answer: Scalar, fields: dict[str, Any]) -> str:
        held = self._book.stage(name)
        if held.gate is None:
            raise refused(f"stage {name!r} has asked nothing")
        gate = held.gate.model_copy(update={"answer": answer, "answered_at": workflow.now(), **fields})
        words = f"answered {_told(gate)}"
        history = (*held.history, words[:500])
        self._book.change(name, phase=StagePhase.SUCCEEDED, gate=gate, note=words[:200], history=history)
        reason = "nobody answered in time" if gate.late else gate.comment[:200]
        self._book.decided(
            Decided(
                at=workflow.now(), decision="approve", stage=name, by=gate.by, reason=reason, answer=answer
            )
        )
        return words

    def _dues(self) -> dict[str, datetime]:
        """When each question that is open has to be answered, as far as pauses up to now tell."""
        found = {}
        for name, stage in self._stages.items():
            held = self._book.stage(name)
            if stage.timeout and held.asks and held.gate:
                paused = self._checkpoint.paused_for - timedelta(seconds=held.gate.paused_seconds)
                found[name] = held.gate.asked_at + stage.timeout + paused
        return found

    def _show_dues(self) -> None:
        for name, due in self._dues().items():
            gate = self._book.stage(name).gate
            if gate and gate.due_at != due and not self._checkpoint.pause:
                self._book.change(name, gate=gate.model_copy(update={"due_at": due}))

    def _left(self) -> timedelta | None:
        dues = self._dues()
        return min(dues.values()) - workflow.now() if dues and not self._checkpoint.pause else None

    def _armed(self) -> tuple[object, ...]:
        """What the timer depends on: whether time stands still, and what is open."""
        held = [self._book.stage(name) for name, stage in self._stages.items() if stage.timeout]
        asked = tuple(one.gate.asked_at if one.asks and one.gate else None for one in held)
        return (self._checkpoint.pause is None, *asked)

    def _moved(self, armed: tuple[object, ...]) -> bool:
        return self._armed() != armed


def refused(message: str) -> ApplicationError:
    """Refuse what a person asked for, with the reason."""
    return ApplicationError(message, type=ErrorKind.INVALID_REQUEST.value, non_retryable=True)


def _told(gate: Gate) -> str:
    said = as_text(gate.answer) if gate.answer is not None else ""
    who = "by default, since nobody answered in time" if gate.late else f"by {gate.by}" if gate.by else ""
    return " ".join(filter(None, (said, who))) + (f": {gate.comment}" if gate.comment else "")
