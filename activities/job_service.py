"""The seam between job activities and a cloud: what one job service must be able to do."""

from collections.abc import Sequence
from typing import Protocol

from contracts.jobs import JobRef, JobRequest, JobState, LogPage


class JobService(Protocol):
    """One connection's job service.

    Methods raise the provider's own errors or `contracts.errors.failure`; the caller translates, polls, beats and
    waits. Nothing here sleeps for long or retries.
    """

    first_poll_seconds: float
    """How soon after a change it is worth asking again; polls then grow rarer."""

    def submit(self, request: JobRequest) -> JobRef:
        """Create the job, or adopt the one that carries its name.

        Raises:
            ApplicationError: `TARGET_CONFLICT` when a job of this name carries another `causeway-digest`.
        """

    def describe(self, ref: JobRef) -> JobState:
        """Ask the control plane now. `last_seen` is set; the phase is never UNKNOWN."""

    def stop(self, ref: JobRef) -> None:
        """Ask for a stop and return; a job that has ended is left alone."""

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        """List jobs by their tags."""

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        """Return the URI prefix (ending in `/`) below which each declared output of a succeeded job lies."""

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        """Return the last lines of the job's log, or those after a token (`LOG_BEGINNING`: all); empty while there is none.

        A line that is still being written comes once it is whole, or when this is the final look.
        """
