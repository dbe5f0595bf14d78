"""The starter's side of Temporal: connecting, starting or attaching to a run, asking it, telling it."""

from datetime import timedelta
from typing import Any, cast

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.connect import address, connect, page_of
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import (
    DIGEST_MEMO,
    PIPELINE_KEY,
    STATE_KEY,
    STATUS_MEMO,
    RunRequest,
    RunStatus,
    run_digest,
    workflow_id,
)
from contracts.spec import PipelineSpec
from contracts.stage_base import StageBase
from contracts.stages import Stage
from starter import local
from starter.exits import Exit, StarterError
from starter.presence import why_nobody_answers
from starter.traced import interceptors
from workflows.pipeline import PipelineWorkflow

ANSWER_TIMEOUT = timedelta(seconds=10)
Run = WorkflowHandle[PipelineWorkflow, RunStatus]


async def client() -> Client:
    """Connect to Temporal.

    Raises:
        StarterError: it cannot be reached.
    """
    try:
        return await connect(interceptors())
    except (RuntimeError, ValueError):
        where = address()["address"]
        told = (
            "the sandbox is down; bring it up, on the state it had, with: python -m sandbox up --workers"
            if where == local.sandbox_address()
            else f"Temporal at {where} cannot be reached; check TEMPORAL_ADDRESS, or unset it to use the local sandbox"
        )
        raise StarterError(told, Exit.UNREACHABLE) from None


async def connected() -> Client:
    """Connect to the Temporal that is configured, or else to that of the sandbox that is up.

    Raises:
        StarterError: there is neither, or it cannot be reached.
    """
    if not local.temporal_is_configured() and not local.adopt_environment():
        raise StarterError(
            "no sandbox is up and no Temporal is configured; start with: python -m starter run",
            Exit.UNREACHABLE,
        )
    return await client()


async def start(temporal: Client, request: RunRequest) -> tuple[Run, bool]:
    """Start the run, or attach to the one with this key and spec; the flag says whether it was there already.

    Raises:
        StarterError: the key belongs to a run of another spec.
    """
    spec = request.spec
    identity = workflow_id(spec.pipeline, request.key)
    try:
        run = await temporal.start_workflow(
            spec.workflow,
            request,
            id=identity,
            result_type=RunStatus,
            task_queue=WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            memo={DIGEST_MEMO: run_digest(spec, request.bundles)},
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(PIPELINE_KEY, spec.pipeline), SearchAttributePair(STATE_KEY, "RUNNING")]
            ),
            static_summary=summary_of(spec),
            static_details=details_of(spec),
        )
    except WorkflowAlreadyStartedError:
        await _same_spec(temporal, request)
        return handle(temporal, identity), True
    return run, False


def summary_of(spec: PipelineSpec) -> str:
    """What Temporal's Web UI says of a run in a line; Temporal takes 200 bytes."""
    return f"{spec.pipeline}: {spec.description}".encode()[:200].decode(errors="ignore")


def details_of(spec: PipelineSpec) -> str:
    """What Temporal's Web UI says of a run before it has begun."""
    places = {name: _place(stage) for name, stage in spec.stages.items()}
    return "\n".join(f"- `{name}` {spec.stages[name].kind}{place}" for name, place in places.items())


def _place(stage: Stage) -> str:
    if not isinstance(stage, StageBase):
        return ""
    return f" on {stage.on or stage.where}"


def handle(temporal: Client, identity: str) -> Run:
    """Point at a run by `<pipeline>/<key>`.

    Raises:
        StarterError: the text has no such form.
    """
    if not all(identity.partition("/")):
        raise StarterError(
            f"{identity!r} is no run; write pipeline/key, as `python -m starter list` shows it"
        )
    return temporal.get_workflow_handle_for(PipelineWorkflow.run, identity)


async def describe(temporal: Client, identity: str) -> WorkflowExecutionDescription:
    """Ask the server about a run.

    Raises:
        StarterError: there is no such run.
    """
    try:
        return await handle(temporal, identity).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise StarterError(f"there is no run {identity!r}; see: python -m starter list") from None
        raise unanswered(identity, error) from None


