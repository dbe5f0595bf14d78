"""How far a batch is, counted by several threads and told in heartbeats."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import activity

from contracts.copies import CopyProgress, Tally


class Meter:
    """Counts objects and bytes, and what is under way; safe across threads."""

    def __init__(self, objects_total: int, bytes_total: int) -> None:
        self._lock = threading.Lock()
        self._objects = self._bytes = 0
        self._totals = objects_total, bytes_total
        self._in_flight: set[int] = set()
        self._interrupted = interrupted()
        self._retried: dict[int, int] = {}

    def add(self, *, objects: int = 0, size_bytes: int = 0) -> None:
        """Count what was done."""
        with self._lock:
            self._objects += objects
            self._bytes += size_bytes

    @contextmanager
    def sending(self, index: int, size_bytes: int) -> Iterator[None]:
        """Mark a part, or an object of one part, as under way."""
        with self._lock:
            self._in_flight.add(index)
            if index in self._interrupted:
                self._retried[index] = size_bytes
        try:
            yield
        finally:
            with self._lock:
                self._in_flight.discard(index)

    @property
    def retried(self) -> Tally:
        """What was sent again after an attempt that ended while it was under way."""
        with self._lock:
            return Tally(retried_parts=len(self._retried), bytes_sent_twice=sum(self._retried.values()))

    def told(self) -> CopyProgress:
        """Return the counts as they stand."""
        with self._lock:
            return CopyProgress(
                objects_done=self._objects,
                objects_total=self._totals[0],
                bytes_done=self._bytes,
                bytes_total=self._totals[1],
                in_flight=tuple(sorted(self._in_flight)),
            )


def interrupted() -> frozenset[int]:
    """Return what an earlier attempt had under way at its last heartbeat: for telemetry, never for resuming."""
    if not activity.in_activity() or not activity.info().heartbeat_details:
        return frozenset()
    told = activity.info().heartbeat_details[0]
    found = told.get("in_flight", ()) if isinstance(told, dict) else ()
    return frozenset(index for index in found if isinstance(index, int))
