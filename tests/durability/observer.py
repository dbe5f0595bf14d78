"""What Temporal itself says of a run while it is under way: which activity is in flight, and what its history holds."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from tests.house import Sandbox

Answer = TypeVar("Answer")
LOOK_SECONDS = 0.004
HISTORY_EVERY = 20
CALL = timedelta(seconds=3)
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED


class Observer:
    """Reads one sandbox's Temporal from a loop of its own, also while it is away."""

    def __init__(self, house: Sandbox) -> None:
        self._runner = asyncio.Runner()
        address = house.environment("starter")["TEMPORAL_ADDRESS"]
        self._client = self._runner.run(Client.connect(address))

    def close(self) -> None:
        self._runner.close()

    def until_in_flight(self, workflow_id: str, activity: str, seconds: float) -> None:
        """Return as soon as a worker holds this activity of this workflow, or has just had it: some take 10 ms."""
        looks = itertools.count(1)

        async def look() -> bool:
            if (activity, STARTED) in await self._pending(workflow_id):
                return True
            return next(looks) % HISTORY_EVERY == 0 and activity in await self._begun(workflow_id)

        self._runner.run(_until(look, f"{activity} of {workflow_id} in flight", seconds))

    def interrupted(self, workflow_id: str, activity: str) -> bool:
        """Whether the activity is still open: what died did so before it had ended."""

        async def look() -> bool:
            return activity in {kind for kind, _ in await self._pending(workflow_id)}

        return self._runner.run(look())

    def passed_on(self, workflow_id: str) -> bool:
        """Whether any activity has come to a further attempt that a worker holds or has ended, or all is over."""

        async def look() -> bool:
            handle = self._client.get_workflow_handle(workflow_id)
            told = await handle.describe(rpc_timeout=CALL)
            if told.status != WorkflowExecutionStatus.RUNNING:
                return True
            pending = told.raw_description.pending_activities
            if any(item.attempt > 1 and item.state == STARTED for item in pending):
                return True
            started = _started(await self._history(workflow_id))
            return any(event.activity_task_started_event_attributes.attempt > 1 for _, event in started)

        return self._runner.run(look())

    def until_answers(self, workflow_id: str, seconds: float) -> None:
        """Return as soon as the run answers a query: server and workflow worker are both at work."""

        async def look() -> bool:
            await self._client.get_workflow_handle(workflow_id).query("status", rpc_timeout=CALL)
            return True

        self._runner.run(_until(look, f"{workflow_id} answers", seconds))

    def attempts(self, workflow_id: str, activity: str) -> Iterator[tuple[int, datetime]]:
        """The attempt of each finished activity of a type, and when that attempt began."""
        for kind, event in _started(self._events(workflow_id)):
            if kind == activity:
                attempt = event.activity_task_started_event_attributes.attempt
                yield attempt, event.event_time.ToDatetime(tzinfo=UTC)

    def taken_up(self, workflow_id: str, activity: str, since: datetime) -> float | None:
        """Seconds until a further attempt of an activity began that finished; none when the first went on by itself."""
        later = [
            (began - since).total_seconds()
            for attempt, began in self.attempts(workflow_id, activity)
            if attempt > 1 and began > since
        ]
        return min(later, default=None)

    def told(self, workflow_id: str) -> str:
        """The history as a person reads it, a line per event, and what is still to end."""
        try:
            lines = [_line(event) for event in self._events(workflow_id)]
            description = self._runner.run(self._client.get_workflow_handle(workflow_id).describe())
        except RPCError as error:
            return f"{workflow_id}: {error}"
        pending = description.raw_description.pending_activities
        return "\n".join([workflow_id, *lines, *map(str, pending)])

    def children(self, workflow_id: str) -> list[str]:
        """The workflows that a workflow has started."""
        return [
            event.child_workflow_execution_started_event_attributes.workflow_execution.workflow_id
            for event in self._events(workflow_id)
            if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED
        ]

    def _events(self, workflow_id: str) -> list[HistoryEvent]:
        return self._runner.run(self._history(workflow_id))

    async def _history(self, workflow_id: str) -> list[HistoryEvent]:
        return list((await self._client.get_workflow_handle(workflow_id).fetch_history()).events)

    async def _begun(self, workflow_id: str) -> set[str]:
        return {kind for kind, _ in _started(await self._history(workflow_id))}

    async def _pending(self, workflow_id: str) -> set[tuple[str, int]]:
        handle = self._client.get_workflow_handle(workflow_id)
        found = (await handle.describe(rpc_timeout=CALL)).raw_description.pending_activities
        return {(item.activity_type.name, item.state) for item in found}


async def _until(look: Callable[[], Awaitable[bool]], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if await look():
                return
        except RPCError:
            # Not there yet, or on its way back up.
            await asyncio.sleep(0.05)
        await asyncio.sleep(LOOK_SECONDS)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


def _started(events: list[HistoryEvent]) -> Iterator[tuple[str, HistoryEvent]]:
    """The last start of each activity that has ended, with its type."""
    kinds = {
        event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    }
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            yield kinds[event.activity_task_started_event_attributes.scheduled_event_id], event


def _line(event: HistoryEvent) -> str:
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    told = getattr(event, event.WhichOneof("attributes") or "", None)
    words = [f"{event.event_time.ToDatetime():%H:%M:%S.%f} {event.event_id:4} {name}"]
    for field in ("activity_type", "attempt", "scheduled_event_id", "signal_name", "failure", "last_failure"):
        value = getattr(told, field, None)
        if value:
            words.append(f"{field}={getattr(value, 'name', None) or getattr(value, 'message', value)}")
    return " ".join(str(word)[:300] for word in words)
