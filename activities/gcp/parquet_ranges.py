"""Which rows of a Parquet file a table cannot hold, as far as its footer tells: the least and greatest value of each column.

Row groups have them; nothing else of the file is read. Ranges of BigQuery:
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from activities.gcp.parquet_schema import INT32, INT64, ParquetColumn, metadata_of

_EPOCH = date(1970, 1, 1).toordinal()
_HELD = {
    "NUMERIC": (1 - Decimal(10) ** 29, Decimal(10) ** 29 - 1),
    "DATE": (Decimal(date.min.toordinal() - _EPOCH), Decimal(date.max.toordinal() - _EPOCH)),
}
"""What columns hold, to the whole number; of days those since 1970, in the years 1 to 9999."""
_TOLD = {"NUMERIC": "{:.6g}", "DATE": "day {:.0f} after 1970-01-01"}


def value_mistake(footer: bytes) -> str | None:
    """Return which rows hold a value that no column of their type can; None where the footer tells of none.

    Raises:
        NotParquet: it cannot be read.
    """
    columns, groups = metadata_of(footer)
    try:
        return next(_mistakes({column.name: column for column in columns}, groups), None)
    except (AttributeError, TypeError, ValueError):
        return None


def _mistakes(columns: dict[str, ParquetColumn], groups: Sequence[dict[int, Any]]) -> Iterator[str]:
    first = 1
    for number, group in enumerate(groups, 1):
        last = first + group.get(3, 0) - 1
        for column, value in _extremes(group, columns):
            least, greatest = _HELD[column.type]
            if not least <= value <= greatest:
                told = _TOLD[column.type].format(value)
                rows = f"row group {number}, rows {first} to {last}"
                yield f"{rows}: column {column.name} has {told}, out of the range of {column.type}"
        first = last + 1


def _extremes(
    group: dict[int, Any], columns: dict[str, ParquetColumn]
) -> Iterator[tuple[ParquetColumn, Decimal]]:
    """Return each column's least and greatest value, where a writer that orders numbers as numbers says them."""
    for chunk in group.get(1, ()):
        about = chunk.get(3, {})
        column = columns.get(b".".join(about.get(3, ())).decode(errors="replace"))
        if column is None or column.type not in _HELD:
            continue
        order: Literal["little", "big"] = "little" if about.get(1) in {INT32, INT64} else "big"
        for raw in (about.get(12, {}).get(6), about.get(12, {}).get(5)):
            if raw is not None:
                yield column, Decimal(int.from_bytes(raw, order, signed=True)).scaleb(-column.scale)
