"""A person's decisions on waiting stages: refused at once when they make no sense, taken once."""

from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorKind
from contracts.graph import nearest, needs
from contracts.runs import Decision, StageDecision, StagePhase
from contracts.spec import PipelineSpec, inputs_of
from workflows.book import Book


class Decisions:
    """Decisions that were made and not yet acted on."""

    def __init__(self, spec: PipelineSpec, book: Book) -> None:
        """Decide on this run's stages."""
        self._spec = spec
        self._book = book
        self._made: dict[str, tuple[Decision, str]] = {}

    def check(self, decision: Decision, request: StageDecision) -> None:
        """Refuse what makes no sense now.

        Raises:
            ApplicationError: no such stage, it does not wait, or something needs what it would have left.
        """
        name = request.stage
        if name not in self._spec.stages:
            raise _refused(f"there is no stage {name!r}{nearest(name, self._spec.stages)}")
        phase = self._book.stage(name).phase
        if phase is not StagePhase.WAITING or name in self._made:
            raise _refused(f"stage {name!r} is {phase}, not waiting for a decision")
        dependents = [other for other in self._spec.stages if self._uses(other, name)]
        if decision == "skip" and dependents:
            raise _refused(f"stage {name!r} cannot be skipped: {', '.join(dependents)} needs what it leaves")

    def take(self, decision: Decision, request: StageDecision) -> str:
        """Keep a checked decision; return the answer the person gets."""
        self._made[request.stage] = (decision, request.by[:200])
        return {"retry": "retrying", "skip": "skipped", "abort": "aborting the run"}[decision]

    def made(self, stage: str) -> bool:
        """Whether there is a decision on a stage."""
        return stage in self._made

    def pop(self, stage: str) -> tuple[Decision, str]:
        """Take the decision on a stage away, with who made it."""
        return self._made.pop(stage)

    def _uses(self, other: str, name: str) -> bool:
        stage = self._spec.stages[other]
        by_input = {written.partition(".")[0] for written in inputs_of(stage).values()}
        return name in by_input or (name in needs(self._spec, other) and name not in stage.after)


def _refused(message: str) -> ApplicationError:
    return ApplicationError(message, type=ErrorKind.INVALID_REQUEST.value, non_retryable=True)
