"""Finds out that nobody serves a queue, and says so on the stages that wait for it. It never fails anything."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import presets
from contracts.observed import Observed
from contracts.plan import QueueActivities, QueueReports, QueuesRequest
from contracts.queues import queue_of
from contracts.spec import PipelineSpec
from workflows.asked import requests_of_stage
from workflows.book import Book
from workflows.children import Children
from workflows.effects import Effects, Flight

FIRST_LOOK = timedelta(seconds=15)
LONGEST = timedelta(minutes=5)
"""Between looks while nothing new has started: a day of waiting then costs under 2 000 events."""
NOTE = "waiting for a worker on "


class AbsenceWatch:
    """Looks at the queues of activities in flight, quickly at first, then ever more rarely."""

    def __init__(
        self,
        spec: Callable[[], PipelineSpec],
        book: Book,
        effects: Effects,
        heard: Callable[[Observed], None],
    ) -> None:
        """Watch over this run, whose pipeline is this by then, and pass on what a look says of who else wants to know."""
        self._spec = spec
        self._book = book
        self._effects = effects
        self._heard = heard
        self.children: Children | None = None
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
            self._show({})

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
        self._heard(reports.observed)
        absent = [report.queue for report in reports.reports if report.absent]
        self._show({stage: queue for queue in absent for stage in self._waiting().get(queue, ())})

    def _show(self, absent: dict[str, str]) -> None:
        """Note the queue on each stage that waits for its worker, and take back what no longer holds."""
        for name, stage in self._book.status.stages.items():
            if name in absent and not stage.phase.ended:
                self._book.note(name, f"{NOTE}{absent[name]}")
            elif stage.note.startswith(NOTE):
                self._book.note(name, "")

    def _waiting(self) -> dict[str, set[str]]:
        """Stages by the queue they need now."""
        found: dict[str, set[str]] = {}
        for flight in self._effects.in_flight.values():
            found.setdefault(flight.queue, set()).update(self._stages_of(flight))
        if self.children:
            for queue, stage in self.children.queues():
                found.setdefault(queue, set()).add(stage)
        return found

    def _stages_of(self, flight: Flight) -> set[str]:
        spec = self._spec()
        if flight.stage in spec.stages:
            return {flight.stage}
        return {
            name
            for name in spec.stages
            for request in requests_of_stage(spec, name)
            if queue_of(request.connection) == flight.queue
        }
