"""What runs leave in BigQuery: jobs that go on, and tables that were staged and never put in their place."""

from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from activities.gcp.table_cancel import end_job, find_job
from activities.gcp.table_jobs import NO_RETRY, TIMEOUT
from activities.gcp.table_load import STAGING
from activities.sweeping import Found
from activities.sweeping_jobs import RUN_TAG, STAGE_TAG
from contracts.sweeps import SweepItem

STATES = ("pending", "running")

NEEDS = {
    # Everybody may list the jobs that are their own.
    "list_jobs": (),
    "list_datasets": ("bigquery.datasets.get",),
    "list_tables": ("bigquery.tables.list",),
    "get_table": ("bigquery.tables.get",),
    "delete_table": ("bigquery.tables.delete",),
}


class TableJobsLeft:
    """Loads and queries that go on."""

    kind = "table job"

    def __init__(self, client: bigquery.Client) -> None:
        """Ask through this client: its own identity's jobs, since Causeway's are begun by it."""
        self._client = client

    def find(self, after: str | None) -> Found:
        """Return all of them: quotas keep them few."""
        jobs = [
            job
            for state in STATES
            for job in self._client.list_jobs(state_filter=state, retry=NO_RETRY, timeout=TIMEOUT)
        ]
        return Found([_job(job) for job in jobs if RUN_TAG in (job.labels or {})])

    def stop(self, item: SweepItem) -> None:
        """Cancel it, and return when it has ended."""
        job = find_job(self._client, item.id)
        if job is not None:
            end_job(job)


class StagingTables:
    """Tables beside those that loads were for."""

    kind = "staging table"

    def __init__(self, client: bigquery.Client) -> None:
        """Look in every dataset of the client's project; a dataset is a page."""
        self._client = client

    def find(self, after: str | None) -> Found:
        """Return what one dataset holds."""
        names = sorted(
            item.dataset_id for item in self._client.list_datasets(retry=NO_RETRY, timeout=TIMEOUT)
        )
        here = next((name for name in names if after is None or name > after), None)
        if here is None:
            return Found()
        listed = self._client.list_tables(here, retry=NO_RETRY, timeout=TIMEOUT)
        staged = [table for table in listed if table.table_id.startswith(STAGING)]
        items = [_table(found) for table in staged if (found := self._described(table)) is not None]
        return Found(items, here if here != names[-1] else None)

    def _described(self, table: Any) -> Any:
        """Return the table with its labels, which a listing may leave out; None where it is gone."""
        if table.labels:
            return table
        try:
            return self._client.get_table(table.reference, retry=NO_RETRY, timeout=TIMEOUT)
        except NotFound:
            return None

    def stop(self, item: SweepItem) -> None:
        """Drop it; what was loaded from it stays."""
        self._client.delete_table(item.id, not_found_ok=True, retry=NO_RETRY, timeout=TIMEOUT)


def _job(job: Any) -> SweepItem:
    return SweepItem(
        kind=TableJobsLeft.kind,
        id=job.job_id,
        name=job.job_id,
        run_uid=job.labels[RUN_TAG],
        stage=job.labels.get(STAGE_TAG, ""),
        since=job.created,
        cost="slots, or bytes that a query reads",
    )


def _table(table: Any) -> SweepItem:
    name = f"{table.project}.{table.dataset_id}.{table.table_id}"
    labels = table.labels or {}
    return SweepItem(
        kind=StagingTables.kind,
        id=name,
        name=name,
        run_uid=labels.get(RUN_TAG, ""),
        stage=labels.get(STAGE_TAG, ""),
        since=table.created,
        cost="storage, until it expires after a day",
    )
