"""CSV files against a schema: whether a header fits, and which row of which file does not."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from activities.pieces import Pieces
from contracts.tables import Column

HEADER_BYTES = 256 * 1024
"""A header ends within this many bytes: 10 000 columns of names as BigQuery allows them are rarely longer."""
SHOWN_CHARACTERS = 40
_BOOLEANS = frozenset({"true", "false", "t", "f", "yes", "no", "y", "n", "1", "0"})
_WHOLE = re.compile(r"\s*[+-]?\d+\s*")
_INT64 = 2**63


def header_mistake(content: bytes, columns: Sequence[Column]) -> str | None:
    """Return what is wrong with a file's first line, or None; names must be the schema's, in order."""
    wanted = [column.name for column in columns]
    try:
        # No name of the schema holds a line break, so the header is the first line whatever quotes say.
        found = next(_rows([content.partition(b"\n")[0]]), None)
    except (csv.Error, UnicodeDecodeError) as error:
        return f"line 1: no CSV in UTF-8 ({error})"
    if found is None:
        return f"line 1: the file is empty; its header should be {','.join(wanted)}"
    if found[1] == wanted:
        return None
    header = ",".join(found[1])
    return f"line 1: the header is {cut(header, 500)}; the schema says {cut(','.join(wanted), 500)}"


def row_mistake(content: Iterable[bytes], columns: Sequence[Column]) -> str | None:
    """Return the first row after the header that does not fit the schema, as `line N: why`, or None."""
    line = 1
    try:
        for number, (line, row) in enumerate(_rows(content)):
            mistake = _mistake(row, columns) if number else None
            if mistake:
                return f"line {line}: {mistake}"
    except UnicodeDecodeError as error:
        return f"after line {line}: the text is not UTF-8 ({error.reason})"
    except csv.Error as error:
        return f"after line {line}: {error}"
    return None


def _rows(content: Iterable[bytes]) -> Iterator[tuple[int, list[str]]]:
    """Read rows with the line each begins on; lines without anything are skipped, as the service does."""
    text = io.TextIOWrapper(io.BufferedReader(Pieces(content)), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    begins = 1
    for row in reader:
        if row:
            yield begins, row
        begins = reader.line_num + 1


def _mistake(row: list[str], columns: Sequence[Column]) -> str | None:
    if len(row) != len(columns):
        return f"{len(row)} fields, the schema has {len(columns)}"
    for column, value in zip(columns, row, strict=True):
        if value and not FITS[column.type](value):
            return f"column {column.name}: {cut(value, SHOWN_CHARACTERS)!r} is no {column.type}"
    return None


def _is_integer(value: str) -> bool:
    return bool(_WHOLE.fullmatch(value)) and -_INT64 <= int(value) < _INT64


def _is_float(value: str) -> bool:
    return _passes(float, value)


def _is_numeric(value: str) -> bool:
    try:
        return Decimal(value.strip()).is_finite()
    except InvalidOperation:
        return False


def _is_boolean(value: str) -> bool:
    return value.strip().lower() in _BOOLEANS


def _is_date(value: str) -> bool:
    return _passes(date.fromisoformat, value.strip())


def _is_timestamp(value: str) -> bool:
    text = value.strip().replace(" UTC", "+00:00")
    return _passes(datetime.fromisoformat, text) or _is_float(text)


def _passes(parse: Callable[[str], object], value: str) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True


FITS: dict[str, Callable[[str], bool]] = {
    "STRING": lambda value: True,
    "INTEGER": _is_integer,
    "FLOAT": _is_float,
    "NUMERIC": _is_numeric,
    "BOOLEAN": _is_boolean,
    "DATE": _is_date,
    "TIMESTAMP": _is_timestamp,
}


def cut(text: str, limit: int) -> str:
    """Return the text, or its beginning and a mark when it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
