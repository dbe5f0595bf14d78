"""Rows of an artifact, one after the other, whatever its size: CSV with a header, or JSON lines."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from activities.listed import objects_below
from activities.pieces import Pieces
from activities.store import Store
from contracts.artifacts import Artifact, ObjectStat
from contracts.endpoints import RowFormat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.units import MIB

Row = Any
"""What JSON can say; of CSV an object of texts."""
CELL_LIMIT = 16 * MIB


class Rows:
    """The rows of one artifact in one store."""

    def __init__(self, store: Store, data: Artifact, form: RowFormat) -> None:
        self._store = store
        self._data = data
        self._form = form

    def objects(self) -> list[ObjectStat]:
        """Return the files that hold the rows, in the order of their names.

        Raises:
            ApplicationError: `SOURCE_MISSING`.
        """
        if self._data.kind == "file":
            held = self._store.stat(self._data.uri)
            found = [held] if held else []
        else:
            found = list(objects_below(self._store, self._data.uri))
        if not found:
            told = f"{self._data.uri} holds no rows: nothing lies there"
            raise failure(ErrorKind.SOURCE_MISSING, told, ErrorDetail(ref=self._data.uri))
        return found

    def of(self, held: ObjectStat) -> Iterator[Row]:
        """Read one file.

        Raises:
            ApplicationError: `INVALID_REQUEST`, it is not what the format says; the message names file and row.
        """
        stream = io.TextIOWrapper(
            io.BufferedReader(Pieces(self._store.read(held)), MIB), "utf-8-sig", newline=""
        )
        read = _csv if self._form == "csv" else _json_lines
        number = 0
        try:
            for row in read(stream):
                number += 1
                yield row
        except (ValueError, csv.Error) as error:
            told = f"{held.uri}: what follows row {number} is not {self._form}: {error}"
            raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=held.uri)) from None


def _csv(stream: io.TextIOWrapper) -> Iterator[Row]:
    csv.field_size_limit(CELL_LIMIT)
    reader = csv.reader(stream, strict=True)
    names = next(reader, [])
    if len(set(names)) != len(names):
        raise ValueError("a column's name occurs twice in the header")
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(names):
            raise ValueError(f"{len(cells)} cells under {len(names)} names")
        yield dict(zip(names, cells, strict=True))


def _json_lines(stream: io.TextIOWrapper) -> Iterator[Row]:
    for line in stream:
        if line.strip():
            yield json.loads(line)
