"""Polling a job: often at first, then ever more seldom, and never taking silence for an end."""

import time

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.guard import Translate, translated
from activities.job_service import JobService
from activities.stopping import rest
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobState

FIRST_POLL_SECONDS = 0.5
LONGEST_POLL_SECONDS = 60.0
_GROWTH = 1.2
SILENCE_SECONDS = 10.0
"""How long a control plane may fail to tell before the job is said to be UNKNOWN."""
_SILENT_POLL_SECONDS = 3.0


class Watch:
    """One job as it is polled; `state` is the last that its control plane told, for heartbeats."""

    def __init__(self, service: JobService, translate: Translate, ref: JobRef) -> None:
        self._service = service
        self._translate = translate
        self._ref = ref
        self.state = _remembered(ref)
        self._why = ""

    def until_news(self, seen: JobPhase | None) -> JobState:
        """Return once the phase is another than the one seen, or an end; ten seconds without an answer are UNKNOWN.

        Whatever a control plane answers instead, such as that credentials have expired, it says nothing of the job.

        Raises:
            ApplicationError: `SOURCE_MISSING`, it says that there is no such job.
            CancelledError: the activity was cancelled.
        """
        failing_since: float | None = None
        interval = FIRST_POLL_SECONDS
        while True:
            answer = self._ask()
            if answer and (answer.phase.terminal or answer.phase != seen):
                return answer
            failing_since = None if answer else failing_since or time.monotonic()
            silent = failing_since is not None and time.monotonic() - failing_since > SILENCE_SECONDS
            if silent and seen != JobPhase.UNKNOWN:
                return self._unknown()
            rest(interval if answer or seen == JobPhase.UNKNOWN else min(interval, _SILENT_POLL_SECONDS))
            interval = _longer(interval)

    def until_ended(self) -> JobState:
        """Return once the control plane confirms the end.

        Raises:
            ApplicationError: the control plane refused, or could not be reached.
            CancelledError: the activity was cancelled.
        """
        interval = FIRST_POLL_SECONDS
        while True:
            state = self._describe()
            if state.phase.terminal:
                return state
            rest(interval)
            interval = _longer(interval)

    def told(self) -> JobState | None:
        """Return what a heartbeat says."""
        return self.state

    def _ask(self) -> JobState | None:
        try:
            return self._describe()
        except ApplicationError as error:
            if error.type == ErrorKind.SOURCE_MISSING:
                raise
            self._why = f"{error.type}: {error.message}"
            activity.logger.info("the control plane does not tell of job %s: %s", self._ref.name, self._why)
            return None

    def _describe(self) -> JobState:
        with translated(self._translate, self._ref.name):
            self.state = self._service.describe(self._ref)
        return self.state

    def _unknown(self) -> JobState:
        last = self.state or JobState(ref=self._ref, phase=JobPhase.UNKNOWN)
        told = f"the control plane does not tell ({self._why}); the job may well be running"
        return last.model_copy(update={"phase": JobPhase.UNKNOWN, "message": told})


def _longer(interval: float) -> float:
    return min(interval * _GROWTH, LONGEST_POLL_SECONDS)


def _remembered(ref: JobRef) -> JobState | None:
    """Return what the attempt before saw, so that `last_seen` outlives a worker."""
    details = activity.info().heartbeat_details if activity.in_activity() else ()
    if not details:
        return None
    try:
        state = JobState.model_validate(details[0])
    except ValueError:
        activity.logger.info("the heartbeat of the attempt before cannot be read; polling starts afresh")
        return None
    return state if state.ref.id == ref.id else None
