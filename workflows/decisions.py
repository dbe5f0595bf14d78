"""A person's decisions on waiting stages: refused at once when they make no sense, else taken at once."""

from collections.abc import Callable

from temporalio import workflow

from contracts.changes import Changed, with_changes
from contracts.decisions import Decided, Decision, StageDecision
from contracts.errors import printable
from contracts.mistakes import nearest
from contracts.runs import StagePhase
from contracts.spec import PipelineSpec
from contracts.substitutes import check_skip
from workflows.book import Book
from workflows.gates import refused

_ANSWERS: dict[Decision, tuple[StagePhase, str, str]] = {
    "retry": (StagePhase.RUNNING, "retrying", "retrying"),
    "skip": (StagePhase.SKIPPED, "skipped", "skipped"),
    "abort": (StagePhase.FAILED, "aborted", "aborting the run"),
}
"""What each makes of a stage: its phase, its note, and the answer the person gets."""


class Decisions:
    """Takes decisions into the book."""

    def __init__(self, spec: Callable[[], PipelineSpec], book: Book) -> None:
        """Decide on this run's stages, as its pipeline is by then."""
        self._spec = spec
        self._book = book

    def check(self, decision: Decision, request: StageDecision) -> None:
        """Refuse what makes no sense now.

        Raises:
            ApplicationError: no such stage, it does not wait, something needs what it would have left, or it cannot be
                changed so.
        """
        name, spec = request.stage, self._spec()
        if name not in spec.stages:
            raise refused(f"there is no stage {name!r}{nearest(name, spec.stages)}")
        held = self._book.stage(name)
        if held.phase is not StagePhase.WAITING:
            raise refused(f"stage {name!r} is {held.phase}, not waiting for a decision")
        if decision == "retry":
            self._check_retry(request)
        elif request.timeout or request.resources or request.params:
            raise refused(f"{decision} changes nothing of a stage; retry does")
        if decision == "skip":
            self._check_skip(request)
        elif request.outputs:
            raise refused(f"{decision} takes no outputs for a stage; skip does")

    def change(self, request: StageDecision) -> Changed:
        """The pipeline with what a checked retry changes."""
        return with_changes(self._spec(), request)

    def take(self, decision: Decision, request: StageDecision, changes: tuple[str, ...] = ()) -> str:
        """Write a checked decision down; return the answer the person gets."""
        held = self._book.stage(request.stage)
        decided = Decided(
            at=workflow.now(),
            decision=decision,
            stage=request.stage,
            by=printable(request.by[:200]),
            reason=printable(request.reason[:200]),
            changes=tuple(printable(change[:200]) for change in changes),
        )
        words = f"{decision} decided"
        words += f" by {decided.by}" if decided.by else ""
        words += f" after {held.error.kind}" if held.error else ""
        words += f" with {', '.join(decided.changes)}" if decided.changes else ""
        words += f": {decided.reason}" if decided.reason else ""
        phase, note, answer = _ANSWERS[decision]
        if request.outputs:
            # It is skipped once its worker has looked at what stands for its outputs.
            phase, note, answer = StagePhase.RUNNING, "looking at what stands for its outputs", "skipping"
        self._book.change(
            request.stage,
            phase=phase,
            note=note,
            history=(*held.history, words),
            substitutes=request.outputs,
        )
        self._book.decided(decided)
        return f"{answer} with {', '.join(decided.changes)}" if decided.changes else answer

    def _check_retry(self, request: StageDecision) -> None:
        name = request.stage
        if self._book.stage(name).asks:
            raise refused(
                f"stage {name!r} waits for an answer; give it with: starter approve RUN {name} --answer ..."
            )
        try:
            self.change(request)
        except ValueError as error:
            raise refused(f"stage {name!r}: {error}") from None

    def _check_skip(self, request: StageDecision) -> None:
        name = request.stage
        held = self._book.stage(name)
        if held.gate and held.gate.rule and held.asks:
            raise refused(f"stage {name!r} waits for an answer; with no it can be skipped")
        if held.gate and not held.gate.rule:
            raise refused(f"stage {name!r} asks a person, which cannot be skipped; retry asks again")
        try:
            check_skip(self._spec(), name, request.outputs)
        except ValueError as error:
            raise refused(f"stage {name!r}: {error}") from None
