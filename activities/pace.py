"""How fast a copy may go: a bound on bytes per second over all threads of one activity."""

import threading
import time
from collections.abc import Iterable, Iterator

_LONGEST_SLEEP_SECONDS = 0.2
_BURST_SECONDS = 0.25
"""So much may go at once after a moment without traffic."""


class Throttle:
    """Lets bytes through at a rate; without one it lets everything through."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._rate = bytes_per_second
        self._lock = threading.Lock()
        self._due = time.monotonic()

    def paced(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass pieces on, each when it is due; a part that is on its way lands at this rate also when work should end."""
        for piece in pieces:
            self._wait(len(piece))
            yield piece

    def _wait(self, size_bytes: int) -> None:
        if self._rate is None:
            return
        with self._lock:
            now = time.monotonic()
            self._due = max(self._due, now - _BURST_SECONDS) + size_bytes / self._rate
            due = self._due
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, _LONGEST_SLEEP_SECONDS))
