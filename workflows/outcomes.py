"""How a stage ends: with what it left, or with an error a person can act on."""

from pydantic import Field

from contracts.artifacts import Artifact
from contracts.errors import hint_for
from contracts.model import Message
from contracts.results import Choice, FanoutStatus
from contracts.runs import StageError
from contracts.stage_records import StageEndpoint
from contracts.tables import Scalar


class Outcome(Message):
    """What a stage that succeeded left."""

    outputs: dict[str, Artifact] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    rows: int | None = None
    choice: Choice | None = None
    fanout: FanoutStatus | None = None
    shown: tuple[dict[str, Scalar | None], ...] = ()
    endpoint: StageEndpoint | None = None
    fingerprint: str = ""
    taken_from: str = ""
    """The run that did it, where that was not this one."""


class StageFailed(Exception):
    """A stage is out of retries; the run decides what happens now."""

    def __init__(self, error: StageError, *, confirmed: bool = True) -> None:
        """Carry what a person reads; unless `confirmed`, a job of the stage may still live."""
        super().__init__(error.message)
        self.error = error
        self.confirmed = confirmed


class NoMachines(StageFailed):
    """The place of a stage over items has a machine for none of them: nothing of it is there, and all may go on elsewhere."""

    def __init__(self, error: StageError, generations: int) -> None:
        """Carry how many jobs the item had that had most."""
        super().__init__(error)
        self.generations = generations


class Halted(Exception):
    """A pause had the job of a stage stopped; another generation follows the resume and counts as no retry."""


def failed(kind: str, message: str) -> StageFailed:
    """Build the failure of a stage with the hint that goes with its kind."""
    return StageFailed(StageError(kind=kind, message=message, hint=hint_for(kind)))
