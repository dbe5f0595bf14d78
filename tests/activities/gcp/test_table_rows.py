"""What is read of files by ourselves: lines of JSON and footers of Parquet, whatever their bytes."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.gcp.json_rows import line_mistake
from activities.gcp.parquet_schema import NotParquet, ParquetColumn, columns_of, footer_size
from contracts.tables import Column

COLUMNS = (
    Column(name="n", type="INTEGER"),
    Column(name="text", type="STRING"),
    Column(name="day", type="DATE"),
)


def field(delta: int, kind: int, value: bytes) -> bytes:
    return bytes([delta << 4 | kind]) + value


def footer(*elements: bytes) -> bytes:
    """A footer that holds a version and a schema."""
    return field(1, 5, b"\x04") + field(1, 9, bytes([len(elements) << 4 | 12]) + b"".join(elements)) + b"\x00"


def element(name: bytes, physical: int, converted: int | None = None) -> bytes:
    found = field(1, 5, bytes([physical * 2])) + field(3, 8, bytes([len(name)]) + name)
    if converted is not None:
        found += field(2, 5, bytes([converted * 2]))
    return found + b"\x00"


ROOT = field(4, 8, b"\x06schema") + field(1, 5, b"\x06") + b"\x00"
THREE = footer(ROOT, element(b"n", 2), element(b"text", 6, 0), element(b"day", 1, 6))


def test_names_and_types_are_those_of_the_footer() -> None:
    assert columns_of(THREE) == [
        ParquetColumn("n", "INTEGER"),
        ParquetColumn("text", "STRING"),
        ParquetColumn("day", "DATE"),
    ]


@given(st.binary(max_size=400))
def test_any_bytes_are_columns_or_no_parquet(content: bytes) -> None:
    try:
        columns_of(content)
    except NotParquet:
        return


@given(st.integers(0, len(THREE) - 1), st.integers(0, 255))
def test_a_damaged_footer_is_columns_or_no_parquet(position: int, byte: int) -> None:
    damaged = bytearray(THREE)
    damaged[position] = byte
    try:
        columns_of(bytes(damaged))
    except NotParquet:
        return


@pytest.mark.parametrize(
    "tail", [b"", b"PAR1", b"\x04\x00\x00\x00PARE", b"\x00\x00\x00\x00PAR1", b"\xff\xff\xff\xffPAR1"]
)
def test_a_file_that_ends_otherwise_is_no_parquet(tail: bytes) -> None:
    with pytest.raises(NotParquet):
        footer_size(tail)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (1, True),
        ("1", True),
        (1.0, True),
        (1.5, False),
        (True, False),
        (2**63, False),
        ("x", False),
        ([1], False),
    ],
)
def test_an_integer_is_a_whole_number_or_a_text_that_says_one(value: object, fits: bool) -> None:
    told = line_mistake([json.dumps({"n": value}).encode()], COLUMNS)
    assert (told is None) == fits


def test_lines_are_read_one_at_a_time_and_empty_ones_have_no_row() -> None:
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for number in range(100_000):
            read += 1
            yield b"\n" if number % 2 else json.dumps({"n": number if number < 500 else "bad"}).encode()

    assert line_mistake(pieces(), COLUMNS) == 'line 251: column n: "bad" is no INTEGER'
    assert read < 5000


def test_a_line_that_is_no_utf_8_is_told() -> None:
    assert str(line_mistake([b'{"n": 1}\n{"text": "\xff"}\n'], COLUMNS)).startswith(
        "line 2: the text is not UTF-8"
    )
