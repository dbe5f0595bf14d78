"""Stages that may run in several places: which places, what cannot be there, and the pipeline once all are chosen.

Pure functions of a spec.
"""

from collections.abc import Iterator, Mapping

from contracts.artifacts import locate
from contracts.inference import BatchPredictStage, DeployStage, InvokeStage, RetireStage
from contracts.mistakes import Told
from contracts.queues import CLOUD_OF_SCHEME, Cloud, cloud_of, normalise
from contracts.spec import PipelineSpec
from contracts.stage_base import ANY, CommandStage, StageBase, where
from contracts.stages import CopyStage, LoadTableStage, QueryStage, Stage

TABLE_CLOUDS = frozenset({Cloud.GCP})
SERVING_CLOUDS = frozenset({Cloud.AWS, Cloud.AZURE, Cloud.GCP, Cloud.ONPREM})
"""Where servers can be run: a cloud's room has to have endpoints and batches."""
DEFAULTS = tuple(normalise(cloud) for cloud in Cloud)
"""What `any` means as long as nobody has said which connections there are."""


def open_places(spec: PipelineSpec) -> dict[str, tuple[str, ...]]:
    """The stages that the plan finds a place for, each with its places as they are written."""
    return {
        name: stage.places
        for name, stage in spec.stages.items()
        if isinstance(stage, StageBase) and stage.is_open
    }


def asks_for_any(spec: PipelineSpec) -> bool:
    """Whether a stage may run on any connection, so that somebody has to say which there are."""
    return any(places == (ANY,) for places in open_places(spec).values())


def narrowed(spec: PipelineSpec, known: tuple[str, ...]) -> PipelineSpec:
    """The same pipeline, with these connections for `any`."""
    return reopened(
        spec, {name: known for name, places in open_places(spec).items() if places == (ANY,) and known}
    )


def placed(spec: PipelineSpec, chosen: Mapping[str, str]) -> PipelineSpec:
    """The same pipeline, with every stage that was open on the connection that was chosen for it."""
    return reopened(spec, {name: (chosen[name],) for name in open_places(spec) if name in chosen})


def reopened(spec: PipelineSpec, places: Mapping[str, tuple[str, ...]]) -> PipelineSpec:
    """The same pipeline, with these places for these stages."""
    if not places:
        return spec
    stages = {
        name: stage.at(*places[name]) if name in places and isinstance(stage, StageBase) else stage
        for name, stage in spec.stages.items()
    }
    return spec.model_copy(update={"stages": stages})


def leader_of(spec: PipelineSpec, name: str) -> str:
    """The stage whose place a stage's is: itself, or of one that uses an endpoint the stage that deploys it."""
    stage = spec.stages[name]
    if isinstance(stage, InvokeStage | RetireStage) and stage.endpoint in spec.stages:
        return stage.endpoint
    return name


def unfit(stage: Stage, connection: str) -> Told | None:
    """Why a stage can never run on a connection, as far as its text tells, and the field that says so."""
    cloud = cloud_of(connection)
    if isinstance(stage, LoadTableStage | QueryStage) and cloud not in TABLE_CLOUDS:
        return ("on",), f"{stage.kind} needs tables, which {connection!r} has not; write gcp"
    if isinstance(stage, BatchPredictStage | DeployStage) and cloud not in SERVING_CLOUDS:
        known = " or ".join(sorted(SERVING_CLOUDS))
        return ("on",), f"{stage.kind} is not possible on {connection!r} yet; write {known}"
    if (
        isinstance(stage, CopyStage)
        and stage.target
        and CLOUD_OF_SCHEME[locate(stage.target).scheme] != cloud
    ):
        return ("target",), f"{stage.target!r} does not lie on {connection!r}, where the stage runs"
    return None


def place_problems(spec: PipelineSpec, stage: Stage, unread: frozenset[str] = frozenset()) -> Iterator[Told]:
    """Mistakes in where a stage may run: there is no place that could be chosen, or one that means two things."""
    if not isinstance(stage, StageBase):
        return
    reasons = [] if stage.places == (ANY,) else [unfit(stage, place) for place in stage.places]
    wrong = [reason for reason in reasons if reason]
    if reasons and len(wrong) == len(reasons):
        field, first = wrong[0]
        yield field, first if len(wrong) == 1 else "; ".join(told for _, told in wrong)
    clouds = {*Cloud} if stage.places == (ANY,) else {cloud_of(place) for place in stage.places}
    if isinstance(stage, CommandStage) and stage.resources.instance and len(clouds) > 1:
        told = f"{stage.resources.instance!r} is one cloud's own name; for several say cpu, memory or accelerator"
        yield ("resources", "instance"), told
    if isinstance(stage, InvokeStage | RetireStage) and stage.endpoint not in unread:
        yield from _beside_its_deploy(spec, stage)
    yield from _durations(stage)


def _beside_its_deploy(spec: PipelineSpec, stage: InvokeStage | RetireStage) -> Iterator[Told]:
    deployed = spec.stages.get(stage.endpoint)
    if not isinstance(deployed, DeployStage) or stage.places == (ANY,):
        return
    if not set(deployed.places) <= set(stage.places):
        is_on = f"may run on {deployed.where}" if deployed.is_open else f"is on {deployed.on!r}"
        own = f"{stage.where}; write the same" if deployed.is_open else f"{stage.on or where(stage.places)!r}"
        yield ("on",), f"the endpoint of {stage.endpoint!r} {is_on}, not {own}"


def _durations(stage: StageBase) -> Iterator[Told]:
    """Of several places an expectation of yet another is a typing mistake; a stage with one keeps those of former ones."""
    if not isinstance(stage.expect.duration, Mapping) or not stage.is_open or stage.places == (ANY,):
        return
    for connection in stage.expect.duration:
        if connection not in stage.places:
            told = f"the stage never runs on {connection!r}; it may run on {stage.where}"
            yield ("expect", "duration"), told
