"""JSON lines and Parquet: loaded as they are, or refused by file and line or column; the table is never half loaded."""

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.gcp.table_files import TableFiles
from activities.gcp.table_formats import FORMATS
from contracts.errors import ErrorKind
from contracts.tables import (
    TableFormat,
)
from sandbox.layout import Layout
from tests.activities.gcp.desk import COLUMNS, Desk, refusal

LINE = {
    "id": 1,
    "label": "a\nb",
    "score": 0.5,
    "price": "1.25",
    "good": True,
    "day": "2026-11-22",
    "moment": "2026-11-22T10:00:00Z",
}


def lines(*rows: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def test_json_lines_of_a_folder_are_loaded_and_what_a_line_leaves_out_is_null(desk: Desk) -> None:
    desk.file("1.jsonl", lines(LINE, {"id": 2, "label": None}))
    desk.file("2.ndjson", lines({"id": 3}))
    desk.file("notes.json", "no lines")
    assert desk.load(form="jsonl").rows == 3
    shown = desk.query(f"SELECT * FROM {desk.table} ORDER BY id").shown
    assert shown[0] == LINE | {"price": "1.250000000", "moment": "2026-11-22T10:00:00+00:00"}
    assert set(shown[2].values()) == {3, None}


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (lines(LINE, LINE) + lines(LINE | {"id": "abc"}), '2.jsonl line 3: column id: "abc" is no INTEGER'),
        (lines(LINE, LINE | {"other": 1}), "2.jsonl line 2: the column other is not in the schema"),
        (lines(LINE) + "[1]\n", "2.jsonl line 2: [1] is no object of columns"),
        (lines(LINE) + "{no\n", "2.jsonl line 2: no JSON"),
    ],
    ids=["value", "column", "no object", "no JSON"],
)
def test_a_line_of_json_that_does_not_fit_is_named_and_leaves_the_table(
    desk: Desk, bad: str, told: str
) -> None:
    desk.file("1.jsonl", lines(LINE))
    desk.load(form="jsonl")
    desk.file("2.jsonl", bad)
    with pytest.raises(ApplicationError) as raised:
        desk.load(form="jsonl")
    kind, message = refusal(raised)
    assert kind == ErrorKind.INVALID_REQUEST
    assert f"{desk.prefix}{told}" in message
    assert desk.rows == 1


def test_a_line_far_down_that_does_not_fit_is_found_after_bigquery_refused_it(desk: Desk) -> None:
    rows = [{"id": number, "label": "x" * 100} for number in range(5000)]
    desk.file("1.jsonl", lines(*rows, {"id": "late"}))
    with pytest.raises(ApplicationError) as raised:
        desk.load(form="jsonl")
    assert f'1.jsonl line {len(rows) + 1}: column id: "late" is no INTEGER' in refusal(raised)[1]


@pytest.mark.parametrize(("form", "row"), [("csv", "1,x\n"), ("jsonl", '{"id": 1, "label": "x"}\n')])
def test_a_row_that_is_cut_where_reading_ends_is_none_that_does_not_fit(
    desk: Desk, form: TableFormat, row: str
) -> None:
    file = desk.file("rows", ("id,label\n" if form == "csv" else "") + 20 * row + row.replace("1", "bad"))
    files = TableFiles(desk.store, file, FORMATS[form], COLUMNS[:2], explain_bytes=file.size_bytes - 12)
    assert files.bad_row(file.uri) is None
    whole = TableFiles(desk.store, file, FORMATS[form], COLUMNS[:2]).bad_row(file.uri)
    assert whole is not None
    assert "column id" in whole.message or "no JSON" in whole.message


PARQUET = (
    "SELECT 1::BIGINT AS id, 'a'::VARCHAR AS label, 0.5::DOUBLE AS score, 1.25::DECIMAL(20, 2) AS price, "
    "true AS good, DATE '2026-11-22' AS day, TIMESTAMPTZ '2026-11-22 10:00:00+00' AS moment"
)


def parquet(tmp_path: Path, select: str) -> bytes:
    """A file as DuckDB writes it, which the local BigQuery brings along."""
    path = tmp_path / f"{uuid.uuid4().hex}.parquet"
    program = "import duckdb, sys; duckdb.sql(f\"COPY ({sys.argv[1]}) TO '{sys.argv[2]}' (FORMAT PARQUET)\")"
    python = Layout.from_environment().tools / "bigquery" / "bin" / "python"
    subprocess.run([python, "-c", program, select, str(path)], check=True)
    return path.read_bytes()


