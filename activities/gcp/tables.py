"""What the Google Cloud worker does with tables: BigQuery behind `tables.load` and `tables.query`."""

from google.cloud import bigquery
from temporalio import activity

from activities.gcp.errors import translate
from activities.gcp.table_cancel import cancel_jobs
from activities.gcp.table_jobs import TableJobs
from activities.gcp.table_load import TableLoad
from activities.gcp.table_query import run_query
from activities.guard import guarded
from activities.store import Store
from contracts.tables import (
    LoadReceipt,
    LoadRequest,
    QueryRequest,
    QueryResult,
    TableActivities,
    TableCancelReceipt,
    TableCancelRequest,
)


class BigQueryTables(TableActivities):
    """Tables of one connection, loaded from its own store."""

    def __init__(self, client: bigquery.Client, store: Store) -> None:
        """Work through this client; files are read through the store to check them."""
        self._client = client
        self._jobs = TableJobs(client)
        self._store = store

    @activity.defn(name="tables.load", no_thread_cancel_exception=True)
    def load(self, request: LoadRequest) -> LoadReceipt:
        """Load the files; `TableActivities.load` says what is safe, heartbeated and final."""
        with guarded(translate, request.table):
            return TableLoad(self._client, self._jobs, self._store, request).run()

    @activity.defn(name="tables.query", no_thread_cancel_exception=True)
    def query(self, request: QueryRequest) -> QueryResult:
        """Run the query; `TableActivities.query` says what is safe, heartbeated and final."""
        ref = f"query of stage {request.key.stage}"
        with guarded(translate, ref):
            return run_query(self._client, self._jobs, request, ref)

    @activity.defn(name="tables.cancel", no_thread_cancel_exception=True)
    def cancel(self, request: TableCancelRequest) -> TableCancelReceipt:
        """Stop the jobs of a key; `TableActivities.cancel` says what is safe, heartbeated and final."""
        with guarded(translate, f"table jobs of stage {request.key.stage}"):
            return cancel_jobs(self._client, request)
