import hashlib
import json
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery
from temporalio.exceptions import ApplicationError

from activities.gcp.store import GcsStore
from activities.gcp.table_files import TableFiles
from activities.gcp.table_formats import FORMATS
from activities.gcp.tables import BigQueryTables
from contracts.artifacts import Artifact
from contracts.errors import ErrorKind
from contracts.jobs import RunRef
from contracts.tables import (
    Column,
    LoadReceipt,
    LoadRequest,
    QueryRequest,
    QueryResult,
    TableFormat,
    TableJobKey,
    WriteMode,
)
from sandbox.layout import Layout
from tests.objects import put

COLUMNS = tuple(
    Column(name=name, type=kind)  # type: ignore[arg-type] # the pairs below are column types
    for name, kind in (
        ("id", "INTEGER"),
        ("label", "STRING"),
        ("score", "FLOAT"),
        ("price", "NUMERIC"),
        ("good", "BOOLEAN"),
        ("day", "DATE"),
        ("moment", "TIMESTAMP"),
    )
)
HEADER = "id,label,score,price,good,day,moment\n"
ONE = '1,"a, ""b""\nc",0.5,1.25,true,2026-11-22,2026-11-22T10:00:00Z\n'
TWO = "2,,,,,,\n"
THREE = "3,x,1e3,2,false,2026-11-23,2026-11-23 10:00:00 UTC\n"


class Desk:
    """Files, loads and queries of one test."""

    def __init__(self, tables: BigQueryTables, store: GcsStore, prefix: str) -> None:
        self.tables, self.store, self.prefix = tables, store, prefix
        self.run = RunRef(pipeline="desk", key="k", run_uid=uuid.uuid4().hex)
        self.table = f"demo.t{self.run.run_uid}"

    def file(self, name: str, text: str | bytes) -> Artifact:
        body = text if isinstance(text, bytes) else text.encode()
        digest = hashlib.sha256(body).hexdigest()
        stat = put(self.store, self.prefix + name, body, media_type="text/csv", replace=True)
        return Artifact(uri=stat.uri, kind="file", size_bytes=len(body), object_count=1, digest=digest)

    @property
    def folder(self) -> Artifact:
        return Artifact(uri=self.prefix, kind="folder", size_bytes=1, object_count=1, digest="")

    def key(self, stage: str | None) -> TableJobKey:
        return TableJobKey(run=self.run, stage=stage or f"stage_{uuid.uuid4().hex[:8]}")

    def load(
        self,
        stage: str | None = None,
        *,
        files: Artifact | None = None,
        write: WriteMode = "truncate",
        columns: tuple[Column, ...] = COLUMNS,
        table: str | None = None,
        form: TableFormat = "csv",
        generation: int = 1,
    ) -> LoadReceipt:
        return self.tables.load(
            LoadRequest(
                key=self.key(stage).model_copy(update={"generation": generation}),
                table=table or self.table,
                files=files or self.folder,
                columns=columns,
                write=write,
                format=form,
            )
        )

    def query(self, sql: str, stage: str | None = None, **parameters: Any) -> QueryResult:
        return self.tables.query(QueryRequest(key=self.key(stage), sql=sql, parameters=parameters))

    @property
    def rows(self) -> int:
        return int(str(self.query(f"SELECT COUNT(*) AS n FROM {self.table}").shown[0]["n"]))


@pytest.fixture
def desk(tables: BigQueryTables, store: GcsStore, prefix: str) -> Desk:
    return Desk(tables, store, prefix)


def refusal(raised: pytest.ExceptionInfo[ApplicationError]) -> tuple[str | None, str]:
    return raised.value.type, raised.value.message


def test_every_csv_of_a_folder_is_loaded_and_reads_back_as_json_can_carry_it(desk: Desk) -> None:
    desk.file("1.csv", HEADER + ONE + TWO)
    desk.file("2.csv", HEADER + THREE)
    desk.file("3.csv", HEADER)
    desk.file("notes.txt", "no table")
    assert desk.load().rows == 3
    shown = desk.query(f"SELECT * FROM {desk.table} ORDER BY id").shown
    assert shown[0] == {
        "id": 1,
        "label": 'a, "b"\nc',
        "score": 0.5,
        "price": "1.250000000",
        "good": True,
        "day": "2026-11-22",
        "moment": "2026-11-22T10:00:00+00:00",
    }
    assert set(shown[1].values()) == {2, None}


def test_one_file_is_loaded_whatever_its_name(desk: Desk) -> None:
    assert desk.load(files=desk.file("data", HEADER + ONE)).rows == 1


def test_the_same_load_twice_is_one_load(desk: Desk) -> None:
    desk.file("1.csv", HEADER + ONE)
    first = desk.load("load", write="append")
    assert desk.load("load", write="append") == first
    assert desk.rows == 1


def test_the_same_load_at_once_is_one_load_and_whoever_came_second_adopts(desk: Desk) -> None:
    desk.file("1.csv", HEADER + ONE)
    with ThreadPoolExecutor(6) as pool:
        receipts = list(pool.map(lambda _: desk.load("load", write="append"), range(6)))
    assert len(set(receipts)) == 1
    assert receipts[0].job_id == f"causeway-{desk.run.run_uid}-load-g1-load-0"
    assert desk.rows == 1


def test_another_generation_is_another_load(desk: Desk) -> None:
    desk.file("1.csv", HEADER + ONE)
    desk.load("load", write="append")
    second = desk.load("load", write="append", generation=2)
    assert second.job_id.endswith("-load-g2-load-0")
    assert desk.rows == 2


@pytest.mark.parametrize(("write", "rows"), [("truncate", 1), ("append", 2)])
def test_another_load_replaces_or_adds(desk: Desk, write: WriteMode, rows: int) -> None:
    desk.file("1.csv", HEADER + ONE)
    desk.load()
    assert desk.load(write=write).rows == 1
    assert desk.rows == rows


