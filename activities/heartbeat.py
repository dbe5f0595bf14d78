"""Heartbeats from beside an activity's work, so that a blocking call never looks like a dead worker."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from temporalio import activity

from contracts.model import Message

BEAT_SECONDS = 1.0
Progress = Callable[[], Message | None]


@contextmanager
def beating(progress: Progress | None = None, every: float = BEAT_SECONDS) -> Iterator[None]:
    """Beat from a thread of its own while the body runs; outside an activity do nothing.

    A failure of `progress` is logged once and the beats go on bare: it never replaces what the body comes to.
    """
    if not activity.in_activity():
        yield
        return
    done = threading.Event()
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(_beat, done, progress, every), name="heartbeat", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _beat(done: threading.Event, progress: Progress | None, every: float) -> None:
    while True:
        details, progress = _ask(progress)
        activity.heartbeat(*details)
        if done.wait(every):
            return


def _ask(progress: Progress | None) -> tuple[tuple[Message, ...], Progress | None]:
    try:
        found = progress() if progress else None
    except Exception:
        activity.logger.warning("progress cannot be told; the heartbeats go on without it", exc_info=True)
        return (), None
    return ((found,) if found else ()), progress
