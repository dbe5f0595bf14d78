"""What the server knows of each job: the accepted request and how it ended, in one file a job."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.layout import write_private
from sandbox.servers.faults import JobFault

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,254}")
"""The pattern of the vendor's API specification for the id of a job."""


@dataclass(frozen=True)
class JobRecord:
    """One job as it was asked for, and what was decided about it since."""

    name: str
    properties: dict[str, Any]
    """The accepted `properties` of the PUT, with nulls left out."""
    created_at: str
    created_by: str
    fault: JobFault | None = None
    """The fault taken for this job."""
    cancel_requested_at: str | None = None
    ended: dict[str, Any] = field(default_factory=dict)
    """Empty while the job lives; then `status`, `at`, `started_at` and, perhaps, `error` or `warning`."""
    child: str | None = None
    """The one step of a pipeline job, which has the machine."""
    parent: str | None = None
    """The pipeline job that a step belongs to; lists of jobs leave steps out."""
    scoring: dict[str, Any] = field(default_factory=dict)
    """Of the step of a batch deployment: how its scoring script is run."""


class JobStore:
    """The records of all jobs. Changes to one job are made under `locked`."""

    def __init__(self, folder: Path) -> None:
        """Keep one file a job in `folder`."""
        self._folder = folder
        self._lock = threading.RLock()
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes a record meanwhile."""
        with self._lock:
            yield

    def find(self, name: str) -> JobRecord | None:
        """The record, or None. Names are case-sensitive."""
        path = self._folder / f"{name}.json"
        if not NAME.fullmatch(name) or not path.exists():
            return None
        return JobRecord(**json.loads(path.read_text()))

    def add(self, record: JobRecord) -> None:
        """Write a new record, durably: after this the job exists."""
        self._write(record)

    def change(self, name: str, **changes: Any) -> JobRecord:
        """The record with these fields replaced, written."""
        with self._lock:
            found = self.find(name)
            if found is None:
                raise KeyError(name)
            changed = replace(found, **changes)
            self._write(changed)
            return changed

    def all(self) -> list[JobRecord]:
        """Every record, the newest first as the vendor lists them."""
        found = [JobRecord(**json.loads(path.read_text())) for path in self._folder.glob("*.json")]
        return sorted(found, key=lambda record: (record.created_at, record.name), reverse=True)

    def _write(self, record: JobRecord) -> None:
        path = self._folder / f"{record.name}.json"
        write_private(path, json.dumps(asdict(record), indent=1))
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def made_and_kept(at: str) -> dict[str, str]:
    """The `systemData` of a resource that nobody changed since it was made; the SDK reads all of it."""
    by = {"createdBy": "causeway", "createdByType": "Application"}
    return {**by, "createdAt": at, "lastModifiedAt": at}


def now() -> str:
    """The time as ARM writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
