"""Endpoints of a run: deployed, used and, unless they shall stay, gone when the run ends, however it ends."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.endpoints import (
    PREDICTIONS,
    EndpointActivities,
    EndpointRef,
    EndpointState,
    InvokeRequest,
)
from contracts.errors import ErrorKind
from contracts.inference import DeployStage, InvokeStage, RetireStage
from contracts.jobs import FindRequest, JobRequest
from contracts.presets import Preset
from contracts.runs import StageError
from contracts.stage_records import StageEndpoint
from workflows.closing import NONE_MADE, REMOVED, STILL_LIVES
from workflows.context import RunContext
from workflows.effects import Request, Response
from workflows.failures import over_time, stage_error, unanswered
from workflows.finishing import take_cancel, to_the_end
from workflows.leaves import leave_ref
from workflows.outcomes import Outcome, StageFailed, failed
from workflows.paying import begin_endpoint, end_endpoint, end_refused
from workflows.publishing import publish
from workflows.values import command_of, environment_of

STILL_THERE = "remove it: `python -m starter sweep --stop` finds it, or the vendor's console"
HAD_A_MACHINE = frozenset(
    {ErrorKind.JOB_FAILED, ErrorKind.TIMED_OUT, ErrorKind.OUT_OF_MEMORY, ErrorKind.DISK_FULL}
)
"""Ends of a deployment whose server ran, although nothing of it is left."""
SETTLING = timedelta(seconds=90)
"""How long a request may still arrive after its deployment was given up: no room's takes longer than 65 s."""


async def run_deploy(
    context: RunContext, name: str, stage: DeployStage, inputs: dict[str, Artifact]
) -> Outcome:
    """Have an endpoint answer; whatever ends this early leaves nothing of it.

    There is one generation for each attempt of the stage: the reason why a server is not healthy seldom goes away.

    Raises:
        StageFailed: it is not healthy, or could not be had.
    """
    await begin_endpoint(context, name)
    code = await publish(context, name, stage)
    generation = context.book.stage(name).attempts + 1
    await context.checkpoint.passed()
    machine, before = context.placement(name).machine, context.book.stage(name).endpoint
    if before and not before.retired:
        end_endpoint(context, name, before.ref.generation, before.asked_at)
    context.book.change(
        name,
        note="deploying",
        attempts=generation,
        endpoint=None,
        machine=machine.words if machine else "",
    )
    request = _request(context, name, stage, inputs, code)
    deploy, began = Endpoints(context, name), workflow.now()
    try:
        state = await _deployed(deploy, request)
    except (StageFailed, ActivityError, asyncio.CancelledError) as error:
        if deploy.stood(error):
            end_endpoint(context, name, generation, began)
        else:
            end_refused(context, name, generation)
        raise
    endpoint = StageEndpoint(ref=state.ref, temporary=stage.temporary, asked_at=began)
    return Outcome(endpoint=endpoint)


async def _deployed(deploy: "Endpoints", request: JobRequest) -> EndpointState:
    try:
        if request.generation > 1:
            await deploy.remove_all()
        preset = presets.deploying(deploy.timeout)
        state = await deploy.call(EndpointActivities.deploy, request, preset, "deploy", gated=True)
        # Nobody asked for an endpoint of a run that was cancelled, not even for one that shall stay.
        take_cancel()
    except (ActivityError, asyncio.CancelledError) as error:
        alive = await to_the_end(deploy.removed(error))
        if is_cancelled_exception(error):
            if alive:
                deploy.tell(StageError(kind=ErrorKind.CANCELLED, message=alive, hint=STILL_THERE))
            raise
        said = stage_error(error)
        told = said.model_copy(update={"message": "\n".join(filter(None, (said.message, alive)))})
        raise StageFailed(told, confirmed=not alive) from error
    return state


async def run_invoke(context: RunContext, name: str, stage: InvokeStage, data: Artifact) -> Outcome:
    """Score an artifact's rows; a retry goes on after the last rows that have their predictions.

    Raises:
        StageFailed: there is no endpoint any more, or the stage's time is over.
        ActivityError: the rows could not be scored.
    """
    endpoint = context.book.stage(stage.endpoint).endpoint
    if endpoint is None or endpoint.retired:
        raise failed(ErrorKind.INVALID_REQUEST, f"the endpoint of stage {stage.endpoint!r} is not there")
    attempt = context.book.stage(name).attempts + 1
    await context.checkpoint.passed()
    context.book.change(name, note=f"scoring by {endpoint.ref.name}", attempts=attempt)
    request = InvokeRequest(
        run=context.run,
        stage=name,
        generation=attempt,
        endpoint=endpoint.ref,
        data=data,
        format=stage.format,
        batch_size=stage.batch_size,
        max_parallel=stage.max_parallel,
        target=f"{context.placement(name).prefix}{PREDICTIONS}/",
        leave=leave_ref(context.run, name),
    )
    invoke = Endpoints(context, name)
    preset = presets.scoring(invoke.timeout)
    try:
        answer = await invoke.call(EndpointActivities.invoke, request, preset, "invoke", gated=True)
    except ActivityError as error:
        if not over_time(error):
            raise
        limit = f"the stage's timeout of {int(invoke.timeout.total_seconds())} s has passed; not every row is scored"
        raise failed(ErrorKind.TIMED_OUT, limit) from error
    return Outcome(outputs={PREDICTIONS: answer.predictions}, rows=answer.rows)


