"""The process that is one machine: fetches, runs the command, delivers, and writes down what happens.

Only `Machines.start` runs `python -m sandbox.servers.runner HOME LOCK`; the lock is kept to the very end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from sandbox.layout import Endpoints, Layout
from sandbox.servers.descendants import end_all, memory_of
from sandbox.servers.job_environment import job_environment, rewritten
from sandbox.servers.machine import (
    Deliver,
    Fetch,
    MachineSpec,
    Outcome,
    read_status,
    write_status,
)
from sandbox.servers.mount import Mount, MountedStore
from sandbox.servers.stores import StoreError, Stores

POLL_SECONDS = 0.05
PREEMPT_AFTER_SECONDS = 1.0
"""How long a machine lives that has been told to show the fault `preempt`."""
MEMORY_BYTES = 192 * 1024 * 1024
"""What a machine has that has been told to show the fault `memory`; the kernel of a container kills what takes more."""
NEVER_STARTED: dict[str, Outcome] = {"image": "NO_IMAGE", "capacity": "NO_MACHINE"}
IDLE = [sys.executable, "-c", "import time\nwhile True: time.sleep(60)"]


class Stopped(Exception):
    """Somebody asked the machine to end before its command ran."""


class Runner:
    """One machine's life, from its specification to its last status."""

    def __init__(self, home: Path) -> None:
        """Read what must be done from the machine's folder."""
        self._home = home
        self._spec = read_spec(home)
        self._status = replace(read_status(home), created_at=time.time())
        self._log = (home / "output.log").open("ab", buffering=0)
        self._stores_if_used: Stores | None = None

    def run(self) -> None:
        """Live the life; whatever goes wrong, the last status says DONE."""
        write_status(self._home, self._status)
        try:
            if self._spec.fault in NEVER_STARTED:
                self._ends(NEVER_STARTED[self._spec.fault])
            else:
                self._prepare()
                self._command()
        except Stopped:
            self._ends("STOPPED")
        except Exception as exc:
            traceback.print_exc()
            self._ends("ERROR", error=_one_line(exc))
        self._deliver()
        self._say(phase="DONE", ended_at=time.time())

    def _prepare(self) -> None:
        for name in ("tmp", "site", *self._spec.folders, *(deliver.path for deliver in self._spec.deliver)):
            (self._home / name).mkdir(parents=True, exist_ok=True)
        for name, text in self._spec.files.items():
            (self._home / name).parent.mkdir(parents=True, exist_ok=True)
            (self._home / name).write_text(text)
        for fetch in self._spec.fetch:
            self._rewrite_scripts(self._fetch(fetch))
        if self._mount is not None:
            self._rewrite_scripts(
                self._mount.fetch([*self._spec.argv, *self._spec.env.values()], self._heed_stop)
            )
            self._mount.remember()

    def _rewrite_scripts(self, fetched: list[Path]) -> None:
        for path in fetched:
            if path.suffix == ".sh":
                text = path.read_text(errors="surrogateescape")
                path.write_text(rewritten(text, self._rewrite), errors="surrogateescape")

    def _fetch(self, fetch: Fetch) -> list[Path]:
        self._heed_stop()
        path = Path(fetch.path)
        with _named(f"{fetch.uri} cannot be read"):
            if fetch.kind == "file":
                return [self._stores.fetch_file(fetch.uri, path)]
            if fetch.kind == "archive":
                return self._unpacked(fetch, path)
            path.mkdir(parents=True, exist_ok=True)
            found = self._stores.fetch_folder(fetch.uri, path, self._heed_stop)
        if not found and not fetch.optional:
            raise StoreError(f"no objects under {fetch.uri}")
        return found

    def _unpacked(self, fetch: Fetch, folder: Path) -> list[Path]:
        packed = self._stores.fetch_file(fetch.uri, self._home / "tmp" / "fetched.tar.gz")
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(packed, "r:gz") as archive:
            archive.extractall(folder, filter="data")
        packed.unlink()
        return sorted(path for path in folder.rglob("*") if path.is_file())

    def _command(self) -> None:
        self._heed_stop()
        if self._spec.fault == "fail":
            self._log.write(b"sandbox: this job fails because a fault was asked for\n")
            self._say(started_at=time.time())
            self._ends("EXITED", exit_code=1, error="failed on request (sandbox fault fail-job)")
            return
        child = self._spawn()
        self._say(phase="RUNNING", started_at=time.time())
        outcome = self._watch(child)
        # Like a container, the job ends with its command: nothing it left in the background lives on.
        grace = 0 if outcome in ("EXITED", "PREEMPTED") else self._grace()
        end_all(self._home, grace_seconds=grace)
        self._ends(outcome, exit_code=child.wait())

    def _spawn(self) -> subprocess.Popen[bytes]:
        spec = self._spec
        argv = [rewritten(part, self._rewrite) for part in spec.argv]
        if spec.fault == "hang":
            self._log.write(b"sandbox: this job hangs until it is stopped because a fault was asked for\n")
            argv = IDLE
        env = job_environment(self._home, Layout.from_environment(), dict(os.environ))
        env |= {name: rewritten(value, self._rewrite) for name, value in spec.env.items()}
        try:
            return subprocess.Popen(  # noqa: S603 running what the job says is the purpose
                argv,
                env=env,
                cwd=self._home / spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as exc:
            raise StoreError(f"the command cannot be started: {argv[0]}: {exc.strerror}") from exc

    def _watch(self, child: subprocess.Popen[bytes]) -> Outcome:
        started = time.monotonic()
        limit = self._spec.time_limit_seconds
        while True:
            lived = time.monotonic() - started
            if self._spec.fault == "preempt":
                if lived > PREEMPT_AFTER_SECONDS:
                    return "PREEMPTED"
            elif child.poll() is not None:
                return "EXITED"
            if self._spec.fault == "memory" and memory_of(child.pid) > MEMORY_BYTES:
                child.kill()
                child.wait()
                return "EXITED"
            if self._wish() is not None:
                return "STOPPED"
            if limit is not None and lived > limit:
                return "TIMED_OUT"
            time.sleep(POLL_SECONDS)

    def _deliver(self) -> None:
        wanted: list[Callable[[], object]] = [
            partial(self._deliver_one, deliver) for deliver in self._spec.deliver if self._is_due(deliver)
        ]
        if self._mount is not None and self._mount_is_due():
            wanted.append(self._mount.deliver)
        if not wanted:
            return
        self._say(phase="DELIVERING", delivering_at=time.time())
        for deliver in wanted:
            try:
                deliver()
            except Exception as exc:
                traceback.print_exc()
                failed = self._status.outcome == "EXITED" and self._status.exit_code == 0
                outcome = "ERROR" if failed else self._status.outcome
                self._say(outcome=outcome, error=self._status.error or _one_line(exc))

    def _is_due(self, deliver: Deliver) -> bool:
        wish, status = self._wish(), self._status
        if status.outcome in ("NO_IMAGE", "NO_MACHINE") or (wish is not None and not wish["deliver"]):
            return False
        if status.outcome == "PREEMPTED":
            return deliver.synced
        succeeded = status.outcome == "EXITED" and status.exit_code == 0
        cut_short = status.outcome in ("STOPPED", "TIMED_OUT") and status.started_at is not None
        return succeeded or deliver.always or (deliver.stopped and cut_short)

    def _mount_is_due(self) -> bool:
        # A real mount has each file as soon as it is closed, however the command ends later.
        wish = self._wish()
        return self._status.started_at is not None and (wish is None or bool(wish["deliver"]))

    def _deliver_one(self, deliver: Deliver) -> None:
        folder = self._home / deliver.path
        with _named(f"{deliver.uri} cannot be written"):
            if not deliver.archive:
                self._stores.deliver_folder(folder, deliver.uri)
                return
            packed = self._home / "tmp" / "delivered.tar.gz"
            with tarfile.open(packed, "w:gz") as archive:
                for entry in sorted(folder.iterdir()):
                    archive.add(entry, arcname=entry.name)
            self._stores.deliver_file(packed, deliver.uri)
            packed.unlink()

    @cached_property
    def _mount(self) -> MountedStore | None:
        mount = self._spec.mount
        return MountedStore(mount, self._home / mount.point.strip("/"), self._stores) if mount else None

    @property
    def _rewrite(self) -> dict[str, str]:
        return self._spec.rewrite | (self._mount.rewrite if self._mount else {})

    @property
    def _stores(self) -> Stores:
        if self._stores_if_used is None:
            self._stores_if_used = Stores(Endpoints.load(Layout.from_environment()))
        return self._stores_if_used

    def _wish(self) -> dict[str, Any] | None:
        try:
            wish: dict[str, Any] = json.loads((self._home / "stop.json").read_text())
        except FileNotFoundError:
            return None
        return wish

    def _grace(self) -> float:
        wished = (self._wish() or {}).get("grace_seconds")
        return self._spec.stop_grace_seconds if wished is None else float(wished)

    def _heed_stop(self) -> None:
        if self._wish() is not None:
            raise Stopped

    def _ends(self, outcome: Outcome, *, exit_code: int | None = None, error: str | None = None) -> None:
        self._say(outcome=outcome, exit_code=exit_code, error=error)

    def _say(self, **news: Any) -> None:
        self._status = replace(self._status, **news)
        write_status(self._home, self._status)


def read_spec(home: Path) -> MachineSpec:
    """What `Machines.start` wrote."""
    stored = json.loads((home / "spec.json").read_text())
    stored["fetch"] = [Fetch(**entry) for entry in stored["fetch"]]
    stored["deliver"] = [Deliver(**entry) for entry in stored["deliver"]]
    stored["mount"] = stored["mount"] and Mount(**stored["mount"])
    return MachineSpec(**stored)


@contextmanager
def _named(what: str) -> Iterator[None]:
    # A store's SDK says what went wrong, but not with which object.
    try:
        yield
    except (StoreError, Stopped):
        raise
    except Exception as exc:
        raise StoreError(f"{what}: {_one_line(exc)}") from exc


def _one_line(exc: BaseException) -> str:
    return " ".join(f"{exc}".split())[:900] or type(exc).__name__


def main() -> None:
    """Live one machine's life."""
    home, lock = Path(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(lock, False)

    def stop(_number: int, _frame: object) -> None:
        (home / "stop.json").write_text('{"grace_seconds": 2, "deliver": false}')

    signal.signal(signal.SIGTERM, stop)
    Runner(home).run()


if __name__ == "__main__":
    main()
