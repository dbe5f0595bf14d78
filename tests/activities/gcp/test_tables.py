from typing import Any

import pytest
from google.cloud import bigquery
from temporalio.exceptions import ApplicationError

from contracts.artifacts import Artifact
from contracts.errors import ErrorKind
from contracts.tables import (
    Column,
    WriteMode,
)
from tests.activities.gcp.desk import HEADER, ONE, THREE, TWO, Desk, refusal


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


def test_another_generation_is_another_load(desk: Desk) -> None:
    desk.file("1.csv", HEADER + ONE)
    first = desk.load("load", write="append")
    assert first.job_id == f"causeway-{desk.run.run_uid}-load-g1-load-0"
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
