"""The workflow `check`: has every connection look at itself, all at once, by the identity that does the work."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutType,
    is_cancelled_exception,
)
from temporalio.exceptions import (
    TimeoutError as TemporalTimeout,
)

from contracts import presets
from contracts.checks import CheckActivities, Checked, CheckLine, CheckReport, CheckRequest, CheckWanted
from contracts.plan import QueueActivities, QueueReports, QueuesRequest
from contracts.queues import WORKFLOW_QUEUE, cloud_of, queue_of
from contracts.runs import CHECK_WORKFLOW
from workflows.failures import stage_error

PATIENCE = timedelta(seconds=10)
"""For a worker to take the question up: one that polls does so at once."""
UNREGISTERED = "NotFoundError"
"""What Temporal's SDK answers for a worker that has no activity of a name."""
LOOKING = timedelta(seconds=45)
"""For all looks of a connection; each is bounded by itself, and they go on at once."""


@workflow.defn(name=CHECK_WORKFLOW)
class CheckWorkflow:
    """Asks the connections; one that nobody serves, or whose worker fails, is a line and keeps no other waiting."""

    @workflow.run
    async def run(self, wanted: CheckWanted) -> Checked:
        """Return a report for each connection, in the order asked."""
        absent = await self._absent(wanted)
        reports = await asyncio.gather(
            *(
                self._nobody(request.connection)
                if queue_of(request.connection) in absent
                else self._asked(request)
                for request in wanted.requests
            )
        )
        return Checked(reports=tuple(reports))

    async def _absent(self, wanted: CheckWanted) -> set[str]:
        queues = tuple(sorted({queue_of(request.connection) for request in wanted.requests}))
        reports: QueueReports = await workflow.execute_activity_method(
            QueueActivities.describe,
            QueuesRequest(queues=queues),
            task_queue=WORKFLOW_QUEUE,
            summary="which workers are there?",
            **presets.local(),
        )
        return {report.queue for report in reports.reports if report.absent}

    async def _asked(self, request: CheckRequest) -> CheckReport:
        try:
            return await workflow.execute_activity_method(
                CheckActivities.check,
                request,
                task_queue=queue_of(request.connection),
                summary=f"look at {request.connection}",
                **presets.looking(PATIENCE, LOOKING),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            cause = error.cause
            if isinstance(cause, TemporalTimeout) and cause.type is TimeoutType.SCHEDULE_TO_START:
                return await self._nobody(request.connection)
            if isinstance(cause, ApplicationError) and cause.type == UNREGISTERED:
                return _older(request.connection)
            said = stage_error(error)
            line = CheckLine(
                check="worker",
                subject=queue_of(request.connection),
                verdict="unreachable",
                found=f"{said.kind}: {said.message}",
                why="Nothing of the connection could be looked at.",
                fix=said.hint or "look into the worker's log, and check again",
            )
            return CheckReport(connection=request.connection, lines=(line,))

    async def _nobody(self, connection: str) -> CheckReport:
        _, _, name = connection.partition("/")
        named = "" if name in {"", "default"} else f" --connection {name}"
        line = CheckLine(
            check="worker",
            subject=queue_of(connection),
            verdict="unreachable",
            found=f"no worker serves {queue_of(connection)}",
            why=f"Stages that run on {connection} wait until there is one.",
            fix=f"python -m workers {cloud_of(connection)}{named}",
        )
        return CheckReport(connection=connection, lines=(line,))


def _older(connection: str) -> CheckReport:
    line = CheckLine(
        check="worker",
        subject=queue_of(connection),
        verdict="unknown",
        found="it is there, and knows no check",
        why="Nothing of the connection could be looked at; its runs are looked at before they start, as ever.",
        fix="update it to a version that has one",
    )
    return CheckReport(connection=connection, lines=(line,))
