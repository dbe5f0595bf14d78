"""Reading on in a job's log: a request waits for lines that are not there yet, and knows when none will come."""

import time

from activities.guard import Translate, translated
from activities.job_service import JobService
from activities.stopping import rest
from contracts.jobs import LOG_BEGINNING, LogPage, LogRequest

FIRST_LOOK_SECONDS = 0.5
LONGEST_LOOK_SECONDS = 5.0
LINGER_SECONDS = 4.0
"""How long after its end a job's log may still grow: logging services take lines in with a delay."""


class Follower:
    """One request for the log of one job."""

    def __init__(self, service: JobService, translate: Translate, request: LogRequest) -> None:
        self._service = service
        self._translate = translate
        self._request = request
        self._after = request.after

    def page(self) -> LogPage:
        """Return lines as soon as there are any, or none when the request's patience is over or the job has ended.

        Raises:
            ApplicationError: the log or the job cannot be read.
            CancelledError: nobody follows any more.
        """
        until, interval = time.monotonic() + self._request.patience_seconds, FIRST_LOOK_SECONDS
        while True:
            # Who does not wait wants what there is, also a line that is not whole.
            page = self._read(final=not self._request.patience_seconds)
            if page.lines or not self._request.patience_seconds:
                return page
            if self._ended():
                return self._rest_of_it()
            if time.monotonic() >= until:
                return page
            rest(interval)
            interval = min(interval * 1.5, LONGEST_LOOK_SECONDS)

    def _rest_of_it(self) -> LogPage:
        """Return what came in since; `ended` is set once nothing has come for as long as a service may be late."""
        until = time.monotonic() + LINGER_SECONDS
        while True:
            late = time.monotonic() >= until
            page = self._read(final=late)
            if page.lines or late:
                return page.model_copy(update={"ended": late})
            rest(FIRST_LOOK_SECONDS)

    def _read(self, *, final: bool) -> LogPage:
        """Read on; a page that is empty but moves the token on has more behind it, as CloudWatch documents."""
        while True:
            with translated(self._translate, self._request.ref.name):
                page = self._service.logs(self._request.ref, self._request.tail, self._after, final=final)
            if page.lines or page.next_after == self._after:
                return self._begun(page)
            self._after = page.next_after

    def _begun(self, page: LogPage) -> LogPage:
        """Of a log that has not begun everything is to come, not only its last lines."""
        if not page.lines and page.next_after is None and self._request.patience_seconds:
            page = page.model_copy(update={"next_after": LOG_BEGINNING})
        self._after = page.next_after
        return page

    def _ended(self) -> bool:
        with translated(self._translate, self._request.ref.name):
            return self._service.describe(self._request.ref).phase.terminal
