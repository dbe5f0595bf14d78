"""The peer: a workflow of Temporal alone with as many no-op activities."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "bench"
FAR = "bench-far"
"""A queue that the workflows' worker does not serve, as a cloud's is: an activity here is never started eagerly."""


@activity.defn(name="bench.nothing")
def nothing() -> None:
    """Do nothing. Safe to run twice; heartbeats nothing; never fails."""


@workflow.defn(name="bench")
class BareWorkflow:
    """Calls no-op activities one after the other."""

    @workflow.run
    async def run(self, activities: int, queue: str = QUEUE) -> int:
        """Return how many it called on this queue."""
        for _ in range(activities):
            await _call(queue)
        return activities


@workflow.defn(name="bench_fanout")
class BareFanout:
    """Calls so many no-op activities for each of many items, in lanes."""

    @workflow.run
    async def run(self, how: list[int], queue: str = QUEUE) -> int:
        """Take items, lanes and activities an item; return how many activities it called on this queue."""
        items, lanes, activities = how
        left = iter(range(items))

        async def lane() -> None:
            for _ in left:
                for _ in range(activities):
                    await _call(queue)

        await asyncio.gather(*(lane() for _ in range(lanes)))
        return items * activities


async def _call(queue: str) -> None:
    await workflow.execute_activity(nothing, task_queue=queue, start_to_close_timeout=timedelta(seconds=30))
