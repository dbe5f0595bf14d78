"""One query with bound parameters, and its first rows as values that travel as JSON."""

import base64
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal

from google.cloud import bigquery

from activities.gcp.errors import CLOUD
from activities.gcp.table_jobs import NO_RETRY, TIMEOUT, TRIES, Job, TableJobs, job_id, labels
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.tables import QueryRequest, QueryResult, Scalar

SHOWN_BYTES = 256 * 1024
"""The most that the rows shown weigh as JSON; a result is for reading."""
NEEDS = {"query": ("bigquery.jobs.create",), "result": ()}
"""Its results are whose the query is; what it does to tables its text says."""
NEEDS_TO_READ = {"query": ("bigquery.tables.get", "bigquery.tables.getData")}
NEEDS_TO_CHANGE = {
    "query": (
        "bigquery.tables.create",
        "bigquery.tables.update",
        "bigquery.tables.updateData",
        "bigquery.tables.delete",
    )
}
Row = dict[str, Scalar | None]


def run_query(client: bigquery.Client, jobs: TableJobs, request: QueryRequest, ref: str) -> QueryResult:
    """Return the result of this query, which is run by the first try that is not known to have failed."""
    for attempt in range(TRIES):
        settled = jobs.settle(
            job_id(request.key, "query", attempt), lambda identity: _start(client, request, identity)
        )
        if settled.failed and settled.stale:
            continue
        if settled.failed:
            raise settled.refusal(ref)
        return _result(settled.job, request)
    text = f"{ref}: {TRIES} queries under one key have failed; start a new run"
    raise failure(ErrorKind.INVALID_REQUEST, text, ErrorDetail(cloud=CLOUD, ref=ref))


def parameter(name: str, value: Scalar) -> bigquery.ScalarQueryParameter:
    """Bind a value to a name with the type that is its own; it never becomes text of the query."""
    return bigquery.ScalarQueryParameter(name, _TYPES[type(value)], value)


def scalar(value: object) -> Scalar | None:
    """Return a value as JSON can carry it: dates and numerics as text, nested values as JSON text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return json.dumps({key: scalar(inner) for key, inner in value.items()})
    if isinstance(value, list | tuple):
        return json.dumps([scalar(inner) for inner in value])
    return format(value, "f") if isinstance(value, Decimal) else str(value)


_TYPES: dict[type, str] = {bool: "BOOL", int: "INT64", float: "FLOAT64", str: "STRING"}


def _start(client: bigquery.Client, request: QueryRequest, identity: str) -> Job:
    config = bigquery.QueryJobConfig(
        query_parameters=[parameter(name, value) for name, value in sorted(request.parameters.items())],
        use_legacy_sql=False,
        labels=labels(request.key),
    )
    return client.query(
        request.sql, job_id=identity, job_config=config, retry=NO_RETRY, job_retry=None, timeout=TIMEOUT
    )


def _result(job: Job, request: QueryRequest) -> QueryResult:
    found = job.result(max_results=request.rows_wanted, retry=NO_RETRY, job_retry=None, timeout=TIMEOUT)
    shown = _that_travel(dict(row.items()) for row in found)
    # A statement that changes rows has no result; what counts is how many it changed.
    rows = job.num_dml_affected_rows if job.num_dml_affected_rows is not None else found.total_rows
    billed = getattr(job, "total_bytes_billed", None)
    return QueryResult(job_id=job.job_id, rows=int(rows or 0), shown=shown, billed_bytes=billed)


def _that_travel(rows: Iterable[dict[str, object]]) -> tuple[Row, ...]:
    shown: list[Row] = []
    left = SHOWN_BYTES
    for values in rows:
        row = {name: scalar(value) for name, value in values.items()}
        left -= len(json.dumps(row))
        if left < 0:
            break
        shown.append(row)
    return tuple(shown)
