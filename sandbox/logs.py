"""What the servers printed: the end of it, and following it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

_END_BYTES = 64 * 1024
_LARGE_BYTES = 8 * 1024 * 1024


def end_of(log: Path, lines: int, start: int = 0) -> list[str]:
    """The last lines of a log that were written after byte `start`. A missing log has none."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(start, size - _END_BYTES))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]


def follow(log: Path) -> Iterator[str]:
    """Each line that is added from now on, until the caller stops asking."""
    log.touch()
    with log.open(errors="replace") as stream:
        stream.seek(0, 2)
        while True:
            if line := stream.readline():
                yield line.rstrip("\n")
            else:
                time.sleep(0.2)


def keep_small(log: Path) -> None:
    """Set a large log aside, keeping one older generation, before its server starts again."""
    if log.exists() and log.stat().st_size > _LARGE_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