def test_write_fail_refuses_a_table_that_has_rows(desk: Desk) -> None:
    desk.file("1.csv", HEADER + ONE)
    desk.load(write="fail")
    with pytest.raises(ApplicationError) as raised:
        desk.load(write="fail")
    assert refusal(raised)[0] == ErrorKind.TARGET_CONFLICT


def test_a_table_with_other_columns_is_replaced_by_truncate_and_refused_by_append(desk: Desk) -> None:
    desk.file("1.csv", HEADER + ONE)
    desk.load()
    other = (Column(name="only", type="STRING"),)
    file = desk.file("other", "only\nx\n")
    with pytest.raises(ApplicationError) as raised:
        desk.load(files=file, columns=other, write="append")
    assert refusal(raised)[0] == ErrorKind.INVALID_REQUEST
    assert desk.load(files=file, columns=other).rows == 1
    assert desk.query(f"SELECT * FROM {desk.table}").shown == ({"only": "x"},)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (HEADER + ONE + "abc,x,1,1,true,2026-11-22,2026-11-22 10:00:00\n", "2.csv line 4: column id: 'abc'"),
        (HEADER + "1,2\n", "2.csv line 2: 2 fields, the schema has 7"),
        ("id,label\n1,x\n", "2.csv line 1: the header is id,label"),
        ("", "2.csv line 1: the file is empty"),
    ],
    ids=["value", "length", "header", "empty"],
)
def test_a_file_that_does_not_fit_is_named_with_its_line_and_leaves_the_table(
    desk: Desk, bad: str, told: str
) -> None:
    desk.file("1.csv", HEADER + ONE)
    desk.load()
    desk.file("1.csv", HEADER + ONE + TWO + THREE)
    desk.file("2.csv", bad)
    with pytest.raises(ApplicationError) as raised:
        desk.load()
    kind, message = refusal(raised)
    assert kind == ErrorKind.INVALID_REQUEST
    assert f"{desk.prefix}{told}" in message
    assert desk.rows == 1


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


def test_a_load_that_failed_is_tried_afresh_under_the_same_key(desk: Desk) -> None:
    desk.file("1.csv", HEADER + "abc,,,,,,\n")
    with pytest.raises(ApplicationError):
        desk.load("load")
    desk.file("1.csv", HEADER + ONE)
    assert desk.load("load").rows == 1


def test_no_staging_table_is_left_behind(desk: Desk, warehouse: bigquery.Client) -> None:
    before = {table.table_id for table in warehouse.list_tables("demo")}
    desk.file("1.csv", HEADER + ONE)
    desk.load()
    desk.file("1.csv", HEADER + "abc,,,,,,\n")
    with pytest.raises(ApplicationError):
        desk.load()
    after = {table.table_id for table in warehouse.list_tables("demo")}
    assert after - before == {desk.table.removeprefix("demo.")}


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ({"table": "nowhere.t"}, ErrorKind.SOURCE_MISSING, "bq --location=US mk --dataset"),
        ({"table": "t"}, ErrorKind.INVALID_REQUEST, "dataset.table"),
        ({"table": "demo.t`x"}, ErrorKind.INVALID_REQUEST, "dataset.table"),
        (
            {
                "files": Artifact(
                    uri="gs://causeway/no/", kind="folder", size_bytes=0, object_count=0, digest=""
                )
            },
            ErrorKind.SOURCE_MISSING,
            "holds no .csv file",
        ),
        (
            {"files": Artifact(uri="gs://causeway/no", kind="file", size_bytes=0, object_count=0, digest="")},
            ErrorKind.SOURCE_MISSING,
            "does not exist",
        ),
    ],
    ids=["dataset", "no dataset named", "a name with a quote", "folder", "file"],
)
def test_what_is_missing_is_told(desk: Desk, change: dict[str, Any], kind: ErrorKind, told: str) -> None:
    desk.file("1.csv", HEADER + ONE)
    with pytest.raises(ApplicationError) as raised:
        desk.load(**change)
    assert refusal(raised)[0] == kind
    assert told in refusal(raised)[1]


def test_parameters_are_bound_with_their_types(desk: Desk) -> None:
    sql = "SELECT @text AS text, @number + 1 AS number, @part AS part, @yes AS yes"
    asked = {"text": "it's '; DROP", "number": 41, "part": 0.5, "yes": True}
    assert desk.query(sql, **asked).shown == (asked | {"number": 42},)


def test_the_same_query_twice_is_one_query(desk: Desk) -> None:
    first = desk.query("SELECT 1 AS a", "query")
    assert desk.query("SELECT 2 AS a", "query") == first


def test_a_result_shows_its_first_rows_and_counts_all(desk: Desk) -> None:
    result = desk.query("SELECT n FROM UNNEST(GENERATE_ARRAY(1, 250)) AS n ORDER BY n")
    assert (result.rows, len(result.shown), result.shown[0]) == (250, 100, {"n": 1})


def test_nested_values_travel_as_text(desk: Desk) -> None:
    shown = desk.query("SELECT [1, 2] AS list, STRUCT(1 AS a) AS part").shown
    assert shown == ({"list": "[1, 2]", "part": '{"a": 1}'},)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [("SELEC 1", ErrorKind.INVALID_REQUEST), ("SELECT * FROM demo.absent", ErrorKind.SOURCE_MISSING)],
    ids=["syntax", "table"],
)
def test_a_query_that_is_wrong_is_final(desk: Desk, sql: str, kind: ErrorKind) -> None:
    with pytest.raises(ApplicationError) as raised:
        desk.query(sql)
    assert refusal(raised)[0] == kind
    assert raised.value.non_retryable
