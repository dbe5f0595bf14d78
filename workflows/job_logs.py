"""The workflow `job_logs`: fetches log lines for a person, by the worker that may read them."""

from datetime import timedelta

from temporalio import workflow

from contracts import presets
from contracts.errors import ErrorKind, failure
from contracts.job_activities import JobActivities
from contracts.jobs import FindRequest, JobRef, LogPage, LogRequest
from contracts.model import Message
from contracts.queues import queue_of
from contracts.runs import JOB_LOGS_WORKFLOW

_SOON = timedelta(minutes=1)
"""A person waits: a worker that is away shows within this time."""


class JobLogsRequest(Message):
    """Whose log to read, and from where."""

    connection: str
    request: LogRequest
    find: FindRequest | None = None
    """Look for the job of `generation` here first: of earlier generations a run's status keeps no id."""
    generation: int = 0
    """0 is the newest."""


@workflow.defn(name=JOB_LOGS_WORKFLOW)
class JobLogsWorkflow:
    """One page of a job's log."""

    @workflow.run
    async def run(self, request: JobLogsRequest) -> LogPage:
        """Read the page.

        Raises:
            ApplicationError: `SOURCE_MISSING`, the stage has had no such generation.
        """
        asked = request.request
        if request.find is not None:
            asked = asked.model_copy(update={"ref": await self._found(request, request.find)})
        return await workflow.execute_activity_method(
            JobActivities.logs,
            asked,
            task_queue=queue_of(request.connection),
            summary=f"log of {asked.ref.name}",
            **presets.quick(_SOON),
        )

    async def _found(self, request: JobLogsRequest, find: FindRequest) -> JobRef:
        found = await workflow.execute_activity_method(
            JobActivities.find,
            find,
            task_queue=queue_of(request.connection),
            summary=f"find generation {request.generation or 'that is newest'} of {find.stage}",
            **presets.quick(_SOON),
        )
        refs = {state.ref.generation: state.ref for state in found.jobs}
        wanted = request.generation or max(refs, default=0)
        if wanted not in refs:
            known = ", ".join(map(str, sorted(refs))) or "none"
            of = f" of generation {wanted}" if wanted else ""
            told = f"stage {find.stage} has no job{of}; there are: {known}"
            raise failure(ErrorKind.SOURCE_MISSING, told)
        return refs[wanted]
