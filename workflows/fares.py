"""What a transfer agrees on before it begins, with the month and with the budget, and what it came to."""

from dataclasses import dataclass
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
from contracts.ledger import (
    LedgerActivities,
    ReleaseRequest,
    Reserved,
    ReserveRequest,
    leaves_cloud,
    month_of,
    reservation_of,
)
from contracts.limits import Caps
from contracts.plan import TransferPlan
from contracts.prices import GB
from contracts.runs import TransferResult
from workflows.budget import Budget, Step
from workflows.context import RunContext
from workflows.costs import transfer_cost, transfer_step
from workflows.failures import stage_error
from workflows.outcomes import StageFailed
from workflows.weighing import weigh


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
    while True:
        month = month_of(workflow.now())
        before = await _agreed(context, key, plan, stage, size, whole=whole)
        # A person may have taken until another month to answer: that one has counted nothing of it yet.
        if not leaves or month_of(workflow.now()) == month:
            break
    # What an earlier stage left is pinned by its digest; a source of somebody else may grow.
    agreed = size if whole and artifact is None else None
    return Fare(plan.caps.model_copy(update={"listed_bytes": agreed}), agreed, before)


async def _agreed(
    context: RunContext, key: str, plan: TransferPlan, stage: str, size: int, *, whole: bool
) -> int | None:
    """Return what counts as sent before a transfer, once it is counted into the month and may begin."""
    budget, leaves = context.budget, leaves_cloud(plan.source, plan.destination)
    assert budget is not None  # noqa: S101 - asked before
    try:
        known = transfer_step(key, plan, stage, size, None, whole=whole)
        before = await _reserved(context, budget, known, plan) if leaves else 0
        await budget.begin(transfer_step(key, plan, stage, size, before, whole=whole))
    except StageFailed:
        if leaves:
            await _released(context, key)
        raise
    return before


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
        return _dearest(plan, step.size_bytes, await _reserve(context, request))
    except ActivityError as error:
        if is_cancelled_exception(error) or budget.month:
            raise
        return None


def _dearest(plan: TransferPlan, size_bytes: int, reserved: Reserved) -> int:
    """Where in the month bytes cost most: what others have reserved before them may never be sent."""
    most = reserved.before_bytes
    least = next((one.size_bytes for one in reserved.month.sent if one.connection == plan.source), most)
    price = plan.price
    if price is None:
        return most
    ends = (int(tier.up_to_gb * GB) for tier in price.tiers if tier.up_to_gb is not None)
    perhaps = (most, least, *(end for end in ends if least < end < most))
    return max(perhaps, key=lambda before: price.cost(size_bytes, before))


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
