"""Small settable resources: what a PUT or PATCH said, in one file, over what a fresh sandbox begins with."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from sandbox.layout import write_private


class Documents:
    """JSON objects by path. They outlive a restart."""

    def __init__(self, path: Path, fresh: dict[str, dict[str, Any]]) -> None:
        """Keep them in this file; `fresh` is there until something else is written."""
        self._path, self._fresh = path, fresh
        self._lock = threading.Lock()

    def get(self, key: str) -> dict[str, Any] | None:
        """The object, or None."""
        return self._read().get(key)

    def all(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Every object below a path, by its key."""
        return {key: body for key, body in self._read().items() if key.startswith(prefix)}

    def put(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Write an object whole."""
        with self._lock:
            write_private(self._path, json.dumps({**self._read(), key: body}, indent=1))
        return body

    def merge(self, key: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Write members of an object, those inside objects too; null takes a member away, as a PATCH does (RFC 7396)."""
        with self._lock:
            found = self._read()
            merged = _merged(found.get(key) or {}, changes)
            write_private(self._path, json.dumps({**found, key: merged}, indent=1))
        return merged

    def delete(self, key: str) -> None:
        """Take an object away, for good."""
        with self._lock:
            found = self._read()
            found.pop(key, None)
            write_private(self._path, json.dumps(found, indent=1))

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            stored: dict[str, dict[str, Any]] = json.loads(self._path.read_text())
            return stored
        except FileNotFoundError:
            return dict(self._fresh)


def _merged(old: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(old.get(name), dict):
            merged[name] = _merged(old[name], value)
        else:
            merged[name] = value
    return merged