async def run_retire(context: RunContext, name: str, stage: RetireStage) -> Outcome:
    """Remove an endpoint before the run ends.

    Raises:
        ActivityError: it could not be removed.
    """
    await context.checkpoint.passed()
    context.book.change(name, attempts=context.book.stage(name).attempts + 1)
    await retire(context, stage.endpoint, name)
    return Outcome()


async def retire(context: RunContext, deploy: str, told: str) -> None:
    """Remove the endpoint of a deploy stage, unless it is gone; `told` is the stage that says so meanwhile."""
    endpoint = context.book.stage(deploy).endpoint
    if endpoint is None or endpoint.retired:
        return
    context.book.note(told, f"removing endpoint {endpoint.ref.name}")
    await Endpoints(context, deploy).remove(endpoint.ref)
    context.book.change(deploy, endpoint=endpoint.model_copy(update={"retired": True}))
    end_endpoint(context, deploy, endpoint.ref.generation, endpoint.asked_at)
    context.book.note(told, "")


def _request(
    context: RunContext, name: str, stage: DeployStage, inputs: dict[str, Artifact], code: CodeRef | None
) -> JobRequest:
    return JobRequest(
        run=context.run,
        stage=name,
        generation=context.book.stage(name).attempts,
        kind="deploy",
        command=command_of(stage, context.request.spec, context.book),
        code=code,
        inputs=inputs,
        image=stage.image,
        env=environment_of(stage, context.request.spec, context.book),
        resources=stage.resources,
        machine=context.placement(name).machine,
        timeout=context.timeout(name),
        kept=not stage.temporary,
        leave=leave_ref(context.run, name),
    )


class Endpoints:
    """The endpoint activities for one stage, on its connection."""

    def __init__(self, context: RunContext, name: str) -> None:
        """Act for this stage."""
        self._context = context
        self._name = name
        self._found = False
        """Whether there was something to remove, or may be still."""

    def stood(self, error: BaseException) -> bool:
        """Whether a deployment that ended so may have had a machine."""
        return self._found or (isinstance(error, StageFailed) and error.error.kind in HAD_A_MACHINE)

    def tell(self, error: StageError) -> None:
        """Show an error beside the stage."""
        self._context.book.change(self._name, error=error)

    @property
    def timeout(self) -> timedelta:
        """The stage's own."""
        return self._context.timeout(self._name)

    async def remove(self, ref: EndpointRef) -> EndpointState:
        """Return when nothing of an endpoint is left."""
        return await self.call(
            EndpointActivities.retire, ref, presets.stopping(self.timeout), "remove the endpoint"
        )

    async def remove_all(self) -> tuple[str, ...]:
        """Remove whatever carries this stage's tags, also an endpoint whose deployment never answered; say what it was."""
        request = FindRequest(run_uid=self._context.run.run_uid, stage=self._name)
        preset = presets.clearing(self.timeout)
        found = await self.call(EndpointActivities.find, request, preset, "find its endpoints")
        for state in found.endpoints:
            await self.remove(state.ref)
        return tuple(state.ref.name for state in found.endpoints)

    async def removed(self, error: BaseException) -> str:
        """Remove everything, or say that something may live; after silence look again, since it may come to be late."""
        book = self._context.book
        book.note(self._name, "removing its endpoint")
        try:
            gone = await self.remove_all()
            if unanswered(error):
                await workflow.sleep(
                    SETTLING, summary=f"{self._name}: what was asked for last may still arrive"
                )
                gone += await self.remove_all()
        except ActivityError as left:
            self._found = True
            book.note(
                self._name, f"{STILL_LIVES}; see: python -m starter sweep --run {workflow.info().workflow_id}"
            )
            return f"an endpoint of this stage may still live: {stage_error(left).message}"
        self._found = bool(gone)
        book.note(self._name, f"{REMOVED} {', '.join(gone)}" if gone else NONE_MADE)
        return ""

    async def call(
        self,
        method: Callable[[Any, Request], Response],
        request: Request,
        preset: Preset,
        summary: str,
        *,
        gated: bool = False,
    ) -> Response:
        """Run one of the activities; what removes is not held up by a pause."""
        return await self._context.effects.call(
            method,
            request,
            on=self._context.placement(self._name).connection,
            preset=preset,
            stage=self._name,
            summary=summary,
            gated=gated,
        )
