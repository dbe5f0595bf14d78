"""All objects below a prefix, page by page."""

from collections.abc import Iterator

from activities.store import Store
from contracts.artifacts import ObjectStat
from contracts.storage import PAGE_OBJECTS


def objects_below(store: Store, prefix: str) -> Iterator[ObjectStat]:
    """Yield every object below a prefix, but none that only stands for a folder."""
    after: str | None = None
    while True:
        page = store.list(prefix, after, PAGE_OBJECTS)
        # Consoles and mounts leave empty objects that stand for folders.
        yield from (held for held in page.objects if not held.uri.endswith("/"))
        after = page.next_after
        if after is None:
            return
