"""What the command `rerun` does: a new run that takes over what another did, where nothing has changed."""

from dataclasses import dataclass

from temporalio.client import Client

from contracts.code import CodeBundle
from contracts.fingerprints import downstream
from contracts.mistakes import nearest
from contracts.runs import EarlierRun, RunRequest, RunStatus, StagePhase
from contracts.scheduled import SCHEDULED_AT, dated
from contracts.spec import PipelineSpec
from contracts.stages import CopyStage
from starter import temporal
from starter.commands import launch
from starter.exits import Exit, StarterError
from starter.options import key_of, params_of
from starter.papers import refuse_copy
from starter.spec.load import find, load, with_params


@dataclass(frozen=True)
class RerunOptions:
    """How `rerun` was called."""

    run_id: str
    stage: str | None
    pipeline: str | None
    param: tuple[str, ...]
    fresh: bool
    key: str | None
    detach: bool
    as_json: bool


async def rerun(options: RerunOptions) -> Exit:
    """Start a run that does again what has changed, and whatever depends on it.

    Raises:
        StarterError: there is no such run, stage or param, or the run is of another pipeline.
    """
    refuse_copy(options.run_id)
    if options.key and options.run_id.endswith(f"/{options.key}"):
        raise StarterError(
            f"--key {options.key} is that of {options.run_id} itself; choose another, or leave it out"
        )
    client = await temporal.connected()
    status = await temporal.status(client, options.run_id)
    held = await _request(client, options.run_id)
    spec, bundles = _chosen(options, held)
    request = RunRequest(
        spec=spec,
        key=key_of(options.key),
        bundles=bundles,
        create_containers=held.create_containers,
        earlier=earlier_of(options.run_id, spec, status, options.stage, fresh=options.fresh),
    )
    return await launch(client, request, detach=options.detach, as_json=options.as_json)


async def _request(client: Client, run_id: str) -> RunRequest:
    """What the run was started with; one that a schedule started has the time in its params."""
    held = await temporal.request_of(client, run_id)
    if not held.scheduled:
        return held
    due = (await temporal.describe(client, run_id)).typed_search_attributes.get(SCHEDULED_AT)
    return held.model_copy(update={"spec": dated(held.spec, due)}) if due else held


def _chosen(options: RerunOptions, held: RunRequest) -> tuple[PipelineSpec, dict[str, CodeBundle]]:
    """The pipeline as a file has it now, or as the run had it."""
    given = params_of(options.param)
    if options.pipeline is None:
        return with_params(held.spec, given), held.bundles
    found = load(find(options.pipeline), given)
    if found.spec.pipeline != held.spec.pipeline:
        raise StarterError(
            f"{options.pipeline} is the pipeline {found.spec.pipeline!r}, and {options.run_id} is a run of "
            f"{held.spec.pipeline!r}; start it with: python -m starter run {options.pipeline}"
        )
    return found.spec, found.bundles


def earlier_of(
    run_id: str, spec: PipelineSpec, status: RunStatus, stage: str | None = None, *, fresh: bool = False
) -> EarlierRun:
    """Return what a new run of the pipeline may take over from another.

    Raises:
        StarterError: there is no such stage to begin from.
    """
    again: frozenset[str] = frozenset()
    if stage is not None:
        if stage not in spec.stages:
            raise StarterError(f"--from: there is no stage {stage!r}{nearest(stage, spec.stages)}")
        again = downstream(spec, {stage})
    kept = {
        name: held
        for name, held in status.stages.items()
        if name in spec.stages
        and name not in again
        and held.phase is StagePhase.SUCCEEDED
        and held.fingerprint
        and not (fresh and _reads_outside(spec, name))
    }
    return EarlierRun(run_id=run_id, stages=kept, transfers=status.transfers)


def _reads_outside(spec: PipelineSpec, name: str) -> bool:
    stage = spec.stages[name]
    return isinstance(stage, CopyStage) and stage.source is not None
