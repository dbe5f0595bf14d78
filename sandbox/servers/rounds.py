"""What a server does while nobody asks: one thing after the other is looked after, again and again."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterable


class Rounds:
    """A thread that makes rounds; the trouble of one thing ends neither its round nor the care of the others."""

    look_seconds = 0.2

    def __init__(self) -> None:
        """Make no round yet."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=type(self).__name__, daemon=True)

    def duties(self) -> Iterable[Callable[[], None]]:
        """What there is to do in this round."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when the thread has ended."""
        self._over.set()
        self._thread.join(timeout=10)

    def _watch(self) -> None:
        while not self._over.wait(self.look_seconds):
            for duty in self.duties():
                try:
                    duty()
                except Exception:
                    # A full disk, say; it is tried again in the next round.
                    traceback.print_exc(file=sys.stderr)
