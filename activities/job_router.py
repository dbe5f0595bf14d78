"""Several services of one cloud as one job service: the kind of a job says whose it is."""

from collections.abc import Mapping, Sequence

from activities.job_service import JobService
from contracts.jobs import JobKind, JobRef, JobRequest, JobState, LogPage


class JobRouter:
    """A job service by kind, and one for every other kind."""

    def __init__(self, usual: JobService, special: Mapping[JobKind, JobService]) -> None:
        self._usual = usual
        self._special = special
        self.first_poll_seconds = usual.first_poll_seconds

    def submit(self, request: JobRequest) -> JobRef:
        """See the seam."""
        return self._of(request.kind).submit(request)

    def describe(self, ref: JobRef) -> JobState:
        """See the seam."""
        return self._of(ref.kind).describe(ref)

    def stop(self, ref: JobRef) -> None:
        """See the seam."""
        self._of(ref.kind).stop(ref)

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        """List what any of the services has, each job once."""
        services = [self._usual, *self._special.values()]
        found = [state for service in services for state in service.find(run_uid, stage)]
        return list({state.ref.id: state for state in reversed(found)}.values())[::-1]

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        """See the seam."""
        return self._of(ref.kind).outputs(ref, request)

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        """See the seam."""
        return self._of(ref.kind).logs(ref, tail, after, final=final)

    def _of(self, kind: JobKind) -> JobService:
        return self._special.get(kind, self._usual)
