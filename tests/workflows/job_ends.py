"""How jobs of tests end."""

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from tests.fakes.lives import Life

ENDED = {
    ErrorKind.JOB_FAILED: JobPhase.FAILED,
    ErrorKind.OUT_OF_MEMORY: JobPhase.FAILED,
    ErrorKind.PREEMPTED: JobPhase.STOPPED,
    ErrorKind.CAPACITY: JobPhase.FAILED,
}


def dies(kind: ErrorKind | None, phase: JobPhase = JobPhase.FAILED, **fields: object) -> Life:
    return Life(end=phase, reason=kind, message="it said why", **fields)  # type: ignore[arg-type]
