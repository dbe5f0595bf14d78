"""What every cloud's job worker can do. The task queue decides which cloud does it; no cloud lives here."""

from temporalio import activity

from contracts.jobs import (
    CollectRequest,
    FindRequest,
    JobList,
    JobOutputs,
    JobRef,
    JobRequest,
    JobState,
    LogPage,
    LogRequest,
    WaitRequest,
)


class JobActivities:
    """What every cloud's job worker can do."""

    @activity.defn(name="jobs.submit")
    def submit(self, request: JobRequest) -> JobRef:
        """Have this job exist exactly once, and return it.

        Safe to run twice, also at once: a job with this name is adopted. Heartbeats so that a dead worker is
        noticed. Final: `INVALID_REQUEST`, `UNSUPPORTED`, `ACCESS_DENIED`, `TARGET_CONFLICT` (a job of this name
        asks for something else), `CAPACITY`.
        """
        raise NotImplementedError

    @activity.defn(name="jobs.wait")
    def wait(self, request: WaitRequest) -> JobState:
        """Return when the job's phase differs from the one seen, or at once when it has ended.

        Safe to run twice. Heartbeats `JobState`. When the control plane cannot be reached, or answers anything but the
        job's state, the phase becomes `UNKNOWN` with `last_seen`. Final: `SOURCE_MISSING` (no such job).
        """
        raise NotImplementedError

    @activity.defn(name="jobs.collect")
    def collect(self, request: CollectRequest) -> JobOutputs:
        """Find what a succeeded job left and describe it.

        Safe to run twice. Heartbeats while it reads. Final: `SOURCE_MISSING` (an output holds nothing),
        `INVALID_REQUEST` (`metrics.json` is not flat numbers), both with the last lines of the job's log; `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="jobs.cancel")
    def cancel(self, ref: JobRef) -> JobState:
        """Stop the job and return when its control plane confirms the end.

        Safe to run twice; a job that has ended is left alone. Heartbeats `JobState`. Final: `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="jobs.find")
    def find(self, request: FindRequest) -> JobList:
        """List the jobs that carry a run's tags. Safe to run twice. Final: `ACCESS_DENIED`."""
        raise NotImplementedError

    @activity.defn(name="jobs.logs")
    def logs(self, request: LogRequest) -> LogPage:
        """Return lines of the job's log; what follows a page's token is neither repeated nor left out.

        Safe to run twice. Heartbeats while it waits for lines. Final: `SOURCE_MISSING`, `ACCESS_DENIED`.
        """
        raise NotImplementedError
