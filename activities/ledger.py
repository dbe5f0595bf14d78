"""The way to the ledger: the month's workflow is begun by whoever writes into it first."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.ledger import (
    LEDGER_WORKFLOW,
    MONTH_QUERY,
    POST_UPDATE,
    RELEASE_UPDATE,
    RESERVE_UPDATE,
    Charge,
    Entered,
    LedgerActivities,
    MonthQuery,
    MonthState,
    Posted,
    PostRequest,
    Released,
    ReleaseRequest,
    Reserved,
    ReserveRequest,
    ledger_id,
    month_of,
)
from contracts.months import MonthRequest
from contracts.queues import WORKFLOW_QUEUE

ANSWER = timedelta(seconds=10)
AT_ONCE = 4
"""Updates of one worker in flight; a server lets a workflow have ten, of all workers together."""


class TemporalLedger(LedgerActivities):
    """Speaks to the Temporal server that the worker itself is connected to: a namespace has a ledger of its own."""

    def __init__(self, client: Client) -> None:
        """Speak through this client."""
        self._client = client
        self._turns = asyncio.Semaphore(AT_ONCE)

    @activity.defn(name="ledger.post")
    async def post(self, request: PostRequest) -> Posted:
        """See the contract."""
        months = sorted({charge.month for charge in request.charges})
        entered: dict[str, Entered] = {}
        for month in months:
            part = tuple(charge for charge in request.charges if charge.month == month)
            posted = await self._update(month, POST_UPDATE, PostRequest(charges=part), Posted)
            entered |= {one.id: one for one in posted.entered}
        for charge in request.charges:
            await self._settle_before(charge)
        return Posted(months=tuple(months), entered=tuple(entered[one.id] for one in request.charges))

    @activity.defn(name="ledger.month")
    async def month(self, query: MonthQuery) -> MonthState:
        """See the contract."""
        month = query.month or month_of(_now())
        handle = self._client.get_workflow_handle(ledger_id(month))
        try:
            state: MonthState = await handle.query(MONTH_QUERY, result_type=MonthState, rpc_timeout=ANSWER)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return MonthState(month=month)
            raise _away(month, error) from None
        return state

    @activity.defn(name="ledger.reserve")
    async def reserve(self, request: ReserveRequest) -> Reserved:
        """See the contract."""
        reserved: Reserved = await self._update(
            request.month or month_of(_now()), RESERVE_UPDATE, request, Reserved
        )
        return reserved

    @activity.defn(name="ledger.release")
    async def release(self, request: ReleaseRequest) -> Released:
        """See the contract."""
        now = _now()
        before = month_of(now.replace(day=1) - timedelta(days=1))
        months = (request.month,) if request.month else (before, month_of(now))
        return Released(size_bytes=sum([await self._release(month, request) for month in months]))

    async def _settle_before(self, charge: Charge) -> None:
        """Let go what a transfer reserved in a month before the one it ended in."""
        if not charge.settles:
            return
        run_uid = charge.settles.partition("/")[0]
        for month in _months(charge.started_at, charge.ended_at):
            await self._release(month, ReleaseRequest(run_uid=run_uid, id=charge.settles))

    async def _release(self, month: str, request: ReleaseRequest) -> int:
        """Return how many bytes a month let go; one that nobody wrote to holds none."""
        handle = self._client.get_workflow_handle(ledger_id(month))
        try:
            released: Released = await handle.execute_update(
                RELEASE_UPDATE, request, result_type=Released, rpc_timeout=ANSWER
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return 0
            raise _away(month, error) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise _away(month) from None
        return released.size_bytes

    async def _update(self, month: str, name: str, request: Any, answer: type[Any]) -> Any:
        begin: WithStartWorkflowOperation[Any, None] = WithStartWorkflowOperation(
            LEDGER_WORKFLOW,
            MonthRequest(month=month),
            id=ledger_id(month),
            task_queue=WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"what runs cost in {month}",
        )
        try:
            async with self._turns:
                return await self._client.execute_update_with_start_workflow(
                    name, request, start_workflow_operation=begin, result_type=answer, rpc_timeout=ANSWER
                )
        except RPCError as error:
            raise _away(month, error) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise _away(month) from None


def _months(begin: datetime, end: datetime) -> Iterator[str]:
    """Yield each month from one moment to another but the last."""
    moment, last = begin.astimezone(UTC).replace(day=1), month_of(end)
    while month_of(moment) < last:
        yield month_of(moment)
        moment = (moment + timedelta(days=32)).replace(day=1)


def _now() -> datetime:
    return datetime.now(UTC)


def _away(month: str, error: RPCError | None = None) -> Exception:
    said = f" ({error.status.name})" if error else f" within {ANSWER.seconds} s"
    told = f"the ledger of {month} did not answer{said}"
    busy = error is not None and error.status is RPCStatusCode.RESOURCE_EXHAUSTED
    kind = ErrorKind.THROTTLED if busy else ErrorKind.UNAVAILABLE
    return failure(kind, told, ErrorDetail(ref=ledger_id(month)))
