"""The peer: a workflow of Temporal alone with as many no-op activities."""

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
