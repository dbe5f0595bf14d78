"""What a plan is weighed by: the sizes of what there is already, and what the month has come to."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.artifacts import locate
from contracts.ledger import LedgerActivities, MonthQuery, MonthState
from contracts.places import open_places
from contracts.planned import Measured
from contracts.queues import CLOUD_OF_SCHEME, normalise
from contracts.rules import is_bounded
from contracts.runs import EarlierRun
from contracts.spec import PipelineSpec
from contracts.stages import CopyStage
from workflows.effects import Effects
from workflows.failures import stage_error
from workflows.weighing import weigh

SIZING = "sizes"
PATIENCE = timedelta(seconds=10)
WEIGHED = "sources-are-weighed"
"""Runs that began before this was there planned without sizes, or their histories could not be replayed."""


async def weighed(
    spec: PipelineSpec, effects: Effects, earlier: EarlierRun | None
) -> tuple[Measured, MonthState | None]:
    """Return what a run knows before it is planned; only one that chooses or is bounded asks the stores and the ledger."""
    kept = {
        f"{name}.{output}": artifact.size_bytes
        for name, stage in (earlier.stages if earlier else {}).items()
        for output, artifact in stage.outputs.items()
    }
    if not is_weighed(spec) or not workflow.patched(WEIGHED):
        return Measured(sizes=kept), None
    return await weighed_for_certain(spec, effects, kept)


def is_weighed(spec: PipelineSpec) -> bool:
    """Whether the pipeline itself asks for sizes before it is planned: it chooses among places, or is bounded."""
    return (
        is_bounded(spec.policy)
        or spec.budget is not None
        or spec.max_egress is not None
        or bool(open_places(spec))
    )


async def weighed_for_certain(
    spec: PipelineSpec, effects: Effects, kept: dict[str, int]
) -> tuple[Measured, MonthState | None]:
    """Return what sources weigh, besides what is known, and what the month has come to."""
    found, month = await asyncio.gather(measured(spec, effects), month_so_far(effects))
    return found.model_copy(update={"sizes": {**kept, **found.sizes}}), month


async def measured(spec: PipelineSpec, effects: Effects) -> Measured:
    """Return what the sources of copies weigh, each asked on its own queue; one that does not answer stays unknown."""
    copies = dict(_copies(spec))
    found = await asyncio.gather(*(_measure(stage, effects) for stage in copies.values()))
    sizes: dict[str, int] = {}
    at_least: list[str] = []
    unmeasured: dict[str, str] = {}
    for (name, stage), answer in zip(copies.items(), found, strict=True):
        if isinstance(answer, str):
            unmeasured[str(stage.source)] = answer
            continue
        size, whole = answer
        # A copy that leaves objects out weighs less than its source, which another may copy whole.
        keys = (f"{name}.data", *(() if stage.include or stage.exclude else (str(stage.source),)))
        sizes.update(dict.fromkeys(keys, size))
        at_least += () if whole else keys
    return Measured(sizes=sizes, at_least=tuple(sorted(set(at_least))), unmeasured=unmeasured)


async def month_so_far(effects: Effects) -> MonthState | None:
    """Return what the month has come to; None where no ledger answers soon."""
    try:
        found: MonthState = await effects.local(
            LedgerActivities.month,
            MonthQuery(),
            preset=presets.looking(PATIENCE, PATIENCE),
            summary="what has this month come to?",
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return None
    return found


def _copies(spec: PipelineSpec) -> Iterator[tuple[str, CopyStage]]:
    for name, stage in spec.stages.items():
        if isinstance(stage, CopyStage) and stage.source:
            yield name, stage


async def _measure(stage: CopyStage, effects: Effects) -> tuple[int, bool] | str:
    """Return what a source weighs and whether that is all of it, or why nobody knows."""
    try:
        return await _weigh(stage, effects)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return stage_error(error).message


async def _weigh(stage: CopyStage, effects: Effects) -> tuple[int, bool]:
    source = str(stage.source)
    on = stage.source_on or normalise(CLOUD_OF_SCHEME[locate(source).scheme])
    return await weigh(effects, on, source, stage.include, stage.exclude, presets.brief(), SIZING)
