"""What a stage's status holds of the job or the endpoint that it has or had last."""

from datetime import datetime

from contracts.endpoints import EndpointRef
from contracts.jobs import JobKind, JobPhase
from contracts.model import Message


class StageJob(Message):
    """The job a stage has or had last."""

    id: str
    generation: int
    name: str
    kind: JobKind = "train"
    phase: JobPhase = JobPhase.QUEUED
    console: str | None = None
    last_seen: datetime | None = None
    """When its control plane last told of it."""
    seconds: float | None = None
    """Billed, or run where the vendor does not say."""
    queued_seconds: float | None = None
    """From its submission until it had a machine; so far, while it has none."""
    run_seconds: float | None = None
    """While it had a machine; until it was last seen, while it has one."""
    billed_seconds: float | None = None
    """As the vendor counts; None where it does not say, or not yet."""

    @property
    def paid_seconds(self) -> float | None:
        """`seconds`; none at all for a job that has ended and never had a machine, None where nobody knows."""
        had_none = self.phase.terminal and self.seconds is None and self.run_seconds is None
        return 0.0 if had_none else self.seconds


class Elsewhere(Message):
    """What a stage over items had at places that had no machine for any of them."""

    rounds: int = 0
    """How often it was tried there."""
    generations: int = 0
    """Of the item that had most: a name of a job is used once, wherever it runs."""


class StageEndpoint(Message):
    """The endpoint that a stage deployed."""

    ref: EndpointRef
    temporary: bool = True
    retired: bool = False
    asked_at: datetime | None = None
    """When its deployment began: it is billed from about then on."""
