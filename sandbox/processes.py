"""The processes this sandbox started, recorded by id and birth: a reused id is never mistaken for ours."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from sandbox.environment import MARK
from sandbox.layout import Layout, write_private
from sandbox.services.base import Command

# Births come in steps of 10 ms.
_SAME_BIRTH_SECONDS = 0.05
_STARTED = 19
"""Where the start stands in `/proc/<pid>/stat`, counted from behind the program's name: its field 22."""
# Servers outlive the command that started them; one whose handle is dropped is not reaped, and Python warns.
_CHILDREN: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Record:
    """One server's process: the leader of a session of its own."""

    pid: int
    born: float
    """When it was created, see `birth`."""
    settings: str = ""
    """A digest of the endpoints it was started with."""
    seeded: bool = False

    def process(self) -> psutil.Process | None:
        """The process, if it still lives; never another that was given its id."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid)
            if (
                abs(birth(self.pid) - self.born) < _SAME_BIRTH_SECONDS
                and found.status() != psutil.STATUS_ZOMBIE
            ):
                return found
        return None

    def survivors(self) -> list[psutil.Process]:
        """Processes of its session that outlived their leader."""
        if psutil.pid_exists(self.pid) and self.process() is None and not _is_zombie(self.pid):
            # The id has a new owner, which the kernel only allows once the whole session is gone.
            return []
        return [
            found
            for found in psutil.process_iter()
            if found.pid != self.pid and _session(found.pid) == self.pid
        ]


def birth(pid: int) -> float:
    """When a process was created, in seconds that no change of the clock and no sleep of the machine moves.

    Linux counts them from the boot; of its wall clock the same process would be born anew with each correction.

    Raises:
        psutil.Error: there is no such process.
    """
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return psutil.Process(pid).create_time()
    try:
        behind = stat.read_bytes().rpartition(b") ")[2].split()
    except OSError:
        raise psutil.NoSuchProcess(pid) from None
    return int(behind[_STARTED]) / os.sysconf("SC_CLK_TCK")


class Records:
    """What was started, by server name. Change it only while holding the sandbox's lock."""

    def __init__(self, layout: Layout) -> None:
        """Read what the last command left."""
        self._path = layout.processes_file
        self._known: dict[str, Record] = {}
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            self._known = {
                name: Record(**stored) for name, stored in json.loads(self._path.read_text()).items()
            }

    def get(self, name: str) -> Record | None:
        """The last start of this server, alive or dead."""
        return self._known.get(name)

    def names(self) -> list[str]:
        """Every server with a record."""
        return list(self._known)

    def put(self, name: str, record: Record) -> None:
        """Remember a start."""
        self._known[name] = record
        self._write()

    def mark_seeded(self, name: str) -> None:
        """Remember that this very process has been filled."""
        self.put(name, replace(self._known[name], seeded=True))

    def forget(self, name: str) -> None:
        """Drop a server that was stopped on purpose."""
        self._known.pop(name, None)
        self._write()

    def _write(self) -> None:
        text = json.dumps({name: asdict(record) for name, record in self._known.items()}, indent=2)
        write_private(self._path, text + "\n")


def start(command: Command, log: Path, settings: str, root: Path) -> tuple[subprocess.Popen[bytes], Record]:
    """Start a server in a session of its own, marked as the sandbox's, its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - a fixed command of a service, no shell
            command.argv,
            env=command.env | {MARK: str(root)},
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _CHILDREN.append(child)
    return child, Record(child.pid, birth(child.pid), settings)


def stop(records: Iterable[Record], grace_seconds: float) -> None:
    """End these servers and everything in their sessions: politely at first, and by force after the grace."""
    records = list(records)
    leaders = [found for record in records if (found := record.process())]
    families = leaders + [child for leader in leaders for child in _children(leader)]
    families += [found for record in records for found in record.survivors()]
    for leader in leaders:
        _send(leader, signal.SIGTERM)
    _wait_gone(leaders, grace_seconds)
    end_by_force(families + [found for record in records for found in record.survivors()])
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]


def marked(layout: Layout) -> list[psutil.Process]:
    """Processes that our servers or workers started and that left their session.

    They carry our mark; on-prem jobs, whose environment is clean, have their home in our on-prem root.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [found for found in psutil.process_iter() if found.pid not in spared and _is_ours(found, layout)]


def end_by_force(processes: Iterable[psutil.Process]) -> None:
    """Kill whichever of these still lives, and wait until they are gone."""
    alive = [found for found in processes if found.is_running()]
    for found in alive:
        _send(found, signal.SIGKILL)
    _wait_gone(alive, 1.0)


def _children(leader: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return leader.children(recursive=True)
    return []


def _wait_gone(processes: list[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_lives(found) for found in processes) and time.monotonic() < deadline:
        time.sleep(0.02)


def _lives(found: psutil.Process) -> bool:
    # `is_running` compares births, so a reused id counts as gone.
    with contextlib.suppress(psutil.Error):
        return found.is_running() and found.status() != psutil.STATUS_ZOMBIE
    return False


def _send(found: psutil.Process, what: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):
        found.send_signal(what)


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return False


def _is_ours(found: psutil.Process, layout: Layout) -> bool:
    with contextlib.suppress(psutil.Error):
        known = found.environ()
        return known.get(MARK) == str(layout.root) or known.get("HOME", "").startswith(f"{layout.onprem}/")
    return False


def _session(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return None
