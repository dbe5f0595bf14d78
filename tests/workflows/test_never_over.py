"""No run spends more than its budget and what people allowed on top, whatever its graph, its jobs and the answers are."""

import asyncio
import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunStatus
from tests.fakes.lives import Life
from tests.workflows.play import Play, Run, spec_of
from tests.workflows.spending import HOURLY, answer, really_spent
from workflows.pipeline import PipelineWorkflow

STAGES = 7
RUNS = 12
STOPPING = STAGES * 2 * HOURLY.cost(2)
"""Two seconds of every generation."""


def graph(chance: random.Random) -> dict[str, Any]:
    """Stages of which each comes after some before it; most run side by side."""
    found: dict[str, Any] = {}
    for index in range(STAGES):
        after = [f"s{other}" for other in range(index) if chance.random() < 0.2]
        found[f"s{index}"] = {
            "on": chance.choice(["aws", "gcp"]),
            "after": after,
            "timeout": f"{chance.choice([20, 40, 60])}m",
            "retries": chance.choice([0, 0, 1]),
            "on_failure": "skip",
        }
    return found


def life(chance: random.Random) -> Life:
    """Some take longer than they may, and some fail."""
    runs = timedelta(minutes=chance.choice([1, 5, 15, 30, 80]))
    if chance.random() < 0.2:
        return Life(runs=runs, end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
    return Life(runs=runs)


async def answered(play: Play, run: Run, chance: random.Random) -> None:
    """A person who says yes to some and no to others, as long as the run goes on; time passes in between."""
    while True:
        status: RunStatus = await run.query(PipelineWorkflow.status)
        if status.phase.ended:
            return
        for stage in status.asking:
            # What is withdrawn meanwhile is refused.
            with_luck = "yes" if chance.random() < 0.5 else "no"
            await asyncio.gather(answer(run, stage, with_luck), return_exceptions=True)
        await play.pass_time(minutes=3)


@pytest.mark.parametrize("seed", range(RUNS))
async def test_no_run_spends_more_than_its_budget_and_what_was_allowed(play: Play, seed: int) -> None:
    chance = random.Random(seed)
    play.world.hour_price = HOURLY
    stages = graph(chance)
    play.world.lives = {name: [life(chance), life(chance)] for name in stages}
    budget = Decimal(chance.choice([4, 10, 25]))
    run = await play.start(spec_of(stages, budget=f"{budget} USD"))
    await answered(play, run, chance)
    status = await play.result(run)
    spending = status.spending
    assert spending is not None
    assert spending.held == {}
    # A job is stopped at its timeout, and has run for some moments more by the time that it has ended.
    assert spending.spent <= budget + spending.raised + STOPPING
    assert abs(spending.spent - await really_spent(play)) < STOPPING
