"""The processes of jobs: whether they live, and how they end."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import psutil

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of Linux's prctl(2)."""
GRACE_SECONDS = 10.0
_MARKS = ("HOME", "TMPDIR", "PYTHONPATH")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none escapes (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def created(pid: int) -> float | None:
    """Return when a process began, or None when there is none."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def alive(pid: int | None, started: float | None) -> bool:
    """Whether this very process still runs; another that was given the same id does not count."""
    found = created(pid) if pid else None
    return found is not None and started is not None and abs(found - started) < 1


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to every process of a group; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def kill_belonging(folder: Path) -> None:
    """Kill every process of a job and wait until none is left, ten seconds at most.

    They are known by their environment, which points into the job's folder: a process may leave its group,
    and its parent may be gone, but it keeps the environment it began with.
    """
    limit = time.monotonic() + GRACE_SECONDS
    while (found := _belonging(folder)) and time.monotonic() < limit:
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=0.5)


def _belonging(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and _points_into(process.environ(), folder):
                found.append(process)
    return found


def _points_into(environment: dict[str, str], folder: Path) -> bool:
    return any(environment.get(name, "").startswith(f"{folder}{os.sep}") for name in _MARKS)


def kill_descendants() -> None:
    """Kill whatever this process still has below it, also what took another environment."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            process.kill()
