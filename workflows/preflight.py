"""Asks every connection a run will use, on the very queue and by the identity that will do the work."""

import asyncio

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
from contracts.spec import PipelineSpec
from contracts.stage_base import CommandStage
from contracts.stages import CopyStage, JobStage, PickStage
from workflows.effects import Effects
from workflows.shipping import logs_owner

PREFLIGHT = "preflight"


async def preflight(spec: PipelineSpec, effects: Effects, *, create: bool) -> dict[str, ConnectionReport]:
    """Return what each connection answers.

    Raises:
        ActivityError: one of them cannot do what the run needs; its cause says what and how to mend it.
    """
    requests = requests_of(spec, create=create)
    longest = max(spec.timeout_of(name) for name in spec.stages)
    reports = await asyncio.gather(
        *(
            effects.call(
                ConnectionActivities.preflight,
                request,
                on=request.connection,
                preset=presets.quick(longest),
                stage=PREFLIGHT,
                summary=request.connection,
            )
            for request in requests
        )
    )
    return {request.connection: report for request, report in zip(requests, reports, strict=True)}


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
