"""What lies in a store already: looked at by the worker that can, before anybody relies on it."""

from contracts import presets
from contracts.artifacts import Artifact, ObjectStat
from contracts.fanout import GatherActivities, GatherRequest
from contracts.grants import MeasureRequest
from contracts.storage import StatRequest, StorageActivities
from workflows.context import RunContext


async def described(context: RunContext, name: str, on: str, uris: dict[str, str]) -> dict[str, Artifact]:
    """Return what lies on a connection as artifacts for a stage: they are there, and known by their digest.

    Raises:
        ActivityError: something is not there, or may not be read.
    """
    folders = {output: uri for output, uri in uris.items() if uri.endswith("/")}
    found = {
        output: await _file(context, name, on, uri) for output, uri in uris.items() if output not in folders
    }
    if folders:
        found |= await _folders(context, name, on, folders)
    return {output: found[output] for output in uris}


async def _folders(context: RunContext, name: str, on: str, folders: dict[str, str]) -> dict[str, Artifact]:
    gathered = await context.effects.call(
        GatherActivities.gather,
        GatherRequest(describe=folders, owner=f"{context.run.run_uid}/{name}"),
        on=on,
        preset=presets.moving(context.timeout(name)),
        stage=name,
        summary="look at what is there",
    )
    return gathered.artifacts


async def _file(context: RunContext, name: str, on: str, uri: str) -> Artifact:
    held = await context.effects.call(
        StorageActivities.stat,
        StatRequest(uri=uri),
        on=on,
        preset=presets.quick(context.timeout(name)),
        stage=name,
        summary="look at what is there",
    )
    return Artifact(
        uri=uri,
        kind="file",
        size_bytes=held.size_bytes,
        object_count=1,
        digest=held.sha256 or await _digest(context, name, on, held),
        crc32c=held.crc32c,
        etag=held.etag,
        media_type=held.media_type,
    )


async def _digest(context: RunContext, name: str, on: str, held: ObjectStat) -> str:
    measured = await context.effects.call(
        StorageActivities.measure,
        MeasureRequest(objects=(held,)),
        on=on,
        preset=presets.moving(context.timeout(name)),
        stage=name,
        summary="read what is there",
    )
    return measured.measures[0].sha256
