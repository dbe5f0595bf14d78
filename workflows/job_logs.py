"""The workflow `job_logs`: fetches log lines for a person, by the worker that may read them."""

from datetime import timedelta

from temporalio import workflow

from contracts import presets
from contracts.jobs import JobActivities, LogPage, LogRequest
from contracts.model import Message
from contracts.queues import queue_of
from contracts.runs import JOB_LOGS_WORKFLOW


class JobLogsRequest(Message):
    """Whose log to read, and from where."""

    connection: str
    request: LogRequest


@workflow.defn(name=JOB_LOGS_WORKFLOW)
class JobLogsWorkflow:
    """One page of a job's log."""

    @workflow.run
    async def run(self, request: JobLogsRequest) -> LogPage:
        """Read the page."""
        return await workflow.execute_activity_method(
            JobActivities.logs,
            request.request,
            task_queue=queue_of(request.connection),
            summary=f"log of {request.request.ref.name}",
            **presets.quick(timedelta(minutes=1)),
        )
