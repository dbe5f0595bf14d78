"""The workflow `sweep`: asks every connection what carries Causeway's marks, and stops what no live run owns."""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.plan import QueueActivities, QueueReports, QueuesRequest
from contracts.queues import WORKFLOW_QUEUE, queue_of
from contracts.runs import SWEEP_WORKFLOW
from contracts.sweeps import (
    ConnectionSweep,
    Orphan,
    Owner,
    OwnerActivities,
    OwnersRequest,
    SweepActivities,
    SweepEnd,
    SweepFindRequest,
    SweepItem,
    SweepPage,
    SweepReport,
    SweepRequest,
    SweepStopRequest,
)
from workflows.effects import brief
from workflows.failures import stage_error

PATIENCE = timedelta(minutes=10)
"""How long a connection's worker may take to answer one question."""
OWNERS = timedelta(minutes=1)
"""How long Temporal may take to say which runs live; without its word nothing is stopped."""
STOPPING = timedelta(hours=1)
"""How long a page of things may take to end: SageMaker gives a container 120 s, Vertex may take minutes."""
PAGES = 200
"""Of one connection in one sweep, so that its history stays short; what is left is found by the next one."""
SHOWN = 1000
"""Orphans that the report names; counts tell of all."""


@workflow.defn(name=SWEEP_WORKFLOW)
class SweepWorkflow:
    """Finds orphans on connections whose workers are there, and stops them if asked to."""

    @workflow.init
    def __init__(self, request: SweepRequest) -> None:
        """Begin with nothing found."""
        self.request = request
        self.began = workflow.now()
        self.orphans: list[Orphan] = []

    @workflow.run
    async def run(self, request: SweepRequest) -> SweepReport:
        """Sweep every connection; one that cannot be swept is told of and does not keep the others."""
        absent = await self._absent()
        swept = await asyncio.gather(
            *(
                self._nobody(connection) if queue_of(connection) in absent else self._sweep(connection)
                for connection in request.connections
            )
        )
        return SweepReport(
            began=self.began,
            older_than=request.older_than,
            stop=request.stop,
            connections=tuple(swept),
            orphans=tuple(self.orphans),
        )

    async def _absent(self) -> set[str]:
        """Return the queues that nobody serves."""
        reports: QueueReports = await workflow.execute_activity_method(
            QueueActivities.describe,
            QueuesRequest(queues=tuple(sorted({queue_of(name) for name in self.request.connections}))),
            task_queue=WORKFLOW_QUEUE,
            summary="which workers are there?",
            **presets.local(),
        )
        return {report.queue for report in reports.reports if report.absent}

    async def _nobody(self, connection: str) -> ConnectionSweep:
        words = f"no worker serves {queue_of(connection)}; start it and sweep again"
        return ConnectionSweep(connection=connection, trouble=words)

    async def _sweep(self, connection: str) -> ConnectionSweep:
        swept, after = ConnectionSweep(connection=connection), None
        try:
            for _ in range(PAGES):
                page = await self._page(connection, after)
                swept = await self._judged(swept, page)
                after = page.next_after
                if after is None:
                    return swept
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            said = stage_error(error)
            return swept.model_copy(update={"trouble": f"{said.kind}: {said.message}"})
        return swept.model_copy(update={"trouble": "there is more than one sweep looks at; sweep again"})

    async def _page(self, connection: str, after: str | None) -> SweepPage:
        request = self.request
        return await workflow.execute_activity_method(
            SweepActivities.find,
            SweepFindRequest(older_than=request.older_than, run_uid=request.run_uid, after=after),
            task_queue=queue_of(connection),
            summary=brief(f"what runs left on {connection}"),
            **presets.quick(PATIENCE),
        )

    async def _judged(self, swept: ConnectionSweep, page: SweepPage) -> ConnectionSweep:
        """Leave what is owned, and stop the rest if that is wanted."""
        owners = await self._owners(page)
        limit = workflow.now() - self.request.older_than
        left = [item for item in page.items if not _owned(item, owners)]
        old = [item for item in left if _old(item, owners, limit)]
        ends = await self._stopped(swept.connection, old)
        orphans = [_orphan(swept.connection, item, owners, ends) for item in old]
        self.orphans += orphans[: SHOWN - len(self.orphans)]
        stopped = sum(1 for orphan in orphans if orphan.state == "stopped")
        return swept.model_copy(
            update={
                "found": swept.found + len(old),
                "stopped": swept.stopped + stopped,
                "younger": swept.younger + page.younger + len(left) - len(old),
                "owned": swept.owned + len(page.items) - len(left),
            }
        )

    async def _owners(self, page: SweepPage) -> dict[str, Owner]:
        """Ask which of the runs live, after everything of the page was seen: a run lives before what it makes."""
        run_uids = tuple(sorted({item.run_uid for item in page.items if item.run_uid}))
        if not run_uids:
            return {}
        told = await workflow.execute_activity_method(
            OwnerActivities.owners,
            OwnersRequest(run_uids=run_uids),
            task_queue=WORKFLOW_QUEUE,
            summary="which runs live?",
            **presets.local(OWNERS),
        )
        return {owner.run_uid: owner for owner in told.owners}

    async def _stopped(self, connection: str, items: list[SweepItem]) -> dict[tuple[str, str], SweepEnd]:
        wanted = tuple(item for item in items if item.run_uid or item.abandoned)
        if not self.request.stop or not wanted:
            return {}
        answer = await workflow.execute_activity_method(
            SweepActivities.stop,
            SweepStopRequest(items=wanted),
            task_queue=queue_of(connection),
            summary=brief(f"stop {len(wanted)} on {connection}"),
            **presets.stopping(STOPPING),
        )
        return {(end.kind, end.id): end for end in answer.ends}


def _owned(item: SweepItem, owners: dict[str, Owner]) -> bool:
    return bool(item.run_uid) and owners[item.run_uid].live


def _old(item: SweepItem, owners: dict[str, Owner], limit: datetime) -> bool:
    """Whether it is old enough; what does not tell its age is as old as the end of its run, if anybody knows that."""
    if item.since is not None:
        return True
    closed = owners[item.run_uid].closed_at if item.run_uid else None
    return closed is not None and closed <= limit


def _orphan(
    connection: str, item: SweepItem, owners: dict[str, Owner], ends: dict[tuple[str, str], SweepEnd]
) -> Orphan:
    run = owners[item.run_uid].workflow_id if item.run_uid else ""
    if not item.run_uid and not item.abandoned:
        words = "it carries no run's mark; look whose it is, and remove it by hand"
        words += f": {item.by_hand}" if item.by_hand else ""
        return Orphan(connection=connection, item=item, state="kept", message=words)
    end = ends.get((item.kind, item.id))
    if end is None:
        return Orphan(connection=connection, item=item, run=run)
    state = "stopped" if end.stopped else "failed"
    return Orphan(connection=connection, item=item, run=run, state=state, message=end.message)
