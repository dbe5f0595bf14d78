"""Errands: short workflows that the command line starts and waits for. None outlives its use, whoever takes it up or leaves."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import TimeoutError as TemporalTimeout
from temporalio.service import RPCError, RPCStatusCode
from temporalio.types import MethodAsyncSingleParam

from contracts.queues import WORKFLOW_QUEUE
from contracts.units import format_duration
from starter import temporal
from starter.exits import Exit, StarterError
from starter.presence import why_nobody_answers
from starter.show import console

Host = TypeVar("Host")
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Errand:
    """What is started, and what becomes of it when nobody waits any more."""

    name: str
    """As a person calls it: `check`, `sweep`."""
    id: str
    limit: timedelta
    """After which Temporal ends it, also where no worker ever took it up."""
    goes_on: bool = False
    """Whether it goes on after Ctrl-C; else it is cancelled."""


async def run(
    client: Client, method: MethodAsyncSingleParam[Host, Asked, Answer], asked: Asked, errand: Errand
) -> Answer:
    """Start the errand and return its answer; Ctrl-C cancels it, unless it is one that goes on.

    Raises:
        StarterError: it was not over within its limit.
        WorkflowFailureError: it failed, or was cancelled by somebody.
    """
    try:
        return await client.execute_workflow(
            method, asked, id=errand.id, task_queue=WORKFLOW_QUEUE, execution_timeout=errand.limit
        )
    except WorkflowFailureError as error:
        if not isinstance(error.cause, TemporalTimeout):
            raise
        raise StarterError(await _overdue(client, errand), Exit.UNREACHABLE) from None
    except asyncio.CancelledError:
        await _left(client.get_workflow_handle(errand.id), errand)
        raise


async def _left(handle: WorkflowHandle[Any, Any], errand: Errand) -> None:
    if errand.goes_on:
        words = f"the {errand.name} goes on without you, for at most {format_duration(errand.limit)}: {errand.id} in the Web UI"
    else:
        words = await _cancelled(handle, errand)
    console(stderr=True).print(f"\n{words}", soft_wrap=True)


async def _cancelled(handle: WorkflowHandle[Any, Any], errand: Errand) -> str:
    try:
        await handle.cancel(rpc_timeout=temporal.ANSWER_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return f"the {errand.name} had not begun, or was over"
        ends = f"it ends within {format_duration(errand.limit)}"
        return f"the {errand.name} {errand.id} could not be cancelled ({error.status.name}); {ends}"
    return f"the {errand.name} is cancelled"


async def _overdue(client: Client, errand: Errand) -> str:
    return (
        f"the {errand.name} was not over after {format_duration(errand.limit)} and was ended: no worker of workflows "
        f"took it up, or it was held up there\n-> {await why_nobody_answers(client)}; what it did: {errand.id} in the Web UI"
    )
