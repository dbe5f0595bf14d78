"""A load or a query that is given up: its jobs end for certain, and what was staged is gone."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from activities.gcp.sweep_tables import StagingTables
from activities.gcp.table_cancel import cancel_jobs
from activities.gcp.table_jobs import job_id, labels
from activities.gcp.table_load import staging_reference, table_reference
from activities.gcp.tables import BigQueryTables
from contracts.jobs import RunRef
from contracts.sweeps import SweepItem
from contracts.tables import QueryRequest, TableCancelRequest, TableJobKey


class Job:
    """A job that ends only when it is asked to, and not at once."""

    def __init__(self, identity: str, state: str = "RUNNING") -> None:
        self.job_id, self.state = identity, state
        self.asked = self.looks = 0

    def cancel(self, **_: Any) -> None:
        self.asked += 1

    def reload(self, **_: Any) -> None:
        self.looks += 1
        if self.asked and self.looks > 1:
            self.state = "DONE"


class Service:
    """BigQuery as far as a cancel asks it: jobs by their ids, tables that may be there."""

    project = "dev"

    def __init__(self, *jobs: Job) -> None:
        self.jobs = {job.job_id: job for job in jobs}
        self.tables: set[str] = set()

    def get_job(self, identity: str, **_: Any) -> Job:
        if identity not in self.jobs:
            raise NotFound(identity)  # type: ignore[no-untyped-call] # the SDK has no types
        return self.jobs[identity]

    def delete_table(self, table: bigquery.TableReference, **_: Any) -> None:
        if table.table_id not in self.tables:
            raise NotFound(table.table_id)  # type: ignore[no-untyped-call] # the SDK has no types
        self.tables.remove(table.table_id)


@pytest.fixture
def key() -> TableJobKey:
    run = RunRef(pipeline="desk", key="k", run_uid=uuid.uuid4().hex)
    return TableJobKey(run=run, stage="load")


def staged(key: TableJobKey, attempt: int = 0) -> bigquery.TableReference:
    return staging_reference(table_reference("demo.t", "dev"), job_id(key, "stage", attempt))


@pytest.mark.parametrize(
    ("table", "kinds"), [("demo.t", ("stage", "load")), (None, ("query",))], ids=["load", "query"]
)
def test_every_job_of_a_key_that_goes_on_is_stopped_and_its_end_waited_for(
    key: TableJobKey, table: str | None, kinds: tuple[str, ...]
) -> None:
    first = [Job(job_id(key, kind, 0), "DONE") for kind in kinds]
    second = [Job(job_id(key, kind, 1)) for kind in kinds]
    receipt = cancel_jobs(Service(*first, *second), TableCancelRequest(key=key, table=table))  # type: ignore[arg-type]
    assert receipt.stopped == tuple(job.job_id for job in second)
    assert [job.asked for job in first] == [0] * len(first)
    assert {(job.asked, job.state) for job in second} == {(1, "DONE")}


def test_what_was_staged_is_dropped_also_where_its_job_never_came_to_be(key: TableJobKey) -> None:
    service = Service(Job(job_id(key, "stage", 0), "DONE"))
    service.tables = {staged(key, 0).table_id, staged(key, 1).table_id, "somebody_elses"}
    receipt = cancel_jobs(service, TableCancelRequest(key=key, table="demo.t"))  # type: ignore[arg-type]
    assert service.tables == {"somebody_elses"}
    assert receipt.dropped == tuple(f"dev.demo.{staged(key, attempt).table_id}" for attempt in (0, 1))


@pytest.fixture
def staging(warehouse: bigquery.Client, key: TableJobKey) -> Callable[[], bigquery.Table]:
    def create() -> bigquery.Table:
        reference = staging_reference(table_reference("demo.t", warehouse.project), job_id(key, "stage", 0))
        table = bigquery.Table(reference, schema=[bigquery.SchemaField("n", "INTEGER")])
        table.labels = labels(key)
        return warehouse.create_table(table)

    return create


def test_a_load_that_was_given_up_leaves_no_staging_table_in_the_warehouse(
    tables: BigQueryTables, key: TableJobKey, staging: Callable[[], bigquery.Table]
) -> None:
    staging()
    request = TableCancelRequest(key=key, table="demo.t")
    assert len(tables.cancel(request).dropped) == 1
    assert tables.cancel(request).dropped == ()


def test_a_query_that_has_ended_is_left_alone(tables: BigQueryTables, key: TableJobKey) -> None:
    tables.query(QueryRequest(key=key, sql="SELECT 1 AS a"))
    assert tables.cancel(TableCancelRequest(key=key)).stopped == ()


def test_a_sweep_finds_a_staging_table_with_its_run_and_drops_it(
    warehouse: bigquery.Client, key: TableJobKey, staging: Callable[[], bigquery.Table]
) -> None:
    table = staging()
    sweeper = StagingTables(warehouse)

    def mine() -> list[SweepItem]:
        found, after = [], None
        while True:
            page = sweeper.find(after)
            found += [item for item in page.items if item.run_uid == key.run.run_uid]
            after = page.next_after
            if after is None:
                return found

    items = mine()
    assert [(item.stage, item.id.rpartition(".")[2]) for item in items] == [("load", table.table_id)]
    sweeper.stop(items[0])
    sweeper.stop(items[0])
    assert mine() == []
