"""One load of files into a BigQuery table: into a staging table first, then over in one copy job.

A load job is atomic on BigQuery, but not on its local stand-in, which empties the table first and loads file
by file. A copy job costs nothing, and with it the table changes in one step in both places.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import bigquery
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.gcp.errors import CLOUD
from activities.gcp.table_files import TableFiles
from activities.gcp.table_formats import FORMATS
from activities.gcp.table_jobs import NO_RETRY, TIMEOUT, TRIES, Job, Settled, TableJobs, job_id, labels
from activities.store import Store
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.tables import LoadReceipt, LoadRequest

STAGING = "causeway_staging_"
"""How the names of staging tables begin."""
STAGING_LIFE = timedelta(days=1)
_WRITE = (
    "bigquery.jobs.create",
    "bigquery.tables.create",
    "bigquery.tables.update",
    "bigquery.tables.updateData",
)
_READ = ("bigquery.tables.get", "bigquery.tables.getData")
NEEDS = {
    "create_table": ("bigquery.tables.create",),
    # BigQuery reads the files as whoever asked.
    "load_table_from_uri": (*_WRITE, "storage.objects.get"),
    "copy_table": (*_WRITE, *_READ),
    "query": (*_WRITE, *_READ),
    "get_dataset": ("bigquery.datasets.get",),
    "get_table": ("bigquery.tables.get",),
    "delete_table": ("bigquery.tables.delete",),
}
"""https://cloud.google.com/bigquery/docs/batch-loading-data#required_permissions and .../managing-tables#copy-table"""
_DISPOSITION = {"truncate": "WRITE_TRUNCATE", "append": "WRITE_APPEND", "fail": "WRITE_EMPTY"}
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")
_PROJECT = re.compile(r"[a-z0-9.:-]+")


