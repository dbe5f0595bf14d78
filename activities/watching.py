"""Polling a job: often at first, then ever more seldom, and never taking silence for an end."""

import time

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.guard import Translate, translated
from activities.job_service import JobService
from activities.silence import Silence
from activities.stopping import rest
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobState

LONGEST_POLL_SECONDS = 60.0
_GROWTH = 1.2
NEWS_SECONDS = 1.0
"""How long a phase must last to be told while the job goes on: what passes at once is nobody's news."""
SILENCE_SECONDS = 10.0
"""How long a control plane may fail to tell before the job is said to be UNKNOWN."""


class Watch:
    """One job as it is polled; `state` is the last that its control plane told, for heartbeats."""

    def __init__(self, service: JobService, translate: Translate, ref: JobRef) -> None:
        self._service = service
        self._translate = translate
        self._ref = ref
        self.state = _remembered(ref)
        self._why = ""
        self._silence = Silence()

    def until_news(self, seen: JobPhase | None) -> JobState:
        """Return once the phase has been another than the one seen for a second, or is an end.

        Ten seconds without an answer are UNKNOWN. Whatever a control plane answers instead, such as that credentials have
        expired, it says nothing of the job.

        Raises:
            ApplicationError: `SOURCE_MISSING`, it says that there is no such job.
            CancelledError: the activity was cancelled.
        """
        phase, since, interval = seen, time.monotonic(), self._service.first_poll_seconds
        while True:
            answer = self._ask()
            if answer and answer.phase.terminal:
                return answer
            now, current = time.monotonic(), answer.phase if answer else JobPhase.UNKNOWN
            if current != phase:
                phase, since, interval = current, now, self._service.first_poll_seconds
            if phase != seen and now - since >= (NEWS_SECONDS if answer else SILENCE_SECONDS):
                return answer or self._unknown()
            rest(interval)
            interval = longer(interval)

    def until_ended(self) -> JobState:
        """Return once the control plane confirms the end.

        Raises:
            ApplicationError: the control plane refused, or could not be reached.
            CancelledError: the activity was cancelled.
        """
        interval = self._service.first_poll_seconds
        while True:
            state = self._describe()
            if state.phase.terminal:
                return state
            rest(interval)
            interval = longer(interval)

    def told(self) -> JobState | None:
        """Return what a heartbeat says."""
        return self.state

    def _ask(self) -> JobState | None:
        asked = time.monotonic()
        try:
            state = self._describe()
        except ApplicationError as error:
            if error.type == ErrorKind.SOURCE_MISSING:
                raise
            self._silence.kept(asked)
            self._why = f"{error.type}: {error.message}"
            activity.logger.info("the control plane does not tell of job %s: %s", self._ref.name, self._why)
            return None
        self._silence.broken()
        return state

    def _describe(self) -> JobState:
        with translated(self._translate, self._ref.name):
            self.state = self._service.describe(self._ref)
        return self.state

    def _unknown(self) -> JobState:
        last = self.state or JobState(ref=self._ref, phase=JobPhase.UNKNOWN)
        told = f"the control plane does not tell ({self._why}); the job may well be running"
        return last.model_copy(update={"phase": JobPhase.UNKNOWN, "message": told})


def longer(interval: float) -> float:
    """Return how long to rest after a rest in which nothing changed."""
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
