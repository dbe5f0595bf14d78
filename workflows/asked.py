"""What a run asks of each connection before it relies on it. Pure functions of a spec."""

from collections.abc import Iterator
from typing import Any

from contracts.approvals import ApproveStage
from contracts.artifacts import locate
from contracts.connections import MachineRequest, PreflightRequest, Wish
from contracts.inference import BatchPredictStage, DeployStage, InvokeStage, RetireStage
from contracts.places import DEFAULTS, leader_of, unfit
from contracts.queues import CLOUD_OF_SCHEME, normalise
from contracts.rules import demands
from contracts.spec import PipelineSpec
from contracts.stage_base import ANY, StageBase
from contracts.stages import CopyStage, JobStage, PickStage, Stage
from workflows.shipping import logs_owner


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
    # The workers' own policy is theirs to know; only the pipeline's is told.
    own = spec.policy
    said = {"create": create, "facts": demands((own,) if own else ()), "tls": bool(own and own.tls)}
    return tuple(found[connection].model_copy(update=said) for connection in sorted(found))


def needed(spec: PipelineSpec) -> frozenset[str]:
    """The connections without which the run cannot go on, whatever places are chosen."""
    asked = (request for name in spec.stages for request in requests_of_stage(spec, name))
    found, owner = {request.connection for request in asked if not request.wishes}, logs_owner(spec)
    return frozenset(found | {owner} if owner else found)


def requests_of_stage(spec: PipelineSpec, name: str) -> tuple[PreflightRequest, ...]:
    """What one stage asks: of the connections that it may run on, and of the one it reads from."""
    stage = spec.stages[name]
    if isinstance(stage, PickStage | ApproveStage):
        return ()
    own, leader = _own(stage), spec.stages[leader_of(spec, name)]
    places = leader.places if isinstance(leader, StageBase) else stage.places
    if len(places) == 1 and places != (ANY,):
        return PreflightRequest(connection=places[0], **_insisted(name, own)), *_others(stage)
    wishes = tuple(
        PreflightRequest(connection=connection, wishes={name: own})
        for connection in (DEFAULTS if places == (ANY,) else places)
        if unfit(stage, connection) is None
    )
    return *wishes, *_others(stage)


def insisted(request: PreflightRequest) -> PreflightRequest:
    """The same request, with every wish a need: what a check looks for before anybody has chosen."""
    for name, wish in sorted(request.wishes.items()):
        other = PreflightRequest(connection=request.connection, **_insisted(name, wish))
        request = _joined(request, other)
    return request.model_copy(update={"wishes": {}})


def _own(stage: Stage) -> Wish:
    """What a stage asks of the connection it runs on."""
    if isinstance(stage, JobStage | BatchPredictStage | DeployStage):
        machine = MachineRequest(kind=stage.kind, resources=stage.resources)
        return Wish(needs=("jobs", "storage"), image_given=stage.image is not None, machine=machine)
    if isinstance(stage, InvokeStage | RetireStage):
        return Wish()
    if isinstance(stage, CopyStage):
        return Wish(containers=_containers(stage.target))
    return Wish(needs=("storage", "tables"))


def _insisted(name: str, wish: Wish) -> dict[str, Any]:
    """A wish as fields of a request that is refused over it."""
    machines = {name: wish.machine} if wish.machine else {}
    return {
        "needs": wish.needs,
        "containers": wish.containers,
        "image_given": wish.image_given,
        "machines": machines,
    }


def _others(stage: Stage) -> Iterator[PreflightRequest]:
    """What a stage asks of connections that it does not run on: where its source lies, or its items."""
    if isinstance(stage, JobStage) and stage.foreach and stage.foreach.query:
        yield PreflightRequest(connection=stage.foreach.query_on, needs=("storage", "tables"))
    if isinstance(stage, CopyStage) and stage.source:
        owner = stage.source_on or normalise(CLOUD_OF_SCHEME[locate(stage.source).scheme])
        yield PreflightRequest(connection=owner, containers=_containers(stage.source))


def _joined(one: PreflightRequest, other: PreflightRequest) -> PreflightRequest:
    return one.model_copy(
        update={
            "needs": tuple(sorted({*one.needs, *other.needs})),
            "containers": tuple(sorted({*one.containers, *other.containers})),
            "image_given": one.image_given and other.image_given,
            "machines": {**one.machines, **other.machines},
            "wishes": {**one.wishes, **other.wishes},
        }
    )


def _containers(uri: str | None) -> tuple[str, ...]:
    return (locate(uri).model_copy(update={"name": ""}).uri,) if uri else ()