class TableLoad:
    """A load and everything it needs; made for one request."""

    def __init__(self, client: bigquery.Client, jobs: TableJobs, store: Store, request: LoadRequest) -> None:
        """Prepare a load.

        Raises:
            ApplicationError: `INVALID_REQUEST` when the table's name is none.
        """
        self._client = client
        self._jobs = jobs
        self._store = store
        self._request = request
        self._target = table_reference(request.table, client.project)
        self._schema = [bigquery.SchemaField(column.name, column.type) for column in request.columns]

    def run(self) -> LoadReceipt:
        """Return the receipt of this load, done by the first try that is not known to have failed."""
        for attempt in range(TRIES):
            receipt = self._try(attempt)
            if receipt is not None:
                return receipt
        text = f"{self._request.table}: {TRIES} loads under one key have failed; start a new run"
        raise failure(ErrorKind.INVALID_REQUEST, text, self._detail())

    def _try(self, attempt: int) -> LoadReceipt | None:
        staging = self._staging(attempt)
        staged = self._jobs.settle(self._id("stage", attempt), lambda found: self._stage(found, staging))
        if staged.failed:
            self._drop(staging)
            _raise_unless_stale(staged, self._explained)
            return None
        published = self._jobs.settle(self._id("load", attempt), lambda found: self._publish(found, staging))
        self._drop(staging)
        if published.failed:
            _raise_unless_stale(published, lambda failed: failed.refusal(self._request.table))
            return None
        return self._receipt(staged, published)

    def _receipt(self, staged: Settled, published: Settled) -> LoadReceipt:
        target = self._target
        return LoadReceipt(
            job_id=published.job.job_id,
            table=f"{target.project}.{target.dataset_id}.{target.table_id}",
            rows=int(staged.job.output_rows or 0),
            size_bytes=int(staged.job.input_file_bytes or self._request.files.size_bytes),
        )

    def _stage(self, identity: str, staging: bigquery.TableReference) -> Job:
        self._require_dataset()
        self._require_empty()
        files = self._files()
        files.look()
        table = bigquery.Table(staging, schema=self._schema)
        table.expires = datetime.now(UTC) + STAGING_LIFE
        table.labels = labels(self._request.key)
        self._client.create_table(table, exists_ok=True, retry=NO_RETRY, timeout=TIMEOUT)
        config = bigquery.LoadJobConfig(
            schema=self._schema,
            max_bad_records=0,
            write_disposition="WRITE_TRUNCATE",
            labels=labels(self._request.key),
            **FORMATS[self._request.format].options,
        )
        return self._client.load_table_from_uri(
            files.uris, staging, job_id=identity, job_config=config, retry=NO_RETRY, timeout=TIMEOUT
        )

    def _publish(self, identity: str, staging: bigquery.TableReference) -> Job:
        self._require_empty()
        if self._has_other_columns():
            return self._replace(identity, staging)
        config = bigquery.CopyJobConfig(
            write_disposition=_DISPOSITION[self._request.write], labels=labels(self._request.key)
        )
        return self._client.copy_table(
            staging, self._target, job_id=identity, job_config=config, retry=NO_RETRY, timeout=TIMEOUT
        )

    def _replace(self, identity: str, staging: bigquery.TableReference) -> Job:
        # The stand-in cannot copy over a table of other columns. Names are checked, so none ends its quotes.
        target, source = _quoted(self._target), _quoted(staging)
        sql = f"CREATE OR REPLACE TABLE {target} AS SELECT * FROM {source}"  # noqa: S608
        config = bigquery.QueryJobConfig(use_legacy_sql=False, labels=labels(self._request.key))
        return self._client.query(
            sql, job_id=identity, job_config=config, retry=NO_RETRY, job_retry=None, timeout=TIMEOUT
        )

    def _require_dataset(self) -> None:
        dataset = f"{self._target.project}.{self._target.dataset_id}"
        try:
            self._client.get_dataset(dataset, retry=NO_RETRY, timeout=TIMEOUT)
        except NotFound:
            command = f"bq --location={self._client.location} mk --dataset {dataset.replace('.', ':')}"
            text = f"the dataset {dataset} does not exist; create it: {command}"
            raise failure(ErrorKind.SOURCE_MISSING, text, self._detail()) from None

    def _require_empty(self) -> None:
        table = self._existing() if self._request.write == "fail" else None
        if table is not None and table.num_rows:
            text = f"{self._request.table} has {table.num_rows} rows and write is fail"
            raise failure(ErrorKind.TARGET_CONFLICT, text, self._detail())

    def _has_other_columns(self) -> bool:
        table = self._existing()
        if table is None or _shape(table.schema) == _shape(self._schema):
            return False
        if self._request.write != "append":
            return True
        text = f"{self._request.table} has {_shown(table.schema)}; the schema says {_shown(self._schema)}"
        raise failure(ErrorKind.INVALID_REQUEST, text, self._detail())

    def _existing(self) -> bigquery.Table | None:
        try:
            return self._client.get_table(self._target, retry=NO_RETRY, timeout=TIMEOUT)
        except NotFound:
            return None

    def _explained(self, staged: Settled) -> ApplicationError:
        """Return why the rows were refused: file and line if they can be found, else the service's words."""
        refusal = staged.refusal(self._request.table)
        if refusal.type != ErrorKind.INVALID_REQUEST:
            return refusal
        # The service names a byte, and a stand-in may name the wrong file: the line is found by reading.
        files, named = self._files(), str(staged.job.error_result.get("location") or "")
        return files.bad_row(named) or files.unread(refusal, named)

    def _files(self) -> TableFiles:
        request = self._request
        return TableFiles(self._store, request.files, FORMATS[request.format], request.columns)

    def _drop(self, staging: bigquery.TableReference) -> None:
        try:
            self._client.delete_table(staging, not_found_ok=True, retry=NO_RETRY, timeout=TIMEOUT)
        except (GoogleAPICallError, OSError):
            activity.logger.warning("staging table %s is left to expire", staging.table_id)

    def _staging(self, attempt: int) -> bigquery.TableReference:
        return staging_reference(self._target, self._id("stage", attempt))

    def _id(self, what: str, attempt: int) -> str:
        return job_id(self._request.key, what, attempt)

    def _detail(self) -> ErrorDetail:
        return ErrorDetail(cloud=CLOUD, ref=self._request.table)


def staging_reference(target: bigquery.TableReference, identity: str) -> bigquery.TableReference:
    """Return where a staging job of this id puts its rows: beside the table they are for."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:20]
    return bigquery.DatasetReference(target.project, target.dataset_id).table(f"{STAGING}{digest}")


def table_reference(table: str, project: str) -> bigquery.TableReference:
    """Read `dataset.table` or `project.dataset.table`.

    Raises:
        ApplicationError: `INVALID_REQUEST` for anything else.
    """
    try:
        found = bigquery.TableReference.from_string(table, default_project=project)
    except ValueError:
        found = None
    if (
        found
        and _PROJECT.fullmatch(found.project)
        and _IDENTIFIER.fullmatch(found.dataset_id + found.table_id)
    ):
        return found
    text = f"{table!r} is no table; write dataset.table or project.dataset.table"
    raise failure(ErrorKind.INVALID_REQUEST, text, ErrorDetail(cloud=CLOUD, ref=table))


def _shape(schema: Iterable[bigquery.SchemaField]) -> list[tuple[str, str]]:
    return [(field.name.lower(), field.field_type) for field in schema]


def _shown(schema: Iterable[bigquery.SchemaField]) -> str:
    return ",".join(f"{field.name} {field.field_type}" for field in schema)[:400]


def _quoted(table: bigquery.TableReference) -> str:
    return f"`{table.project}.{table.dataset_id}.{table.table_id}`"


def _raise_unless_stale(settled: Settled, explain: Callable[[Settled], ApplicationError]) -> None:
    """Pass when an earlier try failed, so that the next one is made.

    Raises:
        ApplicationError: this try failed.
    """
    if not settled.stale:
        raise explain(settled)
