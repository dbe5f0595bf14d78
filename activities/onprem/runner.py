"""Runs one job: `python -m activities.onprem.runner <folder>`. It outlives the worker that started it.

It is started for each job, so what it imports is the standard library and psutil.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from activities.onprem.ends import reason_of, words_of
from activities.onprem.job_folder import JobFolder
from activities.onprem.job_notes import Order, Phase, Status
from activities.onprem.processes import (
    GRACE_SECONDS,
    adopt_orphans,
    created,
    kill_belonging,
    kill_descendants,
    signal_group,
)

_POLL_SECONDS = 0.1


class Runner:
    """One job from its first status to its last."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._order = folder.order()
        self._stopping = False
        self._status = Status(
            phase="RUNNING",
            runner=os.getpid(),
            runner_started=created(os.getpid()) or time.time(),
            started_at=datetime.now(UTC).isoformat(),
        )

    def run(self) -> None:
        """Run the command to its end, and write how it ended only when nothing of it is left."""
        if self._folder.stop_asked:
            self._end("STOPPED", None, "stopped before it began")
            return
        signal.signal(signal.SIGTERM, self._on_signal)
        # Written before the command exists: a runner that dies in between leaves no second start behind.
        self._folder.write_status(self._status)
        with self._folder.log.open("ab") as log:
            command = self._start(log.fileno())
        self._status = replace(self._status, command=command.pid, command_started=created(command.pid))
        self._folder.write_status(self._status)
        phase, reason, message = self._watch(command)
        kill_belonging(self._folder.path)
        kill_descendants()
        if phase == "SUCCEEDED":
            _deliver(self._order)
        self._end(phase, reason, message)

    def give_up(self, error: OSError) -> None:
        """Write that this machine, not the command, failed the job."""
        from activities.onprem.errors import translate  # only a runner in trouble waits for Temporal's import

        told = translate(error, self._order.name)
        kill_belonging(self._folder.path)
        self._end("FAILED", told.type, told.message)

    def _start(self, log: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 (run.sh is ours, and each value in it is quoted)
            ["/bin/sh", str(self._folder.script)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self._folder.path,
            env=self._order.env,
            start_new_session=True,
        )

    def _watch(self, command: subprocess.Popen[bytes]) -> tuple[Phase, str | None, str]:
        limit = time.monotonic() + self._order.limit_seconds
        while (code := _ended(command)) is None:
            if self._stopping or self._folder.stop_asked:
                _stop(command)
                return "STOPPED", None, "stopped on request"
            if time.monotonic() > limit:
                _stop(command)
                return "FAILED", "TIMED_OUT", f"ran longer than its limit of {self._order.limit_seconds:g} s"
        if code == 0:
            return "SUCCEEDED", None, ""
        return "FAILED", reason_of(code), words_of(code)

    def _end(self, phase: Phase, reason: str | None, message: str) -> None:
        now = datetime.now(UTC).isoformat()
        ended = replace(self._status, phase=phase, reason=reason, message=message, ended_at=now)
        self._folder.write_status(ended)

    def _on_signal(self, number: int, frame: object) -> None:
        self._stopping = True


def main(path: str) -> None:
    """Run the job of a folder, unless a runner has it or had it before."""
    folder = JobFolder(Path(path))
    adopt_orphans()
    with folder.exclusively() as mine:
        if mine and folder.status() is None:
            runner = Runner(folder)
            try:
                runner.run()
            except OSError as error:
                runner.give_up(error)


def _ended(command: subprocess.Popen[bytes]) -> int | None:
    """Wait a moment for the command's end; None when it goes on."""
    try:
        return command.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _stop(command: subprocess.Popen[bytes]) -> None:
    signal_group(command.pid, signal.SIGTERM)
    try:
        command.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        signal_group(command.pid, signal.SIGKILL)
        command.wait()


def _deliver(order: Order) -> None:
    """Give each output its final name; a folder on the same disk is moved, not copied."""
    for filled, wanted in order.outputs.items():
        target = Path(wanted)
        if target.exists():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(filled).rename(target)


if __name__ == "__main__":
    main(sys.argv[1])
