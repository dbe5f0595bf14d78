"""Giving up a load or a query: its jobs are found by the ids that its key gives them, stopped, and cleaned up after."""

from collections.abc import Iterator, Sequence

from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from temporalio import activity

from activities.gcp.table_jobs import NO_RETRY, TIMEOUT, TRIES, Job, job_id
from activities.gcp.table_load import staging_reference, table_reference
from activities.stopping import rest
from contracts.tables import TableCancelReceipt, TableCancelRequest

_FIRST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.2, 5.0
NEEDS = {
    # Of one's own jobs it is given; without it nobody is told that there is no such job.
    "get_job": ("bigquery.jobs.get",),
    "cancel": (),
    "reload": (),
    "delete_table": ("bigquery.tables.delete",),
}
"""Who creates a job may get and cancel it: https://cloud.google.com/bigquery/docs/jobs-overview#required_permissions"""
LOAD, QUERY = ("stage", "load"), ("query",)


def cancel_jobs(client: bigquery.Client, request: TableCancelRequest) -> TableCancelReceipt:
    """Return once no job of this key runs and none of its staged tables is left.

    Raises:
        CancelledError: the activity itself was cancelled.
    """
    stopped = [job.job_id for job in _jobs(client, request) if end_job(job)]
    dropped = _drop(client, request) if request.table else ()
    return TableCancelReceipt(stopped=tuple(stopped), dropped=tuple(dropped))


def _jobs(client: bigquery.Client, request: TableCancelRequest) -> Iterator[Job]:
    """Return the jobs of this key: each try has ids of its own, and none begins before the one before it."""
    for attempt in range(TRIES):
        found = [
            find_job(client, job_id(request.key, what, attempt))
            for what in (LOAD if request.table else QUERY)
        ]
        if found[0] is None:
            return
        yield from (job for job in found if job is not None)


def find_job(client: bigquery.Client, identity: str) -> Job | None:
    """Return the job of this id; None where there is none."""
    try:
        return client.get_job(identity, retry=NO_RETRY, timeout=TIMEOUT)
    except NotFound:
        return None


def end_job(job: Job) -> bool:
    """Have a job end; whether it was still going on."""
    if job.state == "DONE":
        return False
    activity.logger.info("BigQuery job %s is stopped", job.job_id)
    job.cancel(retry=NO_RETRY, timeout=TIMEOUT)
    pause = _FIRST_POLL_SECONDS
    while job.state != "DONE":
        rest(pause)
        pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)
        job.reload(retry=NO_RETRY, timeout=TIMEOUT)
    return True


def _drop(client: bigquery.Client, request: TableCancelRequest) -> Sequence[str]:
    target = table_reference(request.table or "", client.project)
    dropped = []
    for attempt in range(TRIES):
        identity = job_id(request.key, "stage", attempt)
        staging = staging_reference(target, identity)
        if _delete(client, staging):
            dropped.append(f"{staging.project}.{staging.dataset_id}.{staging.table_id}")
        if find_job(client, identity) is None:
            break
    return dropped


def _delete(client: bigquery.Client, staging: bigquery.TableReference) -> bool:
    try:
        client.delete_table(staging, retry=NO_RETRY, timeout=TIMEOUT)
    except NotFound:
        return False
    return True
