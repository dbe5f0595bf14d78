"""What stands for the outputs of a stage that was skipped: looked at by the worker that can, before anybody relies on it."""

from contracts import presets
from contracts.artifacts import Artifact, ObjectStat
from contracts.fanout import GatherActivities, GatherRequest
from contracts.grants import MeasureRequest
from contracts.storage import StatRequest, StorageActivities
from workflows.context import RunContext


async def taken_over(context: RunContext, name: str) -> dict[str, Artifact]:
    """Return what was given for the outputs of a stage, as artifacts: they are there, and known by their digest.

    Raises:
        ActivityError: something is not there, or may not be read.
    """
    given = context.book.stage(name).substitutes
    folders = {output: uri for output, uri in given.items() if uri.endswith("/")}
    found = {
        output: await _file(context, name, uri) for output, uri in given.items() if output not in folders
    }
    if folders:
        found |= await _folders(context, name, folders)
    return {output: found[output] for output in given}


async def _folders(context: RunContext, name: str, folders: dict[str, str]) -> dict[str, Artifact]:
    gathered = await context.effects.call(
        GatherActivities.gather,
        GatherRequest(describe=folders, owner=f"{context.run.run_uid}/{name}"),
        on=context.placement(name).connection,
        preset=presets.moving(context.timeout(name)),
        stage=name,
        summary="look at what stands for its outputs",
    )
    return gathered.artifacts


async def _file(context: RunContext, name: str, uri: str) -> Artifact:
    on = context.placement(name).connection
    held = await context.effects.call(
        StorageActivities.stat,
        StatRequest(uri=uri),
        on=on,
        preset=presets.quick(context.timeout(name)),
        stage=name,
        summary="look at what stands for its output",
    )
    return Artifact(
        uri=uri,
        kind="file",
        size_bytes=held.size_bytes,
        object_count=1,
        digest=held.sha256 or await _digest(context, name, held),
        crc32c=held.crc32c,
        etag=held.etag,
        media_type=held.media_type,
    )


async def _digest(context: RunContext, name: str, held: ObjectStat) -> str:
    measured = await context.effects.call(
        StorageActivities.measure,
        MeasureRequest(objects=(held,)),
        on=context.placement(name).connection,
        preset=presets.moving(context.timeout(name)),
        stage=name,
        summary="read what stands for its output",
    )
    return measured.measures[0].sha256
