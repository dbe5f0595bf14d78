"""A few threads for one activity, which all end before it does."""

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from activities.stopping import asked_to_stop, stop_error

AT_ONCE = 4
"""Objects in flight, where nobody says otherwise."""
Item = TypeVar("Item")
Result = TypeVar("Result")
Task = Callable[[], None]


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


class Crew:
    """Threads that do tasks until there are none; a task may add others, which go before those that wait."""

    def __init__(self, at_once: int) -> None:
        self.stop = Stop()
        self.error: BaseException | None = None
        """The first error of any task; nothing new starts after it."""
        self._at_once = at_once
        self._tasks: deque[Task] = deque()
        self._busy = 0
        self._changed = threading.Condition()

    def add(self, tasks: Sequence[Task]) -> None:
        """Have these done next, in their order."""
        with self._changed:
            self._tasks.extendleft(reversed(tasks))
            self._changed.notify_all()

    def work(self) -> None:
        """Return when every task has ended, or when one has failed and what was in flight has ended."""
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(self._help,), name=f"crew-{number}")
            for number in range(max(1, self._at_once))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _help(self) -> None:
        while (task := self._next()) is not None:
            try:
                self.stop.check()
                task()
            except BaseException as error:
                self._fail(error)
            finally:
                self._end()

    def _next(self) -> Task | None:
        with self._changed:
            # A task that is still under way may add others.
            self._changed.wait_for(lambda: self._tasks or not self._busy or self.error)
            if not self._tasks or self.error:
                return None
            self._busy += 1
            return self._tasks.popleft()

    def _end(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self.error = self.error or error
        self.stop.fail()


def for_each(
    work: Callable[[Item, Stop], Result], items: Sequence[Item], *, at_once: int = AT_ONCE
) -> list[Result]:
    """Do the work for each item, several at once, and return the results in the order of the items.

    Raises:
        Exception: the first error of any; nothing new starts after it and whatever is in flight has ended.
    """
    found: dict[int, Result] = {}
    crew = Crew(min(at_once, len(items)))

    def one(index: int) -> None:
        found[index] = work(items[index], crew.stop)

    crew.add([partial(one, index) for index in range(len(items))])
    crew.work()
    if crew.error:
        raise crew.error
    return [found[index] for index in range(len(items))]
