"""The processes of a machine: found by a mark in their environment, so that none escapes its parent."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil

MARK = "CAUSEWAY_MACHINE"
"""Variable that every process of a job inherits: the home of its machine."""


def processes_of(home: Path) -> list[psutil.Process]:
    """Every living process of the job, and every descendant of one."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if _alive(process) and process.environ().get(MARK) == str(home):
                found[process.pid] = process
                # A program that clears its environment is still its parent's child.
                found.update({child.pid: child for child in process.children(recursive=True)})
    return list(found.values())


def end_all(home: Path, *, grace_seconds: float, runner_too: bool = False) -> None:
    """Leave no process of the job alive: SIGTERM, then SIGKILL after the grace. Returns when all are gone."""
    victims = processes_of(home) + (_runners_of(home) if runner_too else [])
    if grace_seconds > 0:
        for process in victims:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        _wait(victims, grace_seconds)
    # Twice and more, because a process may start another between the look and the kill.
    for _ in range(10):
        victims = processes_of(home) + (_runners_of(home) if runner_too else [])
        if not victims:
            return
        for process in victims:
            with contextlib.suppress(psutil.Error):
                process.kill()
        _wait(victims, 1)


def memory_of(pid: int) -> int:
    """Bytes of memory that a process and its descendants hold; nothing for one that is gone."""
    held = 0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                held += process.memory_info().rss
    return held


def _runners_of(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            if "sandbox.servers.runner" in command and str(home) in command:
                found.append(process)
    return found


def _wait(processes: list[psutil.Process], seconds: float) -> None:
    # Not psutil's own wait: it would take a child's exit code away from whoever started it.
    patience = time.monotonic() + seconds
    while any(_alive(process) for process in processes) and time.monotonic() < patience:
        time.sleep(0.02)


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
