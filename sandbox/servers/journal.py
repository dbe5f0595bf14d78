"""The list of requests a server has answered: who may be asked later what a client really did."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Journal:
    """One JSON object a line for each request; of headers and bodies only the name of the client's program."""

    def __init__(self, path: Path) -> None:
        """Append to the file at `path`, which need not exist."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()

    def write(self, **entry: Any) -> None:
        """Add one line, stamped with the time, in one write so that readers never see half of it."""
        line = json.dumps(
            {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **entry}, default=str
        )
        with self._lock, self._path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
