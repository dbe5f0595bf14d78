"""A person's decisions on waiting stages: refused at once when they make no sense, else taken at once."""

from contracts.graph import references_of
from contracts.inference import InvokeStage
from contracts.mistakes import nearest
from contracts.runs import Decision, StageDecision, StagePhase
from contracts.spec import PipelineSpec
from contracts.stages import inputs_of
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

    def __init__(self, spec: PipelineSpec, book: Book) -> None:
        """Decide on this run's stages."""
        self._spec = spec
        self._book = book

    def check(self, decision: Decision, request: StageDecision) -> None:
        """Refuse what makes no sense now.

        Raises:
            ApplicationError: no such stage, it does not wait, or something needs what it would have left.
        """
        name = request.stage
        if name not in self._spec.stages:
            raise refused(f"there is no stage {name!r}{nearest(name, self._spec.stages)}")
        phase = self._book.stage(name).phase
        if phase is not StagePhase.WAITING:
            raise refused(f"stage {name!r} is {phase}, not waiting for a decision")
        if self._book.stage(name).gate and decision == "skip":
            raise refused(f"stage {name!r} asks a person, which cannot be skipped; retry asks again")
        if self._book.stage(name).asks and decision == "retry":
            raise refused(
                f"stage {name!r} waits for an answer; give it with: starter approve RUN {name} --answer ..."
            )
        dependents = [other for other in self._spec.stages if self._uses(other, name)]
        if decision == "skip" and dependents:
            raise refused(
                f"stage {name!r} cannot be skipped; what it leaves is needed by {', '.join(dependents)}"
            )

    def take(self, decision: Decision, request: StageDecision) -> str:
        """Write a checked decision down; return the answer the person gets."""
        held = self._book.stage(request.stage)
        words = f"{decision} decided"
        words += f" by {request.by[:200]}" if request.by else ""
        words += f" after {held.error.kind}" if held.error else ""
        words += f": {request.reason[:200]}" if request.reason else ""
        phase, note, answer = _ANSWERS[decision]
        self._book.change(request.stage, phase=phase, note=note, history=(*held.history, words))
        return answer

    def _uses(self, other: str, name: str) -> bool:
        stage = self._spec.stages[other]
        return (
            any(written.partition(".")[0] == name for written in inputs_of(stage).values())
            or any(reference.stage == name for reference, _ in references_of(stage))
            or (isinstance(stage, InvokeStage) and stage.endpoint == name)
        )
