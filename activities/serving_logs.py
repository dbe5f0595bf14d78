"""Reading on in a server's log: vendors tell only its last lines, so that what is new is found by what was read before."""

import hashlib
import time
from collections.abc import Sequence

from activities.endpoint_service import EndpointService
from activities.following import FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS
from activities.guard import Translate, translated
from activities.stopping import rest
from contracts.endpoints import EndpointPhase, EndpointRef
from contracts.jobs import LOG_BEGINNING, LogPage, LogRequest

WINDOW_LINES = 1000
"""How many lines each look asks for: a server that prints more between two looks is not followed line by line."""
PLACE_LINES = 50
"""How many lines before a place in a log tell it from others: a server prints the same few lines all day."""


class ServerLog:
    """One request for the log of one endpoint's server."""

    def __init__(self, service: EndpointService, translate: Translate, request: LogRequest) -> None:
        self._service = service
        self._translate = translate
        self._request = request
        self._ref = EndpointRef(id=request.ref.id, name=request.ref.name, generation=request.ref.generation)

    def page(self) -> LogPage:
        """Return lines as soon as there are any, or none when the request's patience is over or the endpoint is gone.

        Raises:
            ApplicationError: the log or the endpoint cannot be read.
            CancelledError: nobody follows any more.
        """
        until, interval = time.monotonic() + self._request.patience_seconds, FIRST_LOOK_SECONDS
        while True:
            # Before the log is read: what was printed at the very end is in it then.
            gone = bool(self._request.patience_seconds) and self._gone()
            page = self._read()
            if page.lines or not self._request.patience_seconds:
                return page
            if gone or time.monotonic() >= until:
                return page.model_copy(update={"ended": gone})
            rest(interval)
            interval = min(interval * 1.5, LONGEST_LOOK_SECONDS)

    def _read(self) -> LogPage:
        after, tail = self._request.after, self._request.tail
        with translated(self._translate, self._ref.name):
            lines = self._service.last_lines(self._ref, max(tail, WINDOW_LINES))
        fresh = lines[max(0, len(lines) - tail) :] if after is None else beyond(lines, after)
        return LogPage(lines=tuple(fresh), next_after=place_after(lines) if lines else after or LOG_BEGINNING)

    def _gone(self) -> bool:
        with translated(self._translate, self._ref.name):
            return self._service.describe(self._ref).phase is EndpointPhase.GONE


def place_after(lines: Sequence[str]) -> str:
    """Return a token for the place after these lines: how many of them tell it, and what they say."""
    told = lines[-PLACE_LINES:]
    return f"{len(told)}:{hashlib.sha256(chr(10).join(told).encode()).hexdigest()}"


def beyond(lines: Sequence[str], place: str) -> Sequence[str]:
    """Return the lines after the last spot that a token fits; all of them where it fits none."""
    count = int(place.partition(":")[0] or 0)
    if not count:
        return lines
    for end in range(len(lines), count - 1, -1):
        if place_after(lines[end - count : end]) == place:
            return lines[end:]
    return lines
