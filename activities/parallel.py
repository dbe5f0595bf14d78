"""A few threads for one activity, which all end before it does."""

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from activities.stopping import asked_to_stop, stop_error

AT_ONCE = 4
"""Objects in flight; each holds at most about three parts in memory."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class Stop:
    """Whether work should end: the activity was asked to stop, or another of its threads failed."""

    def __init__(self) -> None:
        self._failed = threading.Event()

    def fail(self) -> None:
        """Let every thread stop at its next step."""
        self._failed.set()

    def check(self) -> None:
        """Pass unless work should end; called between steps, never while bytes are in flight.

        Raises:
            CancelledError: the activity was cancelled, or another thread failed (its error is the one told).
        """
        if self._failed.is_set() or asked_to_stop():
            raise stop_error()


def for_each(
    work: Callable[[Item, Stop], Result], items: Sequence[Item], *, at_once: int = AT_ONCE
) -> list[Result]:
    """Do the work for each item, several at once, and return the results in the order of the items.

    Raises:
        Exception: the first error of any; nothing new starts after it and whatever is in flight has ended.
    """
    stop = Stop()
    with ThreadPoolExecutor(max_workers=max(1, min(at_once, len(items)))) as pool:
        futures = [pool.submit(contextvars.copy_context().run, _one, work, item, stop) for item in items]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        first = _first_error(done)
        if first:
            stop.fail()
            for future in futures:
                future.cancel()
    if first:
        raise first
    return [future.result() for future in futures]


def _one(work: Callable[[Item, Stop], Result], item: Item, stop: Stop) -> Result:
    stop.check()
    return work(item, stop)


def _first_error(done: set[Future[Result]]) -> BaseException | None:
    return next((error for future in done if (error := future.exception()) is not None), None)
