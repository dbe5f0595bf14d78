"""How a job is ended of which nobody knows more than what was asked for. No cloud lives here."""

from temporalio import activity

from contracts.jobs import JobList, JobRequest
from contracts.model import Message


class CloseRequest(Message):
    """A job that is not wanted any more, whether or not its submit was ever answered."""

    request: JobRequest
    """What was asked for: the job's name follows from it, and the tags of its run and stage."""
    under_way: bool = False
    """A submit was given up on without an answer, so a worker may be creating the job at this moment."""

    @property
    def stage(self) -> str:
        """The stage it belongs to."""
        return self.request.stage


class ClosingActivities:
    """What every cloud's job worker can do about jobs that must not go on."""

    @activity.defn(name="jobs.close")
    def close(self, request: CloseRequest) -> JobList:
        """Stop every job of this stage, by its name and by its tags, and return once each has really ended.

        With `under_way` the job is looked for again until it is there or no request for it can be in flight any
        more. Safe to run twice; jobs that have ended are left alone. Heartbeats while it waits. Final: `ACCESS_DENIED`.
        """
        raise NotImplementedError
