"""The columns of a Parquet file, read from its footer: a few kilobytes, whatever the file weighs.

BigQuery reads the rows itself. Only names and types are looked at here, so that a file that does not fit is refused by
column before anything is loaded. The footer is Thrift's compact protocol: https://github.com/apache/parquet-format.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAGIC = b"PAR1"
TAIL_BYTES = 8
"""At the end of a file: the footer's length, little-endian, and the magic."""
LONGEST_FOOTER = 64 * 1024 * 1024
_DEEPEST = 32
BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = range(8)
_UTF8, _ENUM, _DECIMAL, _DATE, _TIME_MILLIS, _TIME_MICROS, _TS_MILLIS, _TS_MICROS, _JSON = (
    0,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    19,
)
_LOGICAL = {1: "STRING", 4: "STRING", 5: "NUMERIC", 6: "DATE", 7: "TIME", 8: "TIMESTAMP", 12: "STRING"}
"""Members of `LogicalType` that say another type than their bytes: STRING, ENUM, DECIMAL, DATE, TIME, TIMESTAMP, JSON."""
_CONVERTED = {
    _UTF8: "STRING",
    _ENUM: "STRING",
    _JSON: "STRING",
    _DECIMAL: "NUMERIC",
    _DATE: "DATE",
    _TIME_MILLIS: "TIME",
    _TIME_MICROS: "TIME",
    _TS_MILLIS: "TIMESTAMP",
    _TS_MICROS: "TIMESTAMP",
}
_PHYSICAL = {
    BOOLEAN: "BOOLEAN",
    INT32: "INTEGER",
    INT64: "INTEGER",
    INT96: "TIMESTAMP",
    FLOAT: "FLOAT",
    DOUBLE: "FLOAT",
    BYTE_ARRAY: "BYTES",
    FIXED: "BYTES",
}


class NotParquet(ValueError):
    """The bytes are no footer of a Parquet file; says why."""


@dataclass(frozen=True)
class ParquetColumn:
    """A column as BigQuery would take it: https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet."""

    name: str
    type: str
    """Of BigQuery; `RECORD` for one that has columns of its own, `REPEATED` for a list."""
    scale: int = 0
    """Of a NUMERIC: decimal places of its whole numbers."""


def footer_size(tail: bytes) -> int:
    """Return how many bytes before a file's tail its footer has.

    Raises:
        NotParquet: the tail is none of a Parquet file, or of one whose columns are encrypted.
    """
    if len(tail) != TAIL_BYTES or tail[4:] != MAGIC:
        raise NotParquet("it does not end as a Parquet file does")
    size = int.from_bytes(tail[:4], "little")
    if not 0 < size <= LONGEST_FOOTER:
        raise NotParquet(f"its footer of {size} bytes is none")
    return size


def columns_of(footer: bytes) -> list[ParquetColumn]:
    """Return the columns that a footer lists, in their order.

    Raises:
        NotParquet: it cannot be read.
    """
    return metadata_of(footer)[0]


def metadata_of(footer: bytes) -> tuple[list[ParquetColumn], list[dict[int, Any]]]:
    """Return the columns, and the row groups by field number.

    Raises:
        NotParquet: it cannot be read.
    """
    try:
        read = _Reader(footer).struct()
        return list(_columns(read.get(2))), read.get(4) or []
    except (IndexError, TypeError, AttributeError, KeyError, UnicodeDecodeError, RecursionError) as error:
        raise NotParquet(f"its footer cannot be read ({type(error).__name__})") from None


def _columns(elements: Any) -> Iterator[ParquetColumn]:
    # The schema is a tree, depth first; the first element is its root.
    position = 1
    for _ in range(elements[0][5]):
        element = elements[position]
        yield ParquetColumn(element[4].decode(), _type_of(element), int(element.get(7) or 0))
        position = _after(elements, position)


def _after(elements: Any, position: int) -> int:
    left = 1
    while left:
        left += elements[position].get(5, 0) - 1
        position += 1
    return position


def _type_of(element: dict[int, Any]) -> str:
    repeated = 2
    if element.get(3) == repeated:
        return "REPEATED"
    if element.get(5):
        return "RECORD"
    logical = element.get(10)
    if logical:
        member, told = next(iter(logical.items()))
        if member == 8 and not told.get(1):
            # A time of no zone is a DATETIME to BigQuery.
            return "DATETIME"
        return _LOGICAL.get(member, _PHYSICAL[element[1]])
    return _CONVERTED.get(element.get(6, -1), _PHYSICAL[element[1]])


class _Reader:
    """Thrift's compact protocol, as far as metadata of Parquet uses it: structs become dicts by field number."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _DEEPEST:
            raise NotParquet("its footer is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while header := self._byte():
            delta, kind = header >> 4, header & 0x0F
            number = number + delta if delta else self._zigzag()
            fields[number] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int, *, listed: bool = False) -> Any:
        true, false, byte, i16, i32, i64, double, binary, array, group, struct = (
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            10,
            12,
        )
        if kind in (true, false):
            return self._byte() == true if listed else kind == true
        if kind == byte:
            return self._byte()
        if kind in (i16, i32, i64):
            return self._zigzag()
        if kind == double:
            return self._bytes(8)
        if kind == binary:
            return self._bytes(self._varint())
        if kind in (array, group):
            return self._list(depth)
        if kind == struct:
            return self.struct(depth + 1)
        raise NotParquet(f"its footer holds a value of the unknown kind {kind}")

    def _list(self, depth: int) -> list[Any]:
        header = self._byte()
        short, kind = header >> 4, header & 0x0F
        size = self._varint() if short == 15 else short
        return [self._value(kind, depth + 1, listed=True) for _ in range(size)]

    def _byte(self) -> int:
        found = self._content[self._at]
        self._at += 1
        return found

    def _bytes(self, size: int) -> bytes:
        found = self._content[self._at : self._at + size]
        if len(found) != size:
            raise IndexError
        self._at += size
        return found

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise NotParquet("its footer holds a number that is too long")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
