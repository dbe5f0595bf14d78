"""Asks every connection a run will use, on the very queue and by the identity that will do the work."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.approvals import ApproveStage
from contracts.artifacts import locate
from contracts.connections import (
    Capability,
    ConnectionActivities,
    ConnectionReport,
    MachineRequest,
    PreflightRequest,
)
from contracts.inference import InvokeStage, RetireStage
from contracts.queues import CLOUD_OF_SCHEME, normalise
from contracts.runs import StageError
from contracts.spec import PipelineSpec
from contracts.stage_base import CommandStage
from contracts.stages import CopyStage, JobStage, PickStage
from workflows.effects import Effects
from workflows.failures import stage_error
from workflows.outcomes import StageFailed
from workflows.shipping import logs_owner

PREFLIGHT = "preflight"
ALL_REFUSALS = "all-refusals-told"
"""Runs that began before this was there end at the first refusal, or their histories could not be replayed."""
GRACE = timedelta(seconds=30)
"""How long after a first refusal the answers of others are waited for."""


class PreflightRefused(StageFailed):
    """Connections cannot do what the run needs."""

    def __init__(self, refusals: Mapping[str, StageError], silent: tuple[str, ...]) -> None:
        """Carry every refusal by connection, and which connections had not answered by then."""
        first, *others = refusals.values()
        told = [f"{connection}: {error.kind}: {error.message}" for connection, error in refusals.items()]
        if others:
            lines = f"{len(told)} connections cannot do what the run needs:", *told
            first = first.model_copy(update={"message": "\n".join(lines)})
        super().__init__(first)
        said = told if others else [f"{first.kind}: {first.message}"]
        said += [f"{connection} has not answered yet" for connection in silent]
        self.notes = tuple(f"{PREFLIGHT}: {line}" for line in said)


def why_nothing_runs(error: BaseException) -> tuple[StageError, tuple[str, ...]]:
    """Return what a run ends with that ended before its stages did, and the notes that tell it in full."""
    if isinstance(error, PreflightRefused):
        return error.error, error.notes
    if isinstance(error, StageFailed):
        return error.error, (f"{error.error.kind}: {error.error.message}",)
    said = stage_error(error)
    return said, (f"{PREFLIGHT}: {said.kind}: {said.message}",)


async def preflight(spec: PipelineSpec, effects: Effects, *, create: bool) -> dict[str, ConnectionReport]:
    """Return what each connection answers.

    Raises:
        PreflightRefused: some of them cannot do what the run needs; each says what and how to mend it.
        ActivityError: one of them, in a run that began before all of them were heard.
    """
    requests = requests_of(spec, create=create)
    longest = max(spec.timeout_of(name) for name in spec.stages)
    asked = {
        request.connection: asyncio.create_task(_ask(effects, request, presets.quick(longest)))
        for request in requests
    }
    try:
        reports = await asyncio.gather(*asked.values())
    except ActivityError as error:
        if is_cancelled_exception(error) or not workflow.patched(ALL_REFUSALS):
            raise
        raise await _refused(asked) from error
    return dict(zip(asked, reports, strict=True))


async def _ask(effects: Effects, request: PreflightRequest, preset: presets.Preset) -> ConnectionReport:
    return await effects.call(
        ConnectionActivities.preflight,
        request,
        on=request.connection,
        preset=preset,
        stage=PREFLIGHT,
        summary=request.connection,
    )


async def _refused(asked: Mapping[str, asyncio.Task[ConnectionReport]]) -> PreflightRefused:
    """Hear the others out for a moment, for one that nobody serves would be waited for as long as a stage may take."""
    try:
        await workflow.wait_condition(
            lambda: all(task.done() for task in asked.values()),
            timeout=GRACE,
            timeout_summary=f"{PREFLIGHT}: what the others answer",
        )
    except TimeoutError:
        workflow.logger.info("not every connection has answered")
    finally:
        silent = tuple(connection for connection, task in asked.items() if not task.done())
        for connection in silent:
            asked[connection].cancel()
    errors = {connection: task.exception() for connection, task in asked.items() if task.done()}
    refusals = {connection: stage_error(error) for connection, error in errors.items() if error}
    return PreflightRefused(refusals, silent)


def requests_of(spec: PipelineSpec, *, create: bool) -> tuple[PreflightRequest, ...]:
    """What the run asks of each connection, sorted by connection."""
    found: dict[str, PreflightRequest] = {}
    for name in spec.stages:
        for request in requests_of_stage(spec, name):
            held = found.get(request.connection)
            found[request.connection] = _joined(held, request) if held else request
    owner = logs_owner(spec)
    if owner is not None:
        request = PreflightRequest(connection=owner, containers=_containers(spec.logs_uri))
        found[owner] = _joined(found[owner], request) if owner in found else request
    return tuple(found[connection].model_copy(update={"create": create}) for connection in sorted(found))


def requests_of_stage(spec: PipelineSpec, name: str) -> tuple[PreflightRequest, ...]:
    """What one stage asks: of the connection it runs on, and of the one a copy reads from."""
    stage = spec.stages[name]
    if isinstance(stage, PickStage | ApproveStage):
        return ()
    if isinstance(stage, CommandStage):
        needs: tuple[Capability, ...] = ("jobs", "storage")
        machines = {name: MachineRequest(kind=stage.kind, resources=stage.resources)}
        jobs = PreflightRequest(
            connection=stage.on, needs=needs, image_given=stage.image is not None, machines=machines
        )
        if isinstance(stage, JobStage) and stage.foreach and stage.foreach.query:
            return jobs, PreflightRequest(connection=stage.foreach.query_on, needs=("storage", "tables"))
        return (jobs,)
    if isinstance(stage, InvokeStage | RetireStage):
        return (PreflightRequest(connection=stage.on),)
    if not isinstance(stage, CopyStage):
        return (PreflightRequest(connection=stage.on, needs=("storage", "tables")),)
    asked = [PreflightRequest(connection=stage.on, containers=_containers(stage.target))]
    if stage.source:
        owner = stage.source_on or normalise(CLOUD_OF_SCHEME[locate(stage.source).scheme])
        asked.append(PreflightRequest(connection=owner, containers=_containers(stage.source)))
    return tuple(asked)


def _joined(one: PreflightRequest, other: PreflightRequest) -> PreflightRequest:
    return one.model_copy(
        update={
            "needs": tuple(sorted({*one.needs, *other.needs})),
            "containers": tuple(sorted({*one.containers, *other.containers})),
            "image_given": one.image_given and other.image_given,
            "machines": {**one.machines, **other.machines},
        }
    )


def _containers(uri: str | None) -> tuple[str, ...]:
    return (locate(uri).model_copy(update={"name": ""}).uri,) if uri else ()
