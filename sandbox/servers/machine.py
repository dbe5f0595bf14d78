"""The machines jobs run on: each stands for a container on a cloud computer, and outlives its server.

A machine is a folder and a detached runner process that holds the folder's lock as long as it lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from sandbox.layout import Layout, write_private
from sandbox.servers.descendants import end_all
from sandbox.servers.faults import JobFault
from sandbox.servers.mount import Mount

Phase = Literal["STARTING", "RUNNING", "DELIVERING", "DONE"]
Outcome = Literal["EXITED", "STOPPED", "TIMED_OUT", "LOST", "ERROR", "PREEMPTED", "NO_IMAGE", "NO_MACHINE"]


@dataclass(frozen=True)
class Fetch:
    """Something to have on disk before the command starts."""

    uri: str
    """`s3://`, `az://` or `gs://`. A folder's prefix ends in `/`; without it, siblings match too."""
    path: str
    """Local and absolute."""
    kind: Literal["folder", "file", "archive"] = "folder"
    """An archive is one tar.gz object, unpacked into the folder `path`."""
    optional: bool = False
    """Nothing there is no error."""


@dataclass(frozen=True)
class Deliver:
    """A local folder to upload after the command; it exists and is empty when the command starts."""

    path: str
    uri: str
    """The prefix of the files, or the one object when `archive` is set."""
    always: bool = False
    """Also when the command failed, was stopped or ran out of time."""
    stopped: bool = False
    """Also when the command was stopped or ran out of time."""
    archive: bool = False
    """Pack the folder into one tar.gz."""
    synced: bool = False
    """Also when the machine was taken away: the vendor brings each file to the store as it is written."""


@dataclass(frozen=True)
class MachineSpec:
    """What a machine must do: fetch, run one command, deliver."""

    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "."
    """Absolute, or below the machine's home."""
    fetch: list[Fetch] = field(default_factory=list)
    deliver: list[Deliver] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    """Small text files to write first: path, absolute or below home, to text."""
    folders: list[str] = field(default_factory=list)
    """Folders to create first, absolute or below home."""
    time_limit_seconds: float | None = None
    """Counted from the start of the command."""
    stop_grace_seconds: float = 10
    rewrite: dict[str, str] = field(default_factory=dict)
    """Path as the container knows it to path on this machine, in argv, env and fetched `*.sh` files."""
    mount: Mount | None = None
    """A store the command sees as folders: what argv, env and `*.sh` files name there is brought along."""
    fault: JobFault | None = None
    """Misbehave: exit 1 or sleep instead of running, be taken away soon after the start, have little memory, or never
    start for want of an image or a machine."""


@dataclass(frozen=True)
class MachineStatus:
    """What is known of a machine. Times are seconds since the epoch."""

    phase: Phase = "STARTING"
    outcome: Outcome | None = None
    """Set when the phase is DONE."""
    exit_code: int | None = None
    """The command's, negative for a signal; with EXITED always set."""
    error: str | None = None
    """One line for the job's owner, when the machine (not the command) has something to say."""
    created_at: float = 0
    started_at: float | None = None
    """When the command started."""
    delivering_at: float | None = None
    ended_at: float | None = None


class UnknownMachine(KeyError):
    """No machine of this name was ever started."""


class Machines:
    """All machines of one server, as folders below `root`. Several processes may look at the same ones."""

    def __init__(self, root: Path) -> None:
        """Machines live below `root`/machines."""
        self._root = root / "machines"

    def home(self, name: str) -> Path:
        """The machine's folder, whether or not it exists."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", name):
            raise ValueError(f"{name!r} cannot name a machine")
        return self._root / name

    def log(self, name: str) -> Path:
        """What the command prints, standard output and error together."""
        return self.home(name) / "output.log"

    def start(self, name: str, spec: MachineSpec) -> None:
        """Make sure that the machine has been started. Calling twice, also after a crash, starts it once."""
        home = self.home(name)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _held_lock(home) as descriptor:
            if descriptor is None or (home / "status.json").exists():
                return
            # The specification may hold what a job calls secret: private from its first byte.
            write_private(home / "spec.json", json.dumps(asdict(spec)))
            # The runner inherits the lock, so there is no moment at which a starting machine looks lost.
            with (home / "runner.log").open("ab") as log:
                runner = subprocess.Popen(  # noqa: S603 our own module, no shell
                    [sys.executable, "-m", "sandbox.servers.runner", str(home), str(descriptor)],
                    cwd=Layout.from_environment().checkout,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=[descriptor],
                )
        # Somebody must wait for a child, or it stays as a zombie for as long as this server lives.
        threading.Thread(target=runner.wait, name=f"runner of {name}", daemon=True).start()

    def stop(self, name: str, *, grace_seconds: float | None = None, deliver: bool = True) -> None:
        """Ask the machine to end: SIGTERM to the command's processes, SIGKILL after the grace.

        Returns at once. A machine that has ended, or is delivering, is left alone.
        """
        if not self.home(name).exists():
            raise UnknownMachine(name)
        wish = {"grace_seconds": grace_seconds, "deliver": deliver}
        write_private(self.home(name) / "stop.json", json.dumps(wish))

    def status(self, name: str) -> MachineStatus:
        """What the machine is doing. One whose runner has vanished is LOST, and so are its processes.

        Raises:
            UnknownMachine: It was never started.
        """
        home = self.home(name)
        if not home.exists():
            raise UnknownMachine(name)
        status = read_status(home)
        if status.phase == "DONE":
            return status
        with _held_lock(home) as descriptor:
            if descriptor is None:
                return status
            status = read_status(home)
            if status.phase == "DONE":
                return status
            end_all(home, grace_seconds=0)
            error = "the machine was lost: its runner vanished"
            lost = replace(status, phase="DONE", outcome="LOST", error=error, ended_at=time.time())
            write_status(home, lost)
            return lost

    def names(self) -> list[str]:
        """Every machine ever started, sorted."""
        return sorted(entry.name for entry in self._root.iterdir()) if self._root.exists() else []

    def stop_all(self, grace_seconds: float = 1) -> None:
        """End every machine at once without delivering, and return when no process of any is left."""
        alive = [name for name in self.names() if self.status(name).phase != "DONE"]
        for name in alive:
            self.stop(name, grace_seconds=grace_seconds, deliver=False)
        patience = time.monotonic() + grace_seconds + 5
        while alive and time.monotonic() < patience:
            time.sleep(0.05)
            alive = [name for name in alive if self.status(name).phase != "DONE"]
        for name in alive:
            end_all(self.home(name), grace_seconds=0, runner_too=True)
            self.status(name)

    def clear(self, name: str, *folders: str) -> None:
        """Delete bulky folders of a machine that has ended; its status and its log stay."""
        for folder in folders:
            shutil.rmtree(self.home(name) / folder, ignore_errors=True)


def read_status(home: Path) -> MachineStatus:
    """What the runner wrote last; a machine without a word from it is starting."""
    try:
        return MachineStatus(**json.loads((home / "status.json").read_text()))
    except FileNotFoundError:
        return MachineStatus(created_at=home.stat().st_ctime)


def write_status(home: Path, status: MachineStatus) -> None:
    """Say what the machine is doing, whole or not at all."""
    write_private(home / "status.json", json.dumps(asdict(status)))


@contextmanager
def _held_lock(home: Path) -> Iterator[int | None]:
    descriptor = os.open(home / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
