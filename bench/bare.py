"""The peer: a workflow of Temporal alone with as many no-op activities."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "bench"


@activity.defn(name="bench.nothing")
def nothing() -> None:
    """Do nothing. Safe to run twice; heartbeats nothing; never fails."""


@workflow.defn(name="bench")
class BareWorkflow:
    """Calls no-op activities one after the other."""

    @workflow.run
    async def run(self, activities: int) -> int:
        """Return how many it called."""
        for _ in range(activities):
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=30))
        return activities


@workflow.defn(name="bench_fanout")
class BareFanout:
    """Calls so many no-op activities for each of many items, in lanes."""

    @workflow.run
    async def run(self, how: list[int]) -> int:
        """Take items, lanes and activities an item; return how many activities it called."""
        items, lanes, activities = how
        left = iter(range(items))

        async def lane() -> None:
            for _ in left:
                for _ in range(activities):
                    await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=30))

        await asyncio.gather(*(lane() for _ in range(lanes)))
        return items * activities
