"""Table jobs that are given up while they run: BigQuery's local stand-in has none that run long enough."""

import threading
from typing import Any

import pytest
from google.cloud import bigquery
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import CancelledError
from temporalio.testing import ActivityEnvironment

from activities.gcp.table_jobs import TableJobs


class LongJob:
    """A job that never ends by itself."""

    job_id = "causeway-long"
    state = "RUNNING"

    def __init__(self) -> None:
        self.stops = 0
        self.watched = threading.Event()

    def reload(self, **_: Any) -> None:
        self.watched.set()

    def cancel(self, **_: Any) -> None:
        self.stops += 1


class Adopting(TableJobs):
    """Finds the job that it is asked for."""

    def __init__(self, job: LongJob) -> None:
        self.job = job

    def _find(self, identity: str) -> LongJob:
        return self.job


def given_up(details: ActivityCancellationDetails) -> LongJob:
    job, environment = LongJob(), ActivityEnvironment()

    def cancel() -> None:
        job.watched.wait(30)
        environment.cancel(details)

    threading.Thread(target=cancel, daemon=True).start()
    with pytest.raises(CancelledError):
        environment.run(Adopting(job).settle, job.job_id, bigquery.Client)
    return job


def test_a_cancel_that_somebody_asked_for_stops_the_job() -> None:
    assert given_up(ActivityCancellationDetails(cancel_requested=True)).stops == 1


@pytest.mark.parametrize("how", ["timed_out", "not_found", "reset"])
def test_an_attempt_that_was_given_up_leaves_its_job_to_the_next_one(how: str) -> None:
    assert given_up(ActivityCancellationDetails(**{how: True})).stops == 0