def test_parquet_is_loaded_and_reads_back(desk: Desk, tmp_path: Path) -> None:
    desk.file("1.parquet", parquet(tmp_path, PARQUET))
    desk.file("2.parquet", parquet(tmp_path, f"SELECT * REPLACE (2::BIGINT AS id) FROM ({PARQUET})"))
    assert desk.load(form="parquet").rows == 2
    shown = desk.query(f"SELECT * FROM {desk.table} ORDER BY id").shown
    assert [row["id"] for row in shown] == [1, 2]
    assert shown[0]["price"] == "1.250000000"
    assert shown[0]["moment"] == "2026-11-22T10:00:00+00:00"


@pytest.mark.parametrize(
    ("select", "told"),
    [
        (
            f"SELECT * REPLACE ('1' AS id) FROM ({PARQUET})",
            "column id: STRING in the file, INTEGER in the schema",
        ),
        (
            f"SELECT * REPLACE (now()::TIMESTAMP AS moment) FROM ({PARQUET})",
            "column moment: DATETIME in the file, TIMESTAMP in the schema",
        ),
        (f"SELECT * REPLACE ([1] AS id) FROM ({PARQUET})", "column id: RECORD in the file"),
        (f"SELECT * REPLACE ('x'::BLOB AS label) FROM ({PARQUET})", "column label: BYTES in the file"),
        (
            f"SELECT * EXCLUDE (day) FROM ({PARQUET})",
            "has the columns id,label,score,price,good,moment; the schema",
        ),
        (None, "is no Parquet file: it does not end as a Parquet file does"),
    ],
    ids=["text", "no zone", "list", "bytes", "missing", "no parquet"],
)
def test_parquet_that_does_not_fit_is_told_by_file_and_column_and_leaves_the_table(
    desk: Desk, tmp_path: Path, select: str | None, told: str
) -> None:
    desk.file("1.parquet", parquet(tmp_path, PARQUET))
    desk.load(form="parquet")
    desk.file("2.parquet", parquet(tmp_path, select) if select else b"no parquet at all")
    with pytest.raises(ApplicationError) as raised:
        desk.load(form="parquet")
    kind, message = refusal(raised)
    assert kind == ErrorKind.INVALID_REQUEST
    assert f"{desk.prefix}2.parquet {told}" in message
    assert desk.rows == 1


def test_a_value_of_parquet_that_no_column_holds_is_told_by_file_and_rows_and_leaves_the_table(
    desk: Desk, tmp_path: Path
) -> None:
    good = parquet(tmp_path, PARQUET)
    desk.file("1.parquet", good)
    desk.load(form="parquet")
    price = "(CASE WHEN n < 122880 THEN 1 ELSE 1e36 END)::DECIMAL(38, 0) AS price"
    rows = f"SELECT * EXCLUDE (n) REPLACE ({price}) FROM ({PARQUET}), range(122882) AS r(n)"
    desk.file("2.parquet", parquet(tmp_path, rows))
    with pytest.raises(ApplicationError) as raised:
        desk.load(form="parquet")
    found, message = refusal(raised)
    assert found == ErrorKind.INVALID_REQUEST
    told = "row group 2, rows 122881 to 122882: column price has 1.00000e+36, out of the range of NUMERIC"
    assert f"{desk.prefix}2.parquet {told}" in message
    assert desk.rows == 1


def test_of_a_row_of_parquet_that_no_footer_tells_the_files_are_named_and_that_no_more_is_known(
    desk: Desk, tmp_path: Path
) -> None:
    good = parquet(tmp_path, PARQUET)
    damaged = good[:4] + bytes(len(good[4:60])) + good[60:]
    single = desk.file("1.parquet", damaged)
    with pytest.raises(ApplicationError) as raised:
        desk.load(form="parquet", files=single)
    assert refusal(raised)[1].endswith(
        f"it is in {desk.prefix}1.parquet, and of .parquet BigQuery tells no row"
    )
    desk.file("2.parquet", good)
    with pytest.raises(ApplicationError) as raised:
        desk.load(form="parquet")
    kind, message = refusal(raised)
    assert kind == ErrorKind.INVALID_REQUEST
    assert f"it is in one of 2 files (it names {desk.prefix}" in message
