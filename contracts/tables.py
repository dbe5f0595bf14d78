"""Tables as the workflows see them. No cloud lives here."""

from typing import Literal

from pydantic import Field
from temporalio import activity

from contracts.artifacts import Artifact
from contracts.jobs import RunRef
from contracts.leaves import LeaveRef
from contracts.model import Declared, Message

ColumnType = Literal["STRING", "INTEGER", "FLOAT", "NUMERIC", "BOOLEAN", "DATE", "TIMESTAMP"]
TableFormat = Literal["csv", "jsonl", "parquet"]
WriteMode = Literal["truncate", "append", "fail"]
Scalar = bool | int | float | str
ROWS_SHOWN = 100
"""Rows of a query's result that travel back; a result is for reading, data belong in a table."""


class Column(Declared):
    """One column of a table."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$")
    """As the table has it; a header of CSV has the same."""
    type: ColumnType
    """What the table holds in it."""


class TableJobKey(Message):
    """Which load or query this is; the vendor's job id is derived from it."""

    run: RunRef
    stage: str
    generation: int = 1


class LoadRequest(Message):
    """Files to load into a table, whole or not at all."""

    key: TableJobKey
    table: str
    """`dataset.table` or `project.dataset.table`."""
    files: Artifact
    """A file, or a folder of which every object with a suffix of the format is loaded."""
    format: TableFormat = "csv"
    columns: tuple[Column, ...]
    write: WriteMode = "truncate"
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class LoadReceipt(Message):
    """Proof of a load."""

    job_id: str
    table: str
    rows: int
    size_bytes: int


class QueryRequest(Message):
    """A query with bound parameters."""

    key: TableJobKey
    sql: str
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    rows_wanted: int = ROWS_SHOWN
    """Rows that travel back at most, as far as they fit into a message."""


class QueryResult(Message):
    """A query's answer: how many rows, and the first of them."""

    job_id: str
    rows: int
    shown: tuple[dict[str, Scalar | None], ...] = ()
    billed_bytes: int | None = None
    """What its vendor bills it as having read; None where it does not say."""


class TableCancelRequest(Message):
    """A load or a query that is not wanted any more."""

    key: TableJobKey
    table: str | None = None
    """Of a load: where it was to come to lie, since what is staged lies beside it."""

    @property
    def stage(self) -> str:
        """The stage it belongs to."""
        return self.key.stage


class TableCancelReceipt(Message):
    """What a cancelled load or query came to."""

    stopped: tuple[str, ...] = ()
    """Ids of jobs that went on until they were asked to stop, and have ended."""
    dropped: tuple[str, ...] = ()
    """Staged tables that are gone now."""


class TableActivities:
    """What a worker whose cloud has tables can do."""

    @activity.defn(name="tables.load")
    def load(self, request: LoadRequest) -> LoadReceipt:
        """Load the files; the table holds all of their rows or is left as it was.

        Safe to run twice: the job id is derived from the key and adopted. Heartbeats while it waits. Final:
        `INVALID_REQUEST` (a row, a header or a column does not fit; the message names file and line or column),
        `SOURCE_MISSING`,
        `TARGET_CONFLICT` (`write: fail` and the table has rows), `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="tables.query")
    def query(self, request: QueryRequest) -> QueryResult:
        """Run the query and return its first rows.

        Safe to run twice: the job id is derived from the key and adopted. Heartbeats while it waits. Final:
        `INVALID_REQUEST` (the SQL is wrong), `SOURCE_MISSING` (no such table), `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="tables.cancel")
    def cancel(self, request: TableCancelRequest) -> TableCancelReceipt:
        """Stop whatever jobs this key has, return once they have ended, and drop what was staged.

        Safe to run twice; a table that was loaded already stays as it is. Heartbeats while it waits. Final:
        `ACCESS_DENIED`.
        """
        raise NotImplementedError
