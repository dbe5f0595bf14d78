"""What a step does about money before it begins and once it has ended: jobs, items, endpoints, queries."""

from datetime import datetime
from decimal import Decimal

from temporalio import workflow

from contracts.artifacts import Artifact
from contracts.fanout import FanoutResult
from contracts.stages import JobStage
from workflows.charges import of_endpoint
from workflows.context import RunContext
from workflows.costs import (
    endpoint_step,
    items_step,
    job_cost,
    job_step,
    query_step,
)

ENDPOINTS_CHARGED = "endpoints-charged"
"""Runs that began before endpoints were charged do not charge them, or their histories could not be replayed."""


async def begin_job(context: RunContext, name: str) -> None:
    """Return once the next generation of a job may begin.

    Raises:
        StageFailed: a person said no, or nobody may let it pass.
    """
    if context.budget and context.budget.is_bounded:
        await context.budget.begin(job_step(context, name, context.book.stage(name).attempts + 1))


def end_job(context: RunContext, name: str) -> None:
    """Have the generation that has ended for certain count with what it came to."""
    context.count(context.book.stage(name).job)
    if context.budget:
        held = context.book.stage(name)
        context.budget.end(f"{name}/g{held.attempts}", job_cost(context, name))


async def begin_items(
    context: RunContext, name: str, stage: JobStage, inputs: dict[str, Artifact], round_: int
) -> None:
    """Return once all items of a stage may begin: as many as there are, each as often as it may be tried.

    Raises:
        StageFailed: as `begin_job`.
    """
    if context.budget and context.budget.is_bounded:
        await context.budget.begin(items_step(context, name, stage, inputs, round_))


def end_items(context: RunContext, name: str, round_: int, result: FanoutResult | None) -> None:
    """Have the items of a stage count with what their jobs came to, as far as that is known."""
    machine = context.placement(name).machine
    price = machine.price if machine else None
    seconds = result.job_seconds if result else None
    if context.budget:
        cost = price.cost(seconds) if price and seconds is not None else None
        none_began = result is not None and result.generations > 0
        context.budget.end(f"{name}/r{round_}", Decimal(0) if none_began else cost)


async def begin_endpoint(context: RunContext, name: str) -> None:
    """Return once an endpoint may be deployed: nothing bounds what it costs, so that a run with a budget asks.

    Raises:
        StageFailed: as `begin_job`.
    """
    if context.budget and context.budget.counts_money:
        await context.budget.begin(endpoint_step(context, name, context.book.stage(name).attempts + 1))


def end_endpoint(context: RunContext, name: str, generation: int, began: datetime | None) -> None:
    """Have an endpoint that costs this run nothing more count with the time since it was asked for, and charge it.

    None is the beginning of one of which nobody knows when it was asked for.
    """
    placement = context.placement(name)
    price = placement.machine.price if placement.machine else None
    if context.budget:
        cost = price.cost((workflow.now() - began).total_seconds()) if price and began else None
        context.budget.end(f"{name}/e{generation}", cost)
    if context.charging and began is not None and workflow.patched(ENDPOINTS_CHARGED):
        context.charging.add(
            of_endpoint(context.run, name, generation, placement.connection, placement.machine, began)
        )


def end_refused(context: RunContext, name: str, generation: int) -> None:
    """Have an endpoint count with nothing that never had a machine."""
    if context.budget:
        context.budget.end(f"{name}/e{generation}", Decimal(0))


async def begin_query(context: RunContext, name: str) -> None:
    """Return once a query may begin, where what it reads is billed.

    Raises:
        StageFailed: as `begin_job`.
    """
    step = query_step(context, name, context.book.stage(name).attempts + 1)
    if context.budget and context.budget.counts_money and step:
        await context.budget.begin(step)


def end_query(context: RunContext, name: str, cost: Decimal | None) -> None:
    """Have a query that has ended count with what it was billed for; None where nobody said."""
    if context.budget:
        context.budget.end(f"{name}/q{context.book.stage(name).attempts}", cost)
