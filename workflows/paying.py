"""What a step does about money before it begins and once it has ended: jobs, items, endpoints, queries, transfers."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutError,
    is_cancelled_exception,
)

from contracts import presets
from contracts.artifacts import Artifact
from contracts.errors import ErrorKind
from contracts.fanout import FanoutResult
from contracts.ledger import (
    LedgerActivities,
    ReleaseRequest,
    Reserved,
    ReserveRequest,
    leaves_cloud,
    reservation_of,
)
from contracts.limits import Caps
from contracts.plan import TransferPlan
from contracts.runs import TransferResult
from contracts.stages import JobStage
from workflows.budget import Budget, Step
from workflows.charges import of_endpoint
from workflows.context import RunContext
from workflows.costs import (
    endpoint_step,
    items_step,
    job_cost,
    job_step,
    query_step,
    transfer_cost,
    transfer_step,
)
from workflows.failures import stage_error
from workflows.outcomes import StageFailed
from workflows.weighing import weigh

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
        context.budget.end(f"{name}/r{round_}", cost)


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


@dataclass(frozen=True)
class Fare:
    """What a transfer may send, as it was agreed before it began."""

    caps: Caps
    size_bytes: int | None = None
    """What the source may weigh; None where that bounds nothing."""
    before: int | None = None
    """What the month had sent before it; None where nobody knows."""


async def begin_transfer(
    context: RunContext, key: str, plan: TransferPlan, stage: str, source_uri: str, artifact: Artifact | None
) -> Fare:
    """Return once a transfer may begin, with what it may send at most.

    Raises:
        StageFailed: as `begin_job`.
        ActivityError: what it would send cannot be found out, or the ledger that a limit of the month needs is away.
    """
    budget = context.budget
    leaves = leaves_cloud(plan.source, plan.destination)
    if not budget or not budget.is_bounded or plan.method == "local":
        return Fare(plan.caps)
    if not leaves and not budget.counts_money:
        return Fare(plan.caps)
    size, whole = await _size(context, plan, stage, source_uri, artifact)
    known = transfer_step(key, plan, stage, size, None, whole=whole)
    before = await _reserved(context, budget, known, plan) if leaves else 0
    try:
        await budget.begin(transfer_step(key, plan, stage, size, before, whole=whole))
    except StageFailed:
        if leaves:
            await _released(context, key)
        raise
    # What an earlier stage left is pinned by its digest; a source of somebody else may grow.
    agreed = size if whole and artifact is None else None
    return Fare(plan.caps.model_copy(update={"listed_bytes": agreed}), agreed, before)


async def outgrown(
    context: RunContext,
    plan: TransferPlan,
    fare: Fare,
    stage: str,
    source_uri: str,
    error: ChildWorkflowError,
) -> bool:
    """Whether a transfer was stopped since its source weighs more than was agreed; then it can be agreed on again.

    Raises:
        ActivityError: the source cannot be weighed any more.
    """
    if fare.size_bytes is None or stage_error(error).kind != ErrorKind.BUDGET_EXCEEDED:
        return False
    size, whole = await _size(context, plan, stage, source_uri, None)
    return size > fare.size_bytes or not whole


def end_transfer(
    context: RunContext, key: str, plan: TransferPlan, fare: Fare, result: TransferResult
) -> None:
    """Have a transfer count with what it sent."""
    if context.budget:
        leaves = leaves_cloud(plan.source, plan.destination)
        cost = _sent_cost(plan, fare, result.size_bytes)
        context.budget.end(key, cost, result.size_bytes if leaves else 0)


def end_unfinished(
    context: RunContext, key: str, plan: TransferPlan, fare: Fare, error: ChildWorkflowError
) -> None:
    """Have a transfer that did not reach its end count with what it said it had sent.

    One that could say nothing, since it was terminated, counts with all that it might have sent.
    """
    held = context.budget.reserved(key) if context.budget else None
    if context.budget is None or held is None:
        return
    sent = context.charging.heard(reservation_of(context.run.run_uid, key)) if context.charging else 0
    cost = _sent_cost(plan, fare, sent)
    if isinstance(error.cause, TerminatedError | TimeoutError):
        sent, cost = held.size_bytes, None
    context.budget.end(key, cost, sent if leaves_cloud(plan.source, plan.destination) else 0)


def _sent_cost(plan: TransferPlan, fare: Fare, size_bytes: int) -> Decimal | None:
    """What was sent has cost; None where nobody knows its price. Nothing costs nothing."""
    if not size_bytes:
        return Decimal(0)
    return transfer_cost(plan.price, size_bytes, fare.before) if plan.price else None


async def _size(
    context: RunContext, plan: TransferPlan, stage: str, source_uri: str, artifact: Artifact | None
) -> tuple[int, bool]:
    if artifact:
        return artifact.size_bytes, True
    context.book.note(stage, f"weighing {source_uri}")
    preset = presets.quick(context.timeout(stage))
    return await weigh(context.effects, plan.source, source_uri, plan.include, plan.exclude, preset, stage)


async def _reserved(context: RunContext, budget: Budget, step: Step, plan: TransferPlan) -> int | None:
    """Count what a transfer may send into the month; return what had been sent before, None where no ledger answers."""
    request = ReserveRequest(
        id=reservation_of(context.run.run_uid, step.id),
        run_uid=context.run.run_uid,
        source=plan.source,
        destination=plan.destination,
        size_bytes=step.size_bytes,
    )
    for cap in budget.month:
        reserved = await _reserve(context, request.model_copy(update={"limit_bytes": cap.size_bytes}))
        if not reserved.granted:
            await budget.exceed_month(step, cap, reserved.month)
    try:
        return (await _reserve(context, request)).before_bytes
    except ActivityError as error:
        if is_cancelled_exception(error) or budget.month:
            raise
        return None


async def _reserve(context: RunContext, request: ReserveRequest) -> Reserved:
    answer: Reserved = await context.effects.local(
        LedgerActivities.reserve, request, preset=presets.local(), summary="count what it may send"
    )
    return answer


async def _released(context: RunContext, key: str) -> None:
    """Let go what was counted for a transfer that does not begin; if no ledger answers, it is let go with the run."""
    run_uid = context.run.run_uid
    request = ReleaseRequest(run_uid=run_uid, id=reservation_of(run_uid, key))
    try:
        await context.effects.local(
            LedgerActivities.release, request, preset=presets.local(), summary="it sends nothing"
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
