"""Finds out that nobody serves a queue, and says so on the stages that wait for it. It never fails anything."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import presets
from contracts.plan import QueueActivities, QueueReports, QueuesRequest
from contracts.queues import queue_of
from contracts.spec import PipelineSpec
from workflows.book import Book
from workflows.effects import Effects, Flight
from workflows.preflight import requests_of_stage
from workflows.transfers import Transfers

FIRST_LOOK = timedelta(seconds=15)
LONGEST = timedelta(minutes=5)
"""Between looks while nothing new has started: a day of waiting then costs under 2 000 events."""
NOTE = "waiting for a worker on "


class AbsenceWatch:
    """Looks at the queues of activities in flight, quickly at first, then ever more rarely."""

    def __init__(self, spec: PipelineSpec, book: Book, effects: Effects) -> None:
        """Watch over this run."""
        self._spec = spec
        self._book = book
        self._effects = effects
        self.transfers: Transfers | None = None
        """Set once the plan is made."""

    async def keep(self) -> None:
        """Look until cancelled."""
        while True:
            await workflow.wait_condition(lambda: bool(self._waiting()))
            interval, begun = FIRST_LOOK, self._effects.started
            while self._waiting():
                await workflow.sleep(interval, summary="is a worker there?")
                await self._look()
                interval = FIRST_LOOK if self._effects.started != begun else min(LONGEST, interval * 1.5)
                begun = self._effects.started

    async def _look(self) -> None:
        waiting = self._waiting()
        if not waiting:
            return
        try:
            reports: QueueReports = await self._effects.local(
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
        self._book.mirror()

    def _show(self, stage: str, queue: str, *, absent: bool) -> None:
        if self._book.stage(stage).phase.ended:
            return
        if absent:
            self._book.note(stage, f"{NOTE}{queue}")
        elif self._book.stage(stage).note == f"{NOTE}{queue}":
            self._book.note(stage, "")

    def _waiting(self) -> dict[str, set[str]]:
        """Stages by the queue they need now."""
        found: dict[str, set[str]] = {}
        for flight in self._effects.in_flight.values():
            found.setdefault(flight.queue, set()).update(self._stages_of(flight))
        if self.transfers:
            for queue, stage in self.transfers.queues():
                found.setdefault(queue, set()).add(stage)
        return found

    def _stages_of(self, flight: Flight) -> set[str]:
        if flight.stage in self._spec.stages:
            return {flight.stage}
        return {
            name
            for name in self._spec.stages
            for request in requests_of_stage(self._spec, name)
            if queue_of(request.connection) == flight.queue
        }
