"""What a run takes over from another: what would come out the same, looked at before anybody relies on it."""

from typing import Any

from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.artifacts import Artifact
from contracts.caching import CacheActivities, FindRequest, KeepRequest, Kept
from contracts.fingerprints import fingerprint
from contracts.inference import BatchPredictStage
from contracts.marks import marked
from contracts.model import Message
from contracts.runs import workflow_id
from contracts.stages import JobStage
from workflows.context import RunContext
from workflows.described import described
from workflows.failures import stage_error
from workflows.outcomes import Outcome, StageFailed
from workflows.values import value_of


def fingerprint_of(context: RunContext, name: str) -> str:
    """Return the fingerprint of a stage whose needs have ended; empty where something that it names is not there."""
    spec, book = context.request.spec, context.book
    code = {folder: bundle.digest for folder, bundle in context.request.bundles.items()}
    try:
        return fingerprint(spec, name, code, book.output, lambda reference: value_of(reference, spec, book))
    except (StageFailed, KeyError):
        return ""


async def taken_over(context: RunContext, name: str, mark: str) -> Outcome | None:
    """Return what another run left of a stage with the same fingerprint; None where the stage must be run.

    A stage that was tried already, and that a person has tried again, is run.
    """
    earlier = context.request.earlier
    held = earlier.stages.get(name) if earlier else None
    if earlier is None or held is None or not mark or held.fingerprint != mark:
        return None
    if context.book.stage(name).attempts:
        return None
    context.book.note(name, f"looking at what {earlier.run_id} left")
    if not await _still_there(context, name, held.connection, held.outputs):
        return None
    return Outcome(
        outputs=held.outputs,
        metrics=held.metrics,
        rows=held.rows,
        shown=held.shown,
        fanout=held.fanout,
        fingerprint=mark,
        taken_from=held.taken_from or earlier.run_id,
    )


async def found_kept(context: RunContext, name: str, mark: str) -> Outcome | None:
    """Return what any run left of a stage with the same fingerprint, where the stage asks for that; see `taken_over`."""
    if not _cached(context, name, mark) or context.book.stage(name).attempts:
        return None
    context.book.note(name, "looking whether it was done before")
    try:
        found = await _ask(
            context, name, CacheActivities.find, FindRequest(fingerprint=mark), "was it done before?"
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return None
    kept: Kept | None = found.kept
    on = context.placement(name).connection
    if kept is None or not await _still_there(context, name, on, kept.outputs):
        return None
    return Outcome(
        outputs=kept.outputs,
        metrics=kept.metrics,
        fanout=kept.fanout,
        fingerprint=mark,
        taken_from=kept.run_id,
    )


async def keep(context: RunContext, name: str, outcome: Outcome) -> None:
    """Keep for any run what a stage left, where it asks for that; what cannot be kept is told and fails nothing."""
    if not _cached(context, name, outcome.fingerprint):
        return
    run_id = workflow_id(context.run.pipeline, context.run.key)
    kept = Kept(run_id=run_id, outputs=outcome.outputs, metrics=outcome.metrics, fanout=outcome.fanout)
    asked = KeepRequest(fingerprint=outcome.fingerprint, kept=kept)
    try:
        await _ask(context, name, CacheActivities.keep, asked, "keep the result for other runs")
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        held = context.book.stage(name)
        told = f"the result could not be kept for other runs: {stage_error(error).message}"
        context.book.change(name, history=(*held.history, told[:300]))


def _cached(context: RunContext, name: str, mark: str) -> bool:
    stage = context.request.spec.stages[name]
    return bool(mark) and isinstance(stage, JobStage | BatchPredictStage) and stage.cache


async def _ask(context: RunContext, name: str, method: Any, request: Message, summary: str) -> Any:
    return await context.effects.call(
        method,
        request,
        on=context.placement(name).connection,
        preset=presets.quick(context.timeout(name)),
        stage=name,
        summary=summary,
    )


async def brought_before(context: RunContext, stage: str, artifact: Artifact, to: str) -> Artifact | None:
    """Return an artifact as another run brought it to a connection, if it still lies there."""
    earlier = context.request.earlier
    for moved in earlier.transfers if earlier else ():
        held = moved.result
        same = (held.kind, held.digest) == (artifact.kind, artifact.digest)
        if moved.destination == to and same and await _still_there(context, stage, to, {"data": held}):
            return held
    return None


async def _still_there(context: RunContext, name: str, on: str, held: dict[str, Artifact]) -> bool:
    """Whether everything lies where it did, with the same content; what cannot be read is not there for this run."""
    if not held:
        return True
    classes = set(context.placement(name).classes)
    if not all(classes <= set(marked(one.uri)) for one in held.values()):
        # Where it lies nobody would know what it is.
        return False
    try:
        found = await described(context, name, on, {output: one.uri for output, one in held.items()})
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        context.book.note(name, f"what was there cannot be used: {stage_error(error).message}"[:300])
        return False
    return all(found[output].digest == one.digest for output, one in held.items())
