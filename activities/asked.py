"""Which requests an attempt of an activity made of a cloud, by the ids under which the cloud itself keeps them.

The clients of each room note them; who observes the attempt reads them. Threads that an activity starts of its own are
left out: a copy makes thousands of requests, and those that fail carry their id in the error.
"""

from collections import deque
from contextvars import ContextVar

LAST = 8
"""So many ids are kept of one attempt, the newest."""
_LIMIT = 128


class Asked:
    """The requests of one attempt."""

    def __init__(self) -> None:
        self._ids: deque[str] = deque(maxlen=LAST)

    def note(self, request_id: str) -> None:
        """Keep an id; safe from any thread."""
        self._ids.append(request_id[:_LIMIT])

    @property
    def ids(self) -> tuple[str, ...]:
        """The newest ids, oldest first."""
        return tuple(self._ids)


_ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)


def attempt() -> Asked:
    """Begin an attempt: what is noted from here on, also in the thread that it is handed to, is its own."""
    asked = Asked()
    _ASKED.set(asked)
    return asked


def answered(request_id: object) -> None:
    """Note the id of a request that a cloud has answered; nothing where there is none, or where no attempt runs."""
    asked = _ASKED.get()
    if asked is not None and request_id:
        asked.note(str(request_id))
