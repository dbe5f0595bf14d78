"""What a source weighs, as its own store lists it."""

from collections.abc import Sequence

from contracts.presets import Preset
from contracts.storage import ListRequest, StatRequest, StorageActivities
from workflows.effects import Effects

PAGES = 20
"""Pages of a folder that are counted at most; one of more objects weighs at least what they do."""


async def weigh(
    effects: Effects,
    on: str,
    uri: str,
    include: Sequence[str],
    exclude: Sequence[str],
    preset: Preset,
    stage: str,
) -> tuple[int, bool]:
    """Return the bytes of what is meant below a URI, or of the object that it is, and whether that is all.

    Raises:
        ActivityError: the store does not say.
    """
    if not uri.endswith("/"):
        found = await effects.call(
            StorageActivities.stat,
            StatRequest(uri=uri),
            on=on,
            preset=preset,
            stage=stage,
            summary="weigh the source",
        )
        return found.size_bytes, True
    size, after = 0, None
    for _ in range(PAGES):
        asked = ListRequest(prefix=uri, after=after, include=tuple(include), exclude=tuple(exclude))
        page = await effects.call(
            StorageActivities.list, asked, on=on, preset=preset, stage=stage, summary="weigh the source"
        )
        size += sum(one.size_bytes for one in page.objects)
        after = page.next_after
        if after is None:
            return size, True
    return size, False
