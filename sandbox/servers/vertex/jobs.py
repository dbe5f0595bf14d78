"""The jobs of one kind that this server knows, kept on disk, and the machines that run them.

A job is one JSON file; what happens to it is read from its machine, which outlives the server. So a
restarted server goes on with every job where it is, and starts those that were accepted but not yet
started.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from sandbox.layout import write_private
from sandbox.servers.faults import Faults, JobFault
from sandbox.servers.machine import Machines, UnknownMachine
from sandbox.servers.vertex import states
from sandbox.servers.vertex.errors import GoogleError
from sandbox.servers.vertex.job_kinds import Kind
from sandbox.servers.vertex.vendor_types import JobState

RUNNING_AT_ONCE = 8
"""A project's quota of machines: more jobs than that wait as QUEUED."""
LOOK_EVERY_SECONDS = 0.2


@dataclass
class Entry:
    """A job and what only the server knows about it."""

    job: Any
    """The vendor's job, as plain protobuf."""
    started: bool = False
    """Its machine has been started."""
    fault: JobFault | None = None
    """What must go wrong with it."""

    @property
    def id(self) -> str:
        """The last part of its name, a number as text."""
        return str(self.job.name.rsplit("/", 1)[1])

    @property
    def ended(self) -> bool:
        """Nothing will happen to it any more."""
        return self.job.state in states.ENDED