async def status(temporal: Client, identity: str) -> RunStatus:
    """How a run stands: from its memo once it has ended, from its workflow while it lives.

    Raises:
        StarterError: there is no such run, or no workflow worker answers.
    """
    description = await describe(temporal, identity)
    if description.status != WorkflowExecutionStatus.RUNNING:
        ended = await description.memo_value(STATUS_MEMO, None, type_hint=RunStatus)
        if ended is not None:
            return ended
    try:
        return await handle(temporal, identity).query(PipelineWorkflow.status, rpc_timeout=ANSWER_TIMEOUT)
    except RPCError:
        raise StarterError(
            f"no worker answered for {identity} in {ANSWER_TIMEOUT.seconds} s; {await why_nobody_answers(temporal)}",
            Exit.UNREACHABLE,
        ) from None


async def request_of(temporal: Client, identity: str) -> RunRequest:
    """What a run was started with, from the first event of its history: no worker is asked.

    Raises:
        StarterError: there is no such run.
    """
    try:
        async for event in handle(temporal, identity).fetch_history_events(page_size=1):
            given = event.workflow_execution_started_event_attributes.input.payloads
            (request,) = await temporal.data_converter.decode(given, [RunRequest])
            return cast(RunRequest, request)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise StarterError(f"there is no run {identity!r}; see: python -m starter list") from None
        raise unanswered(identity, error) from None
    raise StarterError(f"Temporal holds no history of {identity} any more")


async def decide(temporal: Client, identity: str, update: Any, decision: Any) -> str:
    """Send a decision and return the answer.

    Raises:
        StarterError: it was refused, or nobody answered.
    """
    try:
        return str(
            await handle(temporal, identity).execute_update(update, decision, rpc_timeout=ANSWER_TIMEOUT)
        )
    except WorkflowUpdateFailedError as error:
        said = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
        raise StarterError(said) from None
    except RPCError as error:
        raise unanswered(identity, error) from None


async def tell(temporal: Client, identity: str, signal: Any, payload: dict[str, Any]) -> None:
    """Send a signal to a run that has not ended.

    Raises:
        StarterError: there is no such run, or it has ended.
    """
    try:
        await handle(temporal, identity).signal(signal, payload)
    except RPCError as error:
        raise unanswered(identity, error) from None


async def cancel(temporal: Client, identity: str) -> None:
    """Ask a run to cancel; see `tell`. Temporal itself takes a cancel of what has ended, and says nothing."""
    description = await describe(temporal, identity)
    if description.status != WorkflowExecutionStatus.RUNNING:
        state = description.status.name.lower() if description.status else "over"
        raise StarterError(f"{identity} has ended already ({state}); there is nothing to cancel")
    try:
        await handle(temporal, identity).cancel()
    except RPCError as error:
        raise unanswered(identity, error) from None


def web_ui(identity: str, run_id: str | None = None) -> str:
    """The page of a run in Temporal's Web UI."""
    return page_of(identity, run_id)


async def _same_spec(temporal: Client, request: RunRequest) -> None:
    identity = workflow_id(request.spec.pipeline, request.key)
    description = await describe(temporal, identity)
    held = await description.memo_value(DIGEST_MEMO, "", type_hint=str)
    mine = run_digest(request.spec, request.bundles)
    if held != mine:
        raise StarterError(
            f"the key {request.key!r} belongs to a run of another spec or other code "
            f"(digest {held[:12]}, this one has {mine[:12]}); choose another --key, or leave it out"
        )


def unanswered(identity: str, error: RPCError) -> StarterError:
    """Say of a run why it did not answer."""
    if error.status == RPCStatusCode.NOT_FOUND:
        return StarterError(f"there is no run {identity!r} that has not ended; see: python -m starter list")
    return StarterError(
        f"{identity} did not answer ({error.status.name}); is a workflow worker running?", Exit.UNREACHABLE
    )
