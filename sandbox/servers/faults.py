"""Misbehaviour on request: what `sandbox fault` writes and a server reads. Light to import."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from sandbox.layout import write_private

REQUEST_FAULTS = ("unavailable", "throttle", "slow", "drop", "away")
JobFault = Literal["fail", "hang", "preempt", "memory", "image", "capacity"]
JOB_FAULTS = ("fail-job", "hang-job", "preempt-job", "memory-job", "image-job", "capacity-job", "quota")


@dataclass(frozen=True)
class Fault:
    """One way to misbehave, until a time, for a number of times, or until it is cleared."""

    kind: str
    """One of `REQUEST_FAULTS` (shown by the server's frame) or `JOB_FAULTS` (taken when a job is created)."""
    until: float | None = None
    """Seconds since the epoch; after that the fault is gone."""
    times: int | None = None
    """How often it is shown still. A job fault without a number is taken once."""
    match: str | None = None
    """Only for operations (or, for job faults, job names) that contain this text."""
    seconds: float | None = None
    """How long `slow` waits before it handles the request."""


class Faults:
    """The faults of one server, shared through a file by the command line and the server."""

    def __init__(self, path: Path) -> None:
        """Read and change the list at `path`, which need not exist."""
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._known: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Make the server misbehave from its next request on."""
        with self._locked():
            self._write([*self._read(), fault])

    def clear(self) -> None:
        """Make the server behave again."""
        with self._locked():
            self._write([])

    def active(self) -> list[Fault]:
        """Every fault that is still to be shown or taken. Costs one `stat` while the file does not change."""
        self._refresh()
        return [fault for fault in self._known if _alive(fault)]

    def next_for(self, operation: str) -> Fault | None:
        """The request fault that this operation must show, and one time less for it."""
        return self._use(REQUEST_FAULTS, operation)

    def take(self, kind: str, name: str = "") -> Fault | None:
        """A waiting fault of this kind for the job `name`; no other caller gets the same one."""
        return self._use((kind,), name, once=True)

    def take_job_fault(self, name: str) -> JobFault | None:
        """What must happen to the job that is being created, in the words of `MachineSpec.fault`."""
        wanted: tuple[JobFault, ...] = get_args(JobFault)
        return next((kind for kind in wanted if self.take(f"{kind}-job", name)), None)

    def _use(self, kinds: tuple[str, ...], text: str, *, once: bool = False) -> Fault | None:
        if not any(fault.kind in kinds for fault in self.active()):
            return None
        with self._locked():
            faults = [fault for fault in self._read() if _alive(fault)]
            chosen = next(
                (fault for fault in faults if fault.kind in kinds and (fault.match or "") in text), None
            )
            if chosen is not None and (once or chosen.times is not None):
                self._write(_less_one(faults, chosen))
        return chosen

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._seen, self._known = None, []
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._seen:
            self._seen, self._known = stamp, self._read()

    def _read(self) -> list[Fault]:
        try:
            return [Fault(**entry) for entry in json.loads(self._path.read_text())]
        except FileNotFoundError:
            return []

    def _write(self, faults: list[Fault]) -> None:
        write_private(self._path, json.dumps([asdict(fault) for fault in faults], indent=2) + "\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _alive(fault: Fault) -> bool:
    return (fault.until is None or time.time() < fault.until) and (fault.times is None or fault.times > 0)


def _less_one(faults: list[Fault], used: Fault) -> list[Fault]:
    rest = list(faults)
    position = rest.index(used)
    left = (used.times or 1) - 1
    rest[position : position + 1] = [Fault(**{**asdict(used), "times": left})] if left else []
    return rest
