"""What a load knows of each format of files: which files they are, what BigQuery is told, what can be seen beforehand."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from activities.gcp import csv_rows, json_rows
from activities.gcp.parquet_ranges import value_mistake
from activities.gcp.parquet_schema import TAIL_BYTES, NotParquet, columns_of, footer_size
from activities.store import Store
from contracts.artifacts import ObjectStat
from contracts.tables import Column, TableFormat

BEGINNING_BYTES = csv_rows.HEADER_BYTES
Look = Callable[[Store, ObjectStat, Sequence[Column]], str | None]
Explain = Callable[[Iterable[bytes], Sequence[Column]], str | None]


@dataclass(frozen=True)
class FileFormat:
    """One format."""

    suffixes: tuple[str, ...]
    """Of the objects of a folder that are loaded."""
    options: dict[str, Any]
    """Of the load job."""
    look: Look
    """Return what is wrong with a file, as far as a small read of it tells; made before anything is loaded."""
    explain: Explain | None = None
    """Return which row of a refused file does not fit; None where only BigQuery can read rows."""
    explain_by_look: Look | None = None
    """Where rows are not read: return which of them do not fit, as far as a small read of the file tells."""

    @property
    def shown(self) -> str:
        """The suffixes, for a person."""
        return " or ".join(self.suffixes)


def beginning(file: ObjectStat, limit: int) -> ObjectStat:
    """Return the file as if it ended after so many bytes."""
    return file.model_copy(update={"size_bytes": min(file.size_bytes, limit)})


def _csv_header(store: Store, file: ObjectStat, columns: Sequence[Column]) -> str | None:
    return csv_rows.header_mistake(b"".join(store.read(beginning(file, BEGINNING_BYTES))), columns)


def _json_beginning(store: Store, file: ObjectStat, columns: Sequence[Column]) -> str | None:
    head = b"".join(store.read(beginning(file, BEGINNING_BYTES)))
    if file.size_bytes > len(head) and b"\n" not in head:
        return None
    return json_rows.beginning_mistake(head, columns)


def _parquet_footer(store: Store, file: ObjectStat) -> bytes:
    if file.size_bytes < TAIL_BYTES:
        raise NotParquet("it does not end as a Parquet file does")
    end = file.size_bytes - TAIL_BYTES
    size = footer_size(b"".join(store.read(file, end, TAIL_BYTES)))
    if size > end:
        raise NotParquet(f"its footer of {size} bytes is none")
    return b"".join(store.read(file, end - size, size))


def _parquet_values(store: Store, file: ObjectStat, columns: Sequence[Column]) -> str | None:
    try:
        return value_mistake(_parquet_footer(store, file))
    except NotParquet as error:
        return f"is no Parquet file: {error}"


def _parquet_columns(store: Store, file: ObjectStat, columns: Sequence[Column]) -> str | None:
    try:
        found = columns_of(_parquet_footer(store, file))
    except NotParquet as error:
        return f"is no Parquet file: {error}"
    names = [column.name for column in found]
    wanted = [column.name for column in columns]
    if names != wanted:
        told, said = csv_rows.cut(",".join(names), 500), csv_rows.cut(",".join(wanted), 500)
        return f"has the columns {told}; the schema says {said}"
    for held, column in zip(found, columns, strict=True):
        if held.type != column.type:
            return f"column {column.name}: {held.type} in the file, {column.type} in the schema"
    return None


FORMATS: dict[TableFormat, FileFormat] = {
    "csv": FileFormat(
        suffixes=(".csv",),
        options={
            "source_format": "CSV",
            "skip_leading_rows": 1,
            "encoding": "UTF-8",
            "allow_quoted_newlines": True,
        },
        look=_csv_header,
        explain=csv_rows.row_mistake,
    ),
    "jsonl": FileFormat(
        suffixes=(".jsonl", ".ndjson"),
        options={"source_format": "NEWLINE_DELIMITED_JSON", "encoding": "UTF-8"},
        look=_json_beginning,
        explain=json_rows.line_mistake,
    ),
    "parquet": FileFormat(
        suffixes=(".parquet",),
        options={"source_format": "PARQUET"},
        look=_parquet_columns,
        explain_by_look=_parquet_values,
    ),
}
