"""The workflow `job_logs`: fetches log lines of a job or a server for a person, by the worker that may read them."""

from datetime import timedelta

from temporalio import workflow

from contracts import presets
from contracts.endpoints import EndpointActivities, server_ref
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
    """Look for the job or server of `generation` here first: of earlier generations a run's status keeps no id."""
    generation: int = 0
    """0 is the newest."""


@workflow.defn(name=JOB_LOGS_WORKFLOW)
class JobLogsWorkflow:
    """One page of a log."""

    @workflow.run
    async def run(self, request: JobLogsRequest) -> LogPage:
        """Read the page.

        Raises:
            ApplicationError: `SOURCE_MISSING`, the stage has had no such generation.
        """
        asked = request.request
        if request.find is not None:
            asked = asked.model_copy(update={"ref": await self._found(request, request.find)})
        serves = asked.ref.kind == "deploy"
        return await workflow.execute_activity_method(
            EndpointActivities.logs if serves else JobActivities.logs,
            asked,
            task_queue=queue_of(request.connection),
            summary=f"log of {asked.ref.name}",
            **presets.quick(_SOON),
        )

    async def _found(self, request: JobLogsRequest, find: FindRequest) -> JobRef:
        serves = request.request.ref.kind == "deploy"
        refs = {ref.generation: ref for ref in await self._all(request, find, serves=serves)}
        wanted = request.generation or max(refs, default=0)
        if wanted not in refs:
            known = ", ".join(map(str, sorted(refs))) or "none"
            of = f" of generation {wanted}" if wanted else ""
            told = f"stage {find.stage} has no {'server' if serves else 'job'}{of}; there are: {known}"
            raise failure(ErrorKind.SOURCE_MISSING, told)
        return refs[wanted]

    async def _all(self, request: JobLogsRequest, find: FindRequest, *, serves: bool) -> list[JobRef]:
        summary = f"find generation {request.generation or 'that is newest'} of {find.stage}"
        on = queue_of(request.connection)
        if serves:
            servers = await workflow.execute_activity_method(
                EndpointActivities.find, find, task_queue=on, summary=summary, **presets.quick(_SOON)
            )
            return [server_ref(state.ref) for state in servers.endpoints]
        jobs = await workflow.execute_activity_method(
            JobActivities.find, find, task_queue=on, summary=summary, **presets.quick(_SOON)
        )
        return [state.ref for state in jobs.jobs]
