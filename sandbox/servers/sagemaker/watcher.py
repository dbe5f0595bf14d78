"""What happens to jobs while nobody asks: their logs travel, and their ends are written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from sandbox.servers.machine import Machines
from sandbox.servers.rounds import Rounds
from sandbox.servers.sagemaker.book import Book, Job
from sandbox.servers.sagemaker.logs import CloudWatch
from sandbox.servers.sagemaker.service import KINDS

SHIP_SECONDS = 1.0
BULKY = ("ml", "site", "tmp", "work")


class Watcher(Rounds):
    """One thread that looks after all open jobs."""

    def __init__(self, book: Book, machines: Machines, logs: CloudWatch) -> None:
        """Look after the jobs of `book`."""
        super().__init__()
        self._book = book
        self._machines = machines
        self._logs = logs
        self._shipped_at: dict[str, float] = {}

    def duties(self) -> Iterable[Callable[[], None]]:
        """See `Rounds`."""
        return [partial(self._look_after, job) for job in self._book.all()]

    def _look_after(self, job: Job) -> None:
        if job.ending is None and self._machines.home(job.machine).exists():
            status = self._machines.status(job.machine)
            if status.phase == "DONE":
                self._close(job)
                return
        if not job.log_complete and self._is_due(job):
            self._ship(job, final=job.ending is not None)

    def _close(self, job: Job) -> None:
        shipped = self._ship(job, final=True)
        words = _text(self._machines.home(job.machine) / "ml" / KINDS[job.kind].last_words)
        status = self._machines.status(job.machine)
        self._book.change(shipped, ending=asdict(status), last_words=words)
        self._machines.clear(job.machine, *BULKY)

    def _ship(self, job: Job, *, final: bool) -> Job:
        stream = f"{job.name}/algo-1-{int(job.created_at)}"
        path = self._machines.log(job.machine)
        offset, complete = self._logs.ship(
            path, job.log_offset, KINDS[job.kind].log_group, stream, final=final
        )
        self._shipped_at[job.machine] = time.monotonic()
        if (offset, complete and final) == (job.log_offset, job.log_complete):
            return job
        return self._book.change(job, log_offset=offset, log_complete=complete and final)

    def _is_due(self, job: Job) -> bool:
        return time.monotonic() - self._shipped_at.get(job.machine, 0) > SHIP_SECONDS


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(4096).decode(errors="replace").strip()[:1024]
    except OSError:
        return ""
