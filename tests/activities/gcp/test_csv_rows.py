import pytest

from activities.gcp.csv_rows import header_mistake, row_mistake
from contracts.tables import Column, ColumnType

COLUMNS = (Column(name="id", type="INTEGER"), Column(name="label", type="STRING"))


@pytest.mark.parametrize(
    "content",
    [
        b"id,label\n1,x\n",
        b"id,label\r\n",
        b"id,label",
        b"\xef\xbb\xbfid,label\n",
        b'"id","label"\n',
        b"id,label\n\xff",
    ],
    ids=["plain", "crlf", "no line end", "byte order mark", "quoted", "damage further down"],
)
def test_a_header_with_the_schemas_names_in_order_fits(content: bytes) -> None:
    assert header_mistake(content, COLUMNS) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"label,id\n", b"id\n", b"id;label\n", b"ID,label\n", b"id,label,more\n", b"\xff\xfe,label\n"],
    ids=["empty", "order", "too few", "other delimiter", "case", "too many", "no text"],
)
def test_any_other_header_is_refused_with_its_line(content: bytes) -> None:
    told = header_mistake(content, COLUMNS)
    assert told
    assert told.startswith("line 1: ")


def test_the_first_row_that_does_not_fit_is_named_with_the_line_it_begins_on() -> None:
    content = [b'id,label\n1,"two\nlines"\n', b"\nab", b"c,x\nzzz,x\n"]
    assert row_mistake(content, COLUMNS) == "line 5: column id: 'abc' is no INTEGER"


def test_a_row_of_another_length_is_named() -> None:
    assert row_mistake([b"id,label\n1,x\n2\n"], COLUMNS) == "line 3: 1 fields, the schema has 2"


def test_rows_that_fit_are_no_mistake() -> None:
    assert row_mistake([b"id,label\n1,x\n,\n"], COLUMNS) is None


@pytest.mark.parametrize(
    "content", [b"id,label\n1,\xff\n", b'id,label\n1,"open\n'], ids=["no UTF-8", "open quote"]
)
def test_text_that_is_no_csv_is_named(content: bytes) -> None:
    told = row_mistake([content], COLUMNS)
    assert told
    assert "line 1" in told


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        ("INTEGER", "-9223372036854775808", "9223372036854775808"),
        ("INTEGER", " 7 ", "7.0"),
        ("FLOAT", "1e-3", "1,5"),
        ("NUMERIC", "12.50", "NaN"),
        ("BOOLEAN", "TRUE", "maybe"),
        ("DATE", "2026-11-22", "22.11.2026"),
        ("TIMESTAMP", "2026-11-22 10:00:00 UTC", "yesterday"),
        ("TIMESTAMP", "1700000000", "10 o'clock"),
    ],
)
def test_a_value_fits_its_type_or_not(column: ColumnType, good: str, bad: str) -> None:
    columns = (Column(name="value", type=column), Column(name="rest", type="STRING"))
    assert row_mistake([f'value,rest\n"{good}",x\n'.encode()], columns) is None
    assert row_mistake([f'value,rest\n"{bad}",x\n'.encode()], columns) is not None