class Jobs:
    """All jobs of a kind, thread-safe. Every change is on disk before it is answered."""

    def __init__(self, folder: Path, faults: Faults, kind: Kind) -> None:
        """Take up the jobs found below `folder` and go on with them."""
        self.kind = kind
        self._folder = folder / "jobs"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._faults = faults
        self.machines = Machines(folder)
        self._lock = threading.RLock()
        self._entries = {entry.id: entry for entry in map(self._load, sorted(self._folder.glob("*.json")))}
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="jobs", daemon=True)

    def open(self) -> None:
        """Start what is queued, now and later."""
        self._keeper.start()

    def close(self) -> None:
        """End every running job and start no other; afterwards no process of any is left."""
        self._closing.set()
        self._wake.set()
        self._keeper.join(timeout=5)
        self.machines.stop_all(grace_seconds=1)

    def create(self, parent: str, job: Any) -> Any:
        """Take a job under a new name and start it as soon as there is room."""
        with self._lock:
            # Vendor ids have 19 digits, as nanoseconds since the epoch have: they also sort by age.
            job.name = f"{parent}/{self.kind.collection}/{max(time.time_ns(), self._newest() + 1)}"
            job.create_time.FromDatetime(datetime.now(UTC))
            states.touch(job, JobState.JOB_STATE_QUEUED)
            entry = Entry(job, fault=self._faults.take_job_fault(job.display_name))
            self._save(entry)
            self._entries[entry.id] = entry
            answer = _copy(job)
        # As in the vendor's examples: an accepted job is PENDING; QUEUED shows when the quota is used up.
        answer.state = JobState.JOB_STATE_PENDING
        self._wake.set()
        return answer

    def get(self, name: str) -> Any:
        """The job as it is now.

        Raises:
            GoogleError: `NOT_FOUND`.
        """
        with self._lock:
            return _copy(self._refreshed(self._find(name)).job)

    def listed(self, parent: str) -> list[Any]:
        """The jobs of a project's location, newest first."""
        with self._lock:
            mine = [
                entry
                for entry in self._entries.values()
                if entry.job.name.startswith(f"{parent}/{self.kind.collection}/")
            ]
            return [
                _copy(self._refreshed(entry).job)
                for entry in sorted(mine, key=lambda entry: entry.id, reverse=True)
            ]

    def cancel(self, name: str) -> None:
        """Ask the job to stop; it is CANCELLING until its machine has ended.

        Raises:
            GoogleError: `NOT_FOUND`, or `FAILED_PRECONDITION` when it has ended already.
        """
        with self._lock:
            entry = self._refreshed(self._find(name))
            if entry.ended:
                shown = JobState(entry.job.state).name
                raise GoogleError(
                    "FAILED_PRECONDITION", f"The {self.kind.noun} {name} cannot be canceled in state {shown}."
                )
            if not entry.started:
                states.show_cancelled(entry.job)
            else:
                states.touch(entry.job, JobState.JOB_STATE_CANCELLING)
                self.machines.stop(entry.id)
            self._save(entry)

    def delete(self, name: str) -> None:
        """Forget a job that has ended.

        Raises:
            GoogleError: `NOT_FOUND`, or `FAILED_PRECONDITION` while it runs.
        """
        with self._lock:
            entry = self._refreshed(self._find(name))
            if not entry.ended:
                raise GoogleError(
                    "FAILED_PRECONDITION", f"The {self.kind.noun} {name} is still running; cancel it first."
                )
            (self._folder / f"{entry.id}.json").unlink()
            del self._entries[entry.id]

    def started_at(self, job_id: str) -> datetime | None:
        """When the job's machine began to run its command; None for an unknown or waiting job."""
        with self._lock:
            entry = self._entries.get(job_id)
            if entry is None or not self._refreshed(entry).job.HasField("start_time"):
                return None
            moment: datetime = entry.job.start_time.ToDatetime(UTC)
            return moment

    def _keep(self) -> None:
        while not self._closing.is_set():
            with self._lock:
                running = [
                    self._refreshed(entry)
                    for entry in self._entries.values()
                    if entry.started and not entry.ended
                ]
                waiting = [entry for entry in self._entries.values() if not entry.started and not entry.ended]
                room = RUNNING_AT_ONCE - sum(not entry.ended for entry in running)
                for entry in sorted(waiting, key=lambda entry: entry.id)[: max(0, room)]:
                    self._start(entry)
            self._wake.wait(LOOK_EVERY_SECONDS if waiting or running else 5)
            self._wake.clear()

    def _start(self, entry: Entry) -> None:
        # Started first and noted after: if the server is killed in between, starting again starts nothing.
        try:
            home = self.machines.home(entry.id)
            self.machines.start(entry.id, self.kind.machine(entry.job, entry.fault, home))
            states.touch(entry.job, JobState.JOB_STATE_PENDING)
        except OSError as exc:
            states.show_lost(entry.job, f"no machine could be started: {exc}")
        entry.started = True
        self._save(entry)

    def _refreshed(self, entry: Entry) -> Entry:
        if entry.started and not entry.ended:
            before = entry.job.SerializeToString(deterministic=True)
            try:
                states.show_progress(entry.job, self.machines.status(entry.id), self.machines.log(entry.id))
            except UnknownMachine:
                states.show_lost(entry.job, "its machine is gone")
            if entry.ended:
                self.kind.at_end(entry.job, self.machines.home(entry.id))
            if entry.job.SerializeToString(deterministic=True) != before:
                self._save(entry)
        return entry

    def _find(self, name: str) -> Entry:
        entry = self._entries.get(name.rsplit("/", 1)[1])
        if entry is None or entry.job.name != name:
            raise GoogleError("NOT_FOUND", f"The {self.kind.noun} does not exist: {name}")
        return entry

    def _newest(self) -> int:
        return max((int(known) for known in self._entries), default=0)

    def _load(self, path: Path) -> Entry:
        stored = json.loads(path.read_text())
        job = json_format.ParseDict(stored.pop("job"), self.kind.message.pb(self.kind.message()))
        return Entry(job, **stored)

    def _save(self, entry: Entry) -> None:
        stored = {**asdict(entry), "job": json_format.MessageToDict(entry.job)}
        write_private(self._folder / f"{entry.id}.json", json.dumps(stored))


def _copy(job: Any) -> Any:
    copied = type(job)()
    copied.CopyFrom(job)
    return copied
