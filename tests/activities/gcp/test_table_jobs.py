"""Table jobs that are given up while they run: BigQuery's local stand-in has none that run long enough."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import Conflict, NotFound
from google.cloud import bigquery
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import CancelledError
from temporalio.testing import ActivityEnvironment

from activities.gcp.table_jobs import TableJobs
from contracts.errors import ErrorKind, failure
from tests.house import PATIENCE_SECONDS


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


class Late(TableJobs):
    """Looks for a job before another attempt has started it, and again after."""

    def __init__(self, found: LongJob | None) -> None:
        self.answers: list[LongJob | None] = [None, found]

    def _find(self, identity: str) -> LongJob | None:
        return self.answers.pop(0)


class EndedJob(LongJob):
    """A job that has ended well."""

    state = "DONE"
    error_result = None


def refusing(error: Exception) -> Callable[[str], Any]:
    def start(identity: str) -> Any:
        raise error

    return start


FASTER = [
    # The stand-in of BigQuery runs a job again that is inserted twice at once; BigQuery answers the second with 409.
    Conflict("Already Exists"),
    NotFound("the staging table, which went when the faster attempt had ended"),
    failure(ErrorKind.TARGET_CONFLICT, "the table has rows: the faster attempt's"),
]


@pytest.mark.parametrize("error", FASTER, ids=["taken", "staging gone", "rows there"])
def test_a_start_that_another_attempt_was_faster_with_adopts_its_job(error: Exception) -> None:
    job = EndedJob()
    settled = ActivityEnvironment().run(Late(job).settle, job.job_id, refusing(error))
    assert settled.job is job
    assert not settled.failed


@pytest.mark.parametrize("error", FASTER, ids=["taken", "staging gone", "rows there"])
def test_a_start_that_fails_where_nobody_was_faster_fails(error: Exception) -> None:
    with pytest.raises(type(error)):
        ActivityEnvironment().run(Late(None).settle, LongJob.job_id, refusing(error))


def given_up(details: ActivityCancellationDetails) -> LongJob:
    job, environment = LongJob(), ActivityEnvironment()

    def cancel() -> None:
        job.watched.wait(PATIENCE_SECONDS)
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
