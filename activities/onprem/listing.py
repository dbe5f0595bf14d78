"""Walking a folder in the order in which an object store lists names."""

import os
from collections.abc import Iterator
from pathlib import Path

from activities.onprem.places import Places


def names_below(places: Places, folder: Path, after: str | None) -> Iterator[str]:
    """Yield the names of files below a folder, relative to it and in order, that sort after another.

    Links to folders are not entered, so no loop is; a file that is a link counts if it stays below the root.
    """
    if folder.is_dir():
        yield from _walk(places, folder, "", after or "")


def _walk(places: Places, folder: Path, prefix: str, after: str) -> Iterator[str]:
    with os.scandir(folder) as scanned:
        entries = sorted(scanned, key=_sort_key)
    for entry in entries:
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            below = f"{name}/"
            # Everything below sorts before `after` unless `after` itself lies there.
            passed = below <= after and not after.startswith(below)
            if not passed and places.holds(Path(entry.path)):
                yield from _walk(places, Path(entry.path), below, after)
        elif name > after and entry.is_file() and places.holds(Path(entry.path)):
            yield name


def _sort_key(entry: os.DirEntry[str]) -> str:
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
