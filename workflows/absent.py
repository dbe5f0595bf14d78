"""Finds out that nobody serves a queue, and says so on the stages that wait for it. It never fails anything."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import presets
from contracts.plan import QueueActivities, QueueReports, QueuesRequest
from contracts.queues import queue_of
from workflows.context import RunContext
from workflows.transfers import Transfers

FIRST_LOOK = timedelta(seconds=15)
LONGEST = timedelta(minutes=5)
"""Between looks while nothing new has started: a day of waiting then costs under 2 000 events."""
NOTE = "waiting for a worker on "


class AbsenceWatch:
    """Looks at the queues of activities in flight, quickly at first, then ever more rarely."""

    def __init__(self, context: RunContext, transfers: Transfers) -> None:
        """Watch over this run."""
        self.context = context
        self.transfers = transfers

    async def keep(self) -> None:
        """Look until cancelled."""
        effects = self.context.effects
        while True:
            await workflow.wait_condition(lambda: bool(self._waiting()))
            interval, begun = FIRST_LOOK, effects.started
            while self._waiting():
                await workflow.sleep(interval, summary="is a worker there?")
                await self._look()
                interval = FIRST_LOOK if effects.started != begun else min(LONGEST, interval * 1.5)
                begun = effects.started

    async def _look(self) -> None:
        waiting = self._waiting()
        if not waiting:
            return
        try:
            reports: QueueReports = await self.context.effects.local(
                QueueActivities.describe,
                QueuesRequest(queues=tuple(sorted(waiting))),
                preset=presets.local(),
                summary="is a worker there?",
            )
        except ActivityError as error:
            workflow.logger.warning("task queues could not be described: %s", error.cause)
            return
        for report in reports.reports:
            for stage in sorted(waiting[report.queue]):
                self._show(stage, report.queue, absent=report.absent)
        self.context.book.mirror()

    def _show(self, stage: str, queue: str, *, absent: bool) -> None:
        book = self.context.book
        if stage not in book.status.stages or book.stage(stage).phase.ended:
            return
        held = book.stage(stage).note
        if absent:
            book.note(stage, f"{NOTE}{queue}")
        elif held == f"{NOTE}{queue}":
            book.note(stage, "running")

    def _waiting(self) -> dict[str, set[str]]:
        """Stages by the queue they need now."""
        found: dict[str, set[str]] = {}
        for flight in self.context.effects.in_flight.values():
            found.setdefault(flight.queue, set()).add(flight.stage)
        for key in self.transfers.running:
            plan = self.context.plan.transfers[key]
            for connection in (plan.source, plan.destination):
                found.setdefault(queue_of(connection), set()).update(self._stages_of(key))
        return found

    def _stages_of(self, key: str) -> set[str]:
        return {
            name for name, placement in self.context.plan.placements.items() if key in placement.transfers
        }
