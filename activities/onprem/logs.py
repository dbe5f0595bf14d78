"""Lines of a log file: the last ones, or those after a place, never more than a bounded piece of it."""

from pathlib import Path

from contracts.errors import ErrorKind, failure
from contracts.jobs import LOG_BEGINNING, LogPage

_PIECE_BYTES = 256 * 1024
_LINE_LIMIT = 2000


def read_log(path: Path, tail: int, after: str | None, *, final: bool = False) -> LogPage:
    """Return lines, oldest first; the token is the byte offset up to which they were read.

    A line that is still being written is left for the next page, unless it alone fills this one or there is no next.

    Raises:
        ApplicationError: `INVALID_REQUEST` for a token that this log did not give.
    """
    if not path.is_file():
        return LogPage(lines=(), next_after=after)
    size = path.stat().st_size
    start = _offset(after) if after is not None else max(0, size - _PIECE_BYTES)
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(_PIECE_BYTES)
    whole = content[: content.rfind(b"\n") + 1]
    if not final and (whole or len(content) < _PIECE_BYTES):
        content = whole
    lines = [line[:_LINE_LIMIT] for line in content.decode(errors="replace").splitlines()]
    chosen = lines if after is not None else lines[max(0, len(lines) - tail) :]
    return LogPage(lines=tuple(chosen), next_after=str(start + len(content)))


def _offset(after: str) -> int:
    if after == LOG_BEGINNING:
        return 0
    if not after.isdecimal():
        raise failure(ErrorKind.INVALID_REQUEST, f"{after!r} is no place in this log")
    return int(after)
