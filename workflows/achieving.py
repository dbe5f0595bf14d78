"""What a stage comes to: what another run left that did the same, what running it leaves, here or elsewhere."""

from workflows.adopting import fingerprint_of, found_kept, keep, taken_over
from workflows.children import Children
from workflows.context import RunContext
from workflows.failover import Failover
from workflows.outcomes import Outcome, StageFailed
from workflows.replanning import replan
from workflows.stages import run_stage


async def outcome_of(context: RunContext, children: Children, name: str, failover: Failover) -> Outcome:
    """Return what a stage comes to; a job that its place has no machine for goes on at another of its places.

    Raises:
        StageFailed: it is out of retries, and of places.
        ActivityError, ChildWorkflowError: something it needs could not be done.
    """
    while True:
        mark = fingerprint_of(context, name)
        taken = await taken_over(context, name, mark) or await found_kept(context, name, mark)
        if taken:
            return taken
        await replan(context, name)
        try:
            outcome = await run_stage(context, children, name)
        except StageFailed as failure:
            if not await failover.moved(name, failure):
                raise
        else:
            outcome = outcome.model_copy(update={"fingerprint": mark})
            await keep(context, name, outcome)
            return outcome
