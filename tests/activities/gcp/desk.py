"""Files, loads and queries of one test of tables, and what is refused."""

import hashlib
import uuid
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.gcp.store import GcsStore
from activities.gcp.tables import BigQueryTables
from contracts.artifacts import Artifact
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


def refusal(raised: pytest.ExceptionInfo[ApplicationError]) -> tuple[str | None, str]:
    return raised.value.type, raised.value.message
