"""BigQuery jobs that run once, however often they are asked for: ids are derived, found jobs adopted."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import Conflict, GoogleAPICallError, NotFound
from google.cloud import bigquery
from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError

from activities.gcp.errors import refused
from activities.stopping import cancel_requested, rest
from contracts.tables import TableJobKey

TIMEOUT = 60.0
"""Seconds one request may take; retries are Temporal's."""
TRIES = 100
"""Ids one key may use up: an id belongs to its job for good, also when that job failed."""
NEEDS = {"get_job": ("bigquery.jobs.get",), "reload": (), "cancel": ()}
"""See `activities.gcp.table_cancel`."""
_FIRST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.2, 2.0

NO_RETRY: Any = None
"""What the SDK takes for no retries, though its types do not say so."""
Job = Any
"""A load, copy or query job of the SDK, which has no types."""


@dataclass(frozen=True)
class Settled:
    """A job that has ended."""

    job: Job
    stale: bool
    """It had ended already when it was found, so its failure says nothing about now."""

    @property
    def failed(self) -> bool:
        """Whether it ended without success; BigQuery then left everything as it was."""
        return self.job.error_result is not None

    def refusal(self, ref: str) -> ApplicationError:
        """Return why a failed job failed, in the service's words."""
        result = self.job.error_result or {}
        return refused(result.get("reason", ""), result.get("message", ""), ref)


def job_id(key: TableJobKey, what: str, attempt: int) -> str:
    """Return the id of one job of a load or a query; the same key has the same ids."""
    stage = re.sub(r"[^A-Za-z0-9_-]", "-", key.stage)
    return f"causeway-{key.run.run_uid}-{stage}-g{key.generation}-{what}-{attempt}"


def labels(key: TableJobKey) -> dict[str, str]:
    """Return what the job carries so that a run's jobs are found."""
    return {
        "causeway-run": key.run.run_uid,
        "causeway-stage": key.stage.lower(),
        "causeway-pipeline": key.run.pipeline,
    }


class TableJobs:
    """Starts and awaits jobs of one connection."""

    def __init__(self, client: bigquery.Client) -> None:
        """Run jobs through this client, in its location."""
        self._client = client

    def settle(self, identity: str, start: Callable[[str], Job]) -> Settled:
        """Return the ended job that carries this id, having started it if there was none.

        Raises:
            CancelledError: the activity was cancelled; the job is asked to stop if somebody asked for that.
        """
        job = self._find(identity)
        if job is not None:
            activity.logger.info("adopted BigQuery job %s in state %s", identity, job.state)
            stale = job.state == "DONE"
        else:
            job, stale = self._started(identity, start), False
        self._wait(job)
        return Settled(job, stale)

    def _find(self, identity: str) -> Job | None:
        try:
            return self._client.get_job(identity, retry=NO_RETRY, timeout=TIMEOUT)
        except NotFound:
            return None

    def _started(self, identity: str, start: Callable[[str], Job]) -> Job:
        try:
            return start(identity)
        except (Conflict, NotFound, ApplicationError):
            # Another worker, or an earlier request whose answer was lost, was faster. When its job has ended since, what
            # this start looks for is as that job left it: the staging table is gone, or the target has rows.
            found = self._find(identity)
            if found is None:
                raise
            activity.logger.info("adopted BigQuery job %s, which was started meanwhile", identity)
            return found

    def _wait(self, job: Job) -> None:
        pause = _FIRST_POLL_SECONDS
        try:
            while job.state != "DONE":
                rest(pause)
                pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)
                job.reload(retry=NO_RETRY, timeout=TIMEOUT)
        except CancelledError:
            # An attempt that the server believes dead has a successor, which adopts the job.
            if cancel_requested():
                self._stop(job)
            raise

    def _stop(self, job: Job) -> None:
        try:
            job.cancel(retry=NO_RETRY, timeout=TIMEOUT)
        except (GoogleAPICallError, OSError):
            activity.logger.warning("BigQuery job %s could not be asked to stop", job.job_id)
