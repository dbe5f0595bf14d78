"""What the server knows of its jobs, on disk, so that a restarted one knows it too."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sandbox.layout import write_private
from sandbox.servers.faults import JobFault
from sandbox.servers.machine import MachineStatus

Kind = Literal["training", "processing", "transform"]


@dataclass(frozen=True)
class Job:
    """One job as it was asked for, and what happened to it so far beyond its machine's own status."""

    kind: Kind
    name: str
    arn: str
    request: dict[str, Any]
    """The body of the create request without its tags."""
    tags: dict[str, str]
    created_at: float
    """Seconds since the epoch, as all times here."""
    fault: JobFault | None = None
    stop_requested_at: float | None = None
    ending: dict[str, Any] | None = None
    """The machine's last status. Until it is set, nobody is told that the job has ended."""
    last_words: str = ""
    """What the job left for the vendor to show: its failure file or exit message."""
    log_offset: int = 0
    """How many bytes of the log have reached CloudWatch Logs."""
    log_complete: bool = False

    @property
    def machine(self) -> str:
        """The name of its machine: kinds of jobs do not share their names."""
        return f"{self.kind}-{self.name}"

    @property
    def ended(self) -> MachineStatus | None:
        """The machine's last status once the job is over."""
        return MachineStatus(**self.ending) if self.ending else None


class Book:
    """All jobs of the server, one file each."""

    def __init__(self, root: Path) -> None:
        """Read every job below `root`."""
        self._root = root
        self._lock = threading.RLock()
        stored = [Job(**json.loads(path.read_text())) for path in root.glob("*/*.json")]
        self._jobs = {(job.kind, job.name): job for job in stored}

    def add(self, job: Job) -> bool:
        """Write the job down unless one of its kind and name is there already; whether it was written."""
        with self._lock:
            if (job.kind, job.name) in self._jobs:
                return False
            self._keep(job)
            return True

    def get(self, kind: Kind, name: str) -> Job | None:
        """The job, if there is one."""
        return self._jobs.get((kind, name))

    def by_arn(self, arn: str) -> Job | None:
        """The job that a tag operation names."""
        return next((job for job in self.all() if job.arn == arn), None)

    def all(self) -> list[Job]:
        """Every job, of every kind."""
        with self._lock:
            return list(self._jobs.values())

    def change(self, job: Job, **news: Any) -> Job:
        """Write down news about a job."""
        with self._lock:
            changed = replace(self._jobs[job.kind, job.name], **news)
            self._keep(changed)
            return changed

    def _keep(self, job: Job) -> None:
        write_private(self._root / job.kind / f"{job.name}.json", json.dumps(asdict(job)))
        self._jobs[job.kind, job.name] = job
