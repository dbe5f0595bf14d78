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
    if not (_bounded(spec) or open_places(spec)) or not workflow.patched(WEIGHED):
        return Measured(sizes=kept), None
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


def _bounded(spec: PipelineSpec) -> bool:
    """Whether the pipeline says how much it may cost or send."""
    rules = spec.policy
    limits = (rules.max_egress.run, rules.max_egress.month) if rules else ()
    return any(limit is not None for limit in (spec.budget, spec.max_egress, *limits))


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
