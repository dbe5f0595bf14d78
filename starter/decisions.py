"""What people decide on stages that wait: answers to what they ask, and what becomes of those that failed."""

from contracts.approvals import Approval
from contracts.runs import StageDecision
from starter import temporal
from starter.exits import Exit
from starter.show import console
from starter.watch import UPDATES, user
from workflows.pipeline import PipelineWorkflow


async def decide(decision: str, run_id: str, stage: str, reason: str) -> Exit:
    """Decide on a waiting stage."""
    request = StageDecision(stage=stage, by=user(), reason=reason)
    console().print(await temporal.decide(await temporal.connected(), run_id, UPDATES[decision], request))
    return Exit.SUCCEEDED


async def approve(run_id: str, stage: str, answer: str, by: str | None, comment: str) -> Exit:
    """Answer what a stage asks."""
    approval = Approval(stage=stage, answer=answer, by=user() if by is None else by, comment=comment)
    told = await temporal.decide(await temporal.connected(), run_id, PipelineWorkflow.approve, approval)
    console().print(told, markup=False, soft_wrap=True)
    return Exit.SUCCEEDED
