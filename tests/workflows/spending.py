"""What tests of budgets share: a world with prices, a person who answers, and what the world has really cost."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

from contracts.approvals import Approval
from contracts.machines import HourPrice
from contracts.prices import EgressPrice, Tier
from contracts.runs import RunStatus
from tests.house import PATIENCE_SECONDS
from tests.workflows.play import Play, Run
from workflows.pipeline import PipelineWorkflow

HOURLY = HourPrice(
    per_hour=Decimal(10), currency="USD", region="here", as_of=date(2026, 11, 1), source="a test"
)
GB = 1_000_000_000


def per_gb(price: str) -> EgressPrice:
    return EgressPrice(
        currency="USD",
        tiers=(Tier(up_to_gb=None, per_gb=Decimal(price)),),
        as_of=date(2026, 11, 1),
        source="a test",
    )


async def answer(run: Run, stage: str, given: Any = "yes", **fields: Any) -> str:
    approval = Approval(stage=stage, answer=given, **fields)
    return str(await run.execute_update(PipelineWorkflow.approve, approval))


async def asked(play: Play, run: Run, stage: str) -> RunStatus:
    """How the run stands once a stage asks; time passes until then, and no further: nobody would answer."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status: RunStatus = await run.query(PipelineWorkflow.status)
            if stage in status.asking:
                return status
            if play.env.supports_time_skipping and any(one.job for one in status.stages.values()):
                await play.pass_time(minutes=2)
            await asyncio.sleep(0.02)


def question(status: RunStatus, stage: str) -> str:
    return status.asking[stage].question


async def really_spent(play: Play) -> Decimal:
    """What all machines have cost that the world has given out."""
    now = await play.env.get_current_time()
    total = Decimal(0)
    for job in play.world.jobs.values():
        state = job.state(now)
        total += HOURLY.cost(state.run_seconds or 0.0)
    return total
