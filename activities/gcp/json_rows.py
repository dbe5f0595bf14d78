"""JSON lines against a schema: which line of a file does not fit. One line is held at a time."""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from activities.gcp.csv_rows import FITS, SHOWN_CHARACTERS, cut
from activities.pieces import Pieces
from contracts.tables import Column

LONGEST_LINE = 100 * 1024 * 1024
"""The longest row that BigQuery takes: https://cloud.google.com/bigquery/quotas#load_jobs."""


def beginning_mistake(content: bytes, columns: Sequence[Column]) -> str | None:
    """Return what is wrong with the first whole lines of a file, or None; a file without any line has no rows."""
    whole = content[: content.rfind(b"\n") + 1] or content
    return line_mistake([whole], columns)


def line_mistake(content: Iterable[bytes], columns: Sequence[Column]) -> str | None:
    """Return the first line that does not fit the schema, as `line N: why`, or None."""
    types = {column.name: column.type for column in columns}
    for number, line in enumerate(_lines(content), start=1):
        mistake = _mistake(line, types) if line.strip() else None
        if mistake:
            return f"line {number}: {mistake}"
    return None


def _lines(content: Iterable[bytes]) -> Iterator[bytes]:
    stream = io.BufferedReader(Pieces(content))
    while line := stream.readline(LONGEST_LINE + 1):
        yield line


def _mistake(line: bytes, types: Mapping[str, str]) -> str | None:
    if len(line) > LONGEST_LINE:
        return f"longer than the {LONGEST_LINE // 1024**2} MiB that BigQuery takes"
    try:
        row = json.loads(line)
    except UnicodeDecodeError as error:
        return f"the text is not UTF-8 ({error.reason})"
    except ValueError as error:
        return f"no JSON ({error})"
    if not isinstance(row, dict):
        return f"{cut(json.dumps(row), SHOWN_CHARACTERS)} is no object of columns"
    return next((found for name, value in row.items() if (found := _wrong(name, value, types))), None)


def _wrong(name: str, value: Any, types: Mapping[str, str]) -> str | None:
    if name not in types:
        return f"the column {cut(name, SHOWN_CHARACTERS)} is not in the schema, which says {cut(','.join(types), 500)}"
    if value is None or _TAKES[types[name]](value):
        return None
    return f"column {name}: {cut(json.dumps(value), SHOWN_CHARACTERS)} is no {types[name]}"


def _as_text(kind: str) -> Callable[[Any], bool]:
    """What BigQuery reads from a number or from a text that says it."""

    def takes(value: Any) -> bool:
        if isinstance(value, bool):
            return kind == "BOOLEAN"
        if isinstance(value, float) and kind == "INTEGER":
            return value.is_integer()
        return isinstance(value, str | int | float) and FITS[kind](str(value))

    return takes


_TAKES: dict[str, Callable[[Any], bool]] = {
    "STRING": lambda value: isinstance(value, str | int | float | bool),
    "DATE": lambda value: isinstance(value, str) and FITS["DATE"](value),
    **{kind: _as_text(kind) for kind in ("INTEGER", "FLOAT", "NUMERIC", "BOOLEAN", "TIMESTAMP")},
}
