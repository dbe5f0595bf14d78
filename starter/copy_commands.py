"""What the commands do that start and show copies, over Temporal alone."""

import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import hint_for
from contracts.limits import Limits
from contracts.runs import TRANSFER_MEMO
from contracts.transfers import LIMITS_UPDATE, TransferOutcome, TransferStatus
from starter import local, temporal
from starter.copies import Copy, CopyOptions, request_of, start
from starter.copy_show import Bar, Lines, View, copy_document, report_of
from starter.exits import Exit, StarterError
from starter.moving import in_flight
from starter.said import say
from starter.show import console
from starter.traced import starting
from workflows.transfer import TransferWorkflow

POLL_SECONDS = 0.5
ANSWER_TIMEOUT = timedelta(seconds=10)


async def copy(options: CopyOptions, connect: Any) -> Exit:
    """Start a copy, or attach to it, and watch it to its end."""
    request = request_of(options)
    if not local.temporal_is_configured():
        local.bring_up()
    client: Client = await connect()
    with starting() as trace:
        handle, attached = await start(client, request)
    said = console(stderr=True)
    said.print(f"copy {handle.id}{' is there already; attached' if attached else ''}", soft_wrap=True)
    if trace and not attached:
        said.print(f"trace {trace}", soft_wrap=True)
    if options.detach:
        if options.as_json:
            _json({"run_id": handle.id, "web_ui": temporal.web_ui(handle.id)})
        else:
            console().print(f"watch it with: python -m starter watch {handle.id}", soft_wrap=True)
        return Exit.SUCCEEDED
    return await watch(client, handle.id, as_json=options.as_json)


async def watch(client: Client, run_id: str, *, as_json: bool) -> Exit:
    """Watch a copy to its end, and say what it came to."""
    handle = client.get_workflow_handle_for(TransferWorkflow.run, run_id)
    out = console()
    view = View() if as_json else Bar(out) if out.is_terminal else Lines(out)
    try:
        with view:
            while True:
                description = await _described(handle)
                if description.status != WorkflowExecutionStatus.RUNNING:
                    break
                view.show(await _status(handle), await in_flight(description))
                await asyncio.sleep(POLL_SECONDS)
    except asyncio.CancelledError:
        back = f"\nthe copy goes on; return with: python -m starter watch {run_id}"
        console(stderr=True).print(back, soft_wrap=True)
        raise
    return await show(client, run_id, as_json=as_json)


async def show(client: Client, run_id: str, *, as_json: bool) -> Exit:
    """Say what a copy came to, or how it stands."""
    handle = client.get_workflow_handle_for(TransferWorkflow.run, run_id)
    description, outcome = await _looked(handle)
    if outcome is None:
        status = await _status(handle)
        if status.phase == "SUCCEEDED":
            # It ended after the look, and only its memo knows what it came to.
            description, outcome = await _looked(handle)
        outcome = outcome or TransferOutcome(status=status)
    state = _state(description.status, outcome.status)
    error = None if state in {"RUNNING", "PAUSED", "PAUSING", "SUCCEEDED"} else await _error(handle)
    if as_json:
        _json(copy_document(run_id, state, outcome, error, temporal.web_ui(run_id)))
    else:
        report_of(console(), run_id, state, outcome, error)
    return Exit.FAILED if error else Exit.SUCCEEDED


async def limit(client: Client, run_id: str, limits: Limits, *, as_json: bool = False) -> Exit:
    """Change how much a copy may take at once."""
    handle = client.get_workflow_handle_for(TransferWorkflow.run, run_id)
    try:
        said = await handle.execute_update(LIMITS_UPDATE, limits, result_type=str, rpc_timeout=ANSWER_TIMEOUT)
    except RPCError as error:
        raise _unanswered(run_id, error) from None
    return say(said, as_json=as_json, run_id=run_id, **limits.model_dump(mode="json"))


async def _looked(handle: Copy) -> tuple[Any, TransferOutcome | None]:
    description = await _described(handle)
    return description, await description.memo_value(TRANSFER_MEMO, None, type_hint=TransferOutcome)


async def _described(handle: Copy) -> Any:
    try:
        return await handle.describe()
    except RPCError as error:
        raise _unanswered(handle.id, error) from None


async def _status(handle: Copy) -> TransferStatus:
    try:
        return await handle.query(TransferWorkflow.status, rpc_timeout=ANSWER_TIMEOUT)
    except RPCError as error:
        raise _unanswered(handle.id, error) from None


async def _error(handle: Copy) -> dict[str, str]:
    try:
        await handle.result(rpc_timeout=ANSWER_TIMEOUT)
    except WorkflowFailureError as error:
        cause: BaseException | None = error.cause
        while isinstance(cause, FailureError) and not isinstance(cause, ApplicationError) and cause.cause:
            cause = cause.cause
        kind = cause.type if isinstance(cause, ApplicationError) and cause.type else "CANCELLED"
        message = cause.message if isinstance(cause, ApplicationError) else str(cause)
        return {"kind": kind, "message": message, "hint": hint_for(kind)}
    return {"kind": "UNKNOWN", "message": "it ended without saying why", "hint": hint_for("UNKNOWN")}


def _state(status: WorkflowExecutionStatus | None, told: TransferStatus) -> str:
    if status == WorkflowExecutionStatus.RUNNING:
        return told.phase
    if status == WorkflowExecutionStatus.COMPLETED:
        return "SUCCEEDED"
    return "CANCELLED" if status == WorkflowExecutionStatus.CANCELED else "FAILED"


def _unanswered(run_id: str, error: RPCError) -> StarterError:
    if error.status == RPCStatusCode.NOT_FOUND:
        return StarterError(f"there is no copy {run_id!r}; see: python -m starter list")
    return StarterError(
        f"{run_id} did not answer ({error.status.name}); is a workflow worker running?", Exit.UNREACHABLE
    )


def _json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
