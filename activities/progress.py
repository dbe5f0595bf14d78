"""How far a batch is, counted by several threads and told in heartbeats."""

import threading

from contracts.storage import CopyProgress


class Meter:
    """Counts objects and bytes; safe across threads."""

    def __init__(self, objects_total: int, bytes_total: int) -> None:
        self._lock = threading.Lock()
        self._now = CopyProgress(objects_total=objects_total, bytes_total=bytes_total)

    def add(self, *, objects: int = 0, size_bytes: int = 0) -> None:
        """Count what was done."""
        with self._lock:
            now = self._now
            counted = {"objects_done": now.objects_done + objects, "bytes_done": now.bytes_done + size_bytes}
            self._now = now.model_copy(update=counted)

    def told(self) -> CopyProgress:
        """Return the counts as they stand."""
        return self._now
