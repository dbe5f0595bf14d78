"""The one way a workflow touches the world: gated by the checkpoint, bounded by a preset, counted while in flight."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.workflow import ActivityCancellationType

from contracts.job_activities import JobActivities
from contracts.presets import Preset
from contracts.queues import WORKFLOW_QUEUE, queue_of
from workflows.checkpoint import Checkpoint

Request = TypeVar("Request")
Response = TypeVar("Response")
SUMMARY_LIMIT_BYTES = 200
"""Longer summaries have been reported as rejected by servers."""
_GOES_ON = JobActivities.wait


@dataclass(frozen=True)
class Flight:
    """An activity that was scheduled and has not ended."""

    stage: str
    queue: str
    drains: bool
    """Whether a pause waits for it."""


class Effects:
    """Calls activities for one run."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Gate everything by this checkpoint."""
        self.checkpoint = checkpoint
        self.in_flight: dict[int, Flight] = {}
        self.started = 0

    async def call(
        self,
        method: Callable[[Any, Request], Response],
        request: Request,
        *,
        on: str,
        preset: Preset,
        stage: str,
        summary: str,
        gated: bool = True,
    ) -> Response:
        """Run an activity of a connection's worker and return its answer, or raise its `ActivityError`.

        `gated=False` is for clean-up, which a pause must not hold up.
        """
        if gated:
            await self.checkpoint.passed()
        queue = queue_of(on)
        self.started += 1
        ticket = self.started
        self.in_flight[ticket] = Flight(stage=stage, queue=queue, drains=method is not _GOES_ON)
        try:
            return await workflow.execute_activity_method(
                method,
                request,
                task_queue=queue,
                summary=brief(f"{stage}: {summary}"),
                cancellation_type=_cancellation(method),
                **preset,
            )
        finally:
            del self.in_flight[ticket]

    async def local(
        self, method: Callable[[Any, Request], Any], request: Request, *, preset: Preset, summary: str
    ) -> Any:
        """Run an activity that needs no cloud on the workflows' own queue."""
        return await workflow.execute_activity_method(
            method, request, task_queue=WORKFLOW_QUEUE, summary=brief(summary), **preset
        )

    @property
    def draining(self) -> bool:
        """Whether anything that a pause waits for is still in flight."""
        return any(flight.drains for flight in self.in_flight.values())


def brief(text: str) -> str:
    """Cut a summary to what every server takes."""
    return text.encode()[:SUMMARY_LIMIT_BYTES].decode(errors="ignore")


def _cancellation(method: object) -> ActivityCancellationType:
    # A watch has nothing to clean up; everything else must be over before a clean-up looks at what it left.
    return (
        ActivityCancellationType.TRY_CANCEL
        if method is _GOES_ON
        else ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
    )
