"""Small records on disk, one file each, so that a restarted server knows them too."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from sandbox.layout import write_private

Record = dict[str, Any]


class Records:
    """What a server was told of one kind of thing, by name."""

    def __init__(self, root: Path) -> None:
        """Read every record below `root`."""
        self._root = root
        self._lock = threading.RLock()
        self._held: dict[str, Record] = {
            path.stem: json.loads(path.read_text()) for path in root.glob("*.json")
        }

    def add(self, name: str, record: Record) -> bool:
        """Write it down unless there is one of its name; whether it was written."""
        with self._lock:
            if name in self._held:
                return False
            self._keep(name, record)
            return True

    def get(self, name: str) -> Record | None:
        """The record, if there is one."""
        return self._held.get(name)

    def all(self) -> list[Record]:
        """Every record."""
        with self._lock:
            return list(self._held.values())

    def change(self, name: str, **news: Any) -> Record | None:
        """Write down news about it, unless it is gone."""
        with self._lock:
            if name not in self._held:
                return None
            changed = self._held[name] | news
            self._keep(name, changed)
            return changed

    def remove(self, name: str) -> bool:
        """Forget it; whether it was there."""
        with self._lock:
            (self._root / f"{name}.json").unlink(missing_ok=True)
            return self._held.pop(name, None) is not None

    def _keep(self, name: str, record: Record) -> None:
        write_private(self._root / f"{name}.json", json.dumps(record))
        self._held[name] = record
