"""How the jobs of the fake clouds go: what each is asked to do, and how it stands at any moment."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobRequest, JobState


@dataclass(frozen=True)
class Life:
    """How a job of a stage goes, in workflow time."""

    queued: timedelta = timedelta(0)
    runs: timedelta = timedelta(0)
    end: JobPhase = JobPhase.SUCCEEDED
    reason: ErrorKind | None = None
    message: str = ""
    unknown_from: timedelta | None = None
    unknown_for: timedelta = timedelta(0)
    forgotten: bool = False
    """Whether who asks while it is unknown has never seen it before, as another attempt of a watch has not."""
    billed_seconds: float | None = None
    """As its vendor tells with its end."""
    collected_seconds: float | None = None
    """As its vendor tells only when its outputs are looked at."""
    leaves: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Files by output; by default each output holds one small file that names it."""
    metrics: dict[str, float] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    """Its log; what the world says by default."""


@dataclass
class Job:
    """A job that was submitted."""

    connection: str
    request: JobRequest
    life: Life
    born: datetime
    stopped: datetime | None = None
    submits: int = 1

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def ref(self) -> JobRef:
        return JobRef(
            id=f"id-of-{self.name}",
            name=self.name,
            generation=self.request.generation,
            kind=self.request.kind,
            adopted=self.submits > 1,
        )

    def phase(self, now: datetime) -> JobPhase:
        age = (self.stopped or now) - self.born
        if age >= self.life.queued + self.life.runs:
            return self.life.end
        if self.stopped:
            return JobPhase.STOPPED
        start = self.life.unknown_from
        if start is not None and start <= age < start + self.life.unknown_for:
            return JobPhase.UNKNOWN
        return JobPhase.QUEUED if age < self.life.queued else JobPhase.RUNNING

    def state(self, now: datetime) -> JobState:
        phase = self.phase(now)
        unknown = phase is JobPhase.UNKNOWN and self.life.unknown_from is not None
        began = self.born + self.life.queued
        seen = self.born + self.life.unknown_from if unknown and self.life.unknown_from else now
        ended = min(filter(None, (began + self.life.runs, self.stopped))) if phase.terminal else None
        return JobState(
            ref=self.ref,
            phase=phase,
            message=self.life.message if phase is self.life.end else "",
            reason=self.life.reason if phase is self.life.end else None,
            submitted_at=self.born,
            started_at=began if began <= min(filter(None, (now, self.stopped))) else None,
            ended_at=ended,
            last_seen=None if unknown and self.life.forgotten else seen,
            billed_seconds=self.life.billed_seconds if phase.terminal else None,
        )

    def next_change(self, now: datetime) -> timedelta:
        life = self.life
        marks = [life.queued, life.queued + life.runs]
        if life.unknown_from is not None:
            marks += [life.unknown_from, life.unknown_from + life.unknown_for]
        ahead = [self.born + mark - now for mark in marks if self.born + mark > now]
        return min(ahead, default=timedelta(seconds=1))
