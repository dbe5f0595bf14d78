"""What a run takes over from another: what would come out the same, looked at before anybody relies on it."""

from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts.artifacts import Artifact
from contracts.fingerprints import fingerprint
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
    try:
        found = await described(context, name, on, {output: one.uri for output, one in held.items()})
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        context.book.note(name, f"what was there cannot be used: {stage_error(error).message}"[:300])
        return False
    return all(found[output].digest == one.digest for output, one in held.items())
