"""What a pipeline will do on each connection, as far as its text tells: what the smallest rights are made from."""

from collections.abc import Iterator

from contracts.approvals import ApproveStage
from contracts.artifacts import locate
from contracts.inference import BatchPredictStage, DeployStage, InvokeStage, RetireStage
from contracts.permissions import Feature, PermissionRequest
from contracts.places import DEFAULTS, leader_of, unfit
from contracts.queues import CLOUD_OF_SCHEME, normalise
from contracts.spec import PipelineSpec
from contracts.stage_base import ANY, CommandStage, StageBase
from contracts.stages import CopyStage, JobStage, LoadTableStage, PickStage, QueryStage, Stage
from workflows.shipping import logs_owner


def requests_of(spec: PipelineSpec, *, create: bool = False) -> tuple[PermissionRequest, ...]:
    """Return one request for each connection, sorted by connection."""
    found: dict[str, PermissionRequest] = {}
    asked = [
        request for name in spec.stages for stage in _anywhere(spec, name) for request in _of_stage(stage)
    ]
    for request in (*asked, *_of_logs(spec)):
        held = found.get(request.connection)
        found[request.connection] = _joined(held, request) if held else request
    told = {"pipeline": spec.pipeline, "create": create}
    return tuple(found[name].model_copy(update=told) for name in sorted(found))


def _anywhere(spec: PipelineSpec, name: str) -> Iterator[Stage]:
    """A stage, once for each place that it may come to run in: the rights are there before the plan is made."""
    stage, leader = spec.stages[name], spec.stages[leader_of(spec, name)]
    if not isinstance(stage, StageBase) or not isinstance(leader, StageBase):
        yield stage
        return
    for connection in DEFAULTS if leader.places == (ANY,) else leader.places:
        if unfit(stage, connection) is None:
            yield stage.placed(connection)


def _of_stage(stage: Stage) -> tuple[PermissionRequest, ...]:
    if isinstance(stage, PickStage | ApproveStage):
        return ()
    if isinstance(stage, CopyStage):
        return _of_copy(stage)
    images = (stage.image,) if isinstance(stage, CommandStage) and stage.image else ()
    tables = (stage.table,) if isinstance(stage, LoadTableStage) else ()
    statements = (stage.sql,) if isinstance(stage, QueryStage) else ()
    own = PermissionRequest(
        connection=stage.on, features=_features(stage), images=images, tables=tables, statements=statements
    )
    if isinstance(stage, JobStage) and stage.foreach and stage.foreach.query:
        return own, PermissionRequest(
            connection=stage.foreach.query_on, features=("tables",), statements=(stage.foreach.query,)
        )
    return (own,)


def _of_logs(spec: PipelineSpec) -> tuple[PermissionRequest, ...]:
    owner = logs_owner(spec)
    return (
        (PermissionRequest(connection=owner, writes=(f"{spec.logs_uri}{spec.pipeline}/",)),) if owner else ()
    )


def _of_copy(stage: CopyStage) -> tuple[PermissionRequest, ...]:
    own = PermissionRequest(connection=stage.on, writes=(stage.target,) if stage.target else ())
    if not stage.source:
        return (own,)
    owner = stage.source_on or normalise(CLOUD_OF_SCHEME[locate(stage.source).scheme])
    return own, PermissionRequest(connection=owner, reads=(stage.source,))


def _features(stage: Stage) -> tuple[Feature, ...]:
    if isinstance(stage, BatchPredictStage):
        return ("batch_predict",)
    if isinstance(stage, DeployStage | InvokeStage | RetireStage):
        return ("endpoints",)
    if isinstance(stage, LoadTableStage | QueryStage):
        return ("tables",)
    return ("jobs",)


def _joined(one: PermissionRequest, other: PermissionRequest) -> PermissionRequest:
    fields = ("features", "reads", "writes", "tables", "statements", "images")
    return one.model_copy(
        update={name: tuple(sorted({*getattr(one, name), *getattr(other, name)})) for name in fields}
    )
