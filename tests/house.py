"""A private house of local clouds for tests, and the real commands run against it."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 300
"""Of every wait that only ends a hang: far above what a busy machine of two cores takes."""
WORKERS = ("workflows", "aws", "azure", "gcp", "onprem")
OF_THE_OUTSIDE = ("TEMPORAL_", "AWS_ACCESS", "AWS_SECRET", "AZURE_", "GOOGLE_", "CAUSEWAY_")


@dataclass
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass
class Sandbox:
    """One sandbox in a folder of its own; the emulators' tools are shared with the checkout's."""

    root: Path

    @property
    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_OUTSIDE)}
        return {**kept, "CAUSEWAY_SANDBOX": str(self.root), "PYTHONUNBUFFERED": "1"}

    def environment(self, worker: str) -> dict[str, str]:
        environment: dict[str, str] = self.sandbox("env", worker, "--json").document
        return environment

    def sandbox(self, *arguments: str, check: bool = True) -> Answer:
        return self.command("-m", "sandbox", *arguments, check=check)

    def all_up(self) -> None:
        """Have every server and worker up; where none is missing, no command is needed to see it."""
        if not self._complete():
            self.sandbox("up", "--workers")

    def _complete(self) -> bool:
        records = json.loads((self.root / "processes.json").read_text())
        if "workers" not in records or any(not _lives(**record) for record in records.values()):
            return False
        lines = [_command(child) for child in psutil.Process(records["workers"]["pid"]).children()]
        return {worker for line in lines for worker in WORKERS if worker in line} == set(WORKERS)

    def starter(self, *arguments: str, check: bool = False, timeout: float = PATIENCE_SECONDS) -> Answer:
        return self.command("-m", "starter", *arguments, check=check, timeout=timeout)

    def command(self, *arguments: str, check: bool, timeout: float = PATIENCE_SECONDS) -> Answer:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=CHECKOUT,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return Answer(done.returncode, done.stdout, done.stderr)

    def spawn(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=CHECKOUT, env=self.variables, text=True, **options
        )

    def requests(self, server: str) -> list[dict[str, Any]]:
        log = self.root / "logs" / f"{server}.requests.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def jobs(self, cloud: str, stage: str) -> list[str]:
        """The keys of all jobs the cloud itself ever had for a stage, read from its own records."""
        key = re.compile(rf"cw-{stage.replace('_', '-')}-[0-9a-f]{{12}}-[0-9a-f]{{8}}-g\d+")
        if cloud == "onprem":
            return sorted(
                path.name
                for path in (self.root / "onprem/.causeway/jobs").glob("*")
                if key.fullmatch(path.name)
            )
        server = {"aws": "sagemaker", "azure": "azure", "gcp": "vertex"}[cloud]
        found = []
        for record in (self.root / "state" / server / "jobs").rglob("*.json"):
            match = key.search(record.read_text())
            found += [match[0]] if match else []
        return sorted(found)

    def worker(self, name: str) -> psutil.Process:
        """The live process of one worker of this sandbox."""
        return until(lambda: next(self.workers(name), None), f"the {name} worker")

    def workers(self, name: str) -> Iterator[psutil.Process]:
        for process in self.processes():
            command = _command(process)
            if "workers" in command and name in command[command.index("workers") + 1 :][:1]:
                yield process

    def server(self, name: str) -> psutil.Process:
        """The live process of one server of this sandbox."""
        held = json.loads((self.root / "processes.json").read_text())
        return psutil.Process(int(held[name]["pid"]))

    def processes(self) -> Iterator[psutil.Process]:
        """Every process of this sandbox: its servers, its workers, and the jobs they run."""
        for process in psutil.process_iter():
            try:
                known = process.environ()
            except (psutil.Error, OSError):
                continue
            marks = (known.get("CAUSEWAY_SANDBOX_CHILD"), known.get("CAUSEWAY_SANDBOX"))
            home = known.get("HOME", "")
            if (str(self.root) in marks or home.startswith(f"{self.root}/")) and process.pid != os.getpid():
                yield process

    def commands(self) -> list[str]:
        """The command lines of every process of this sandbox."""
        return [" ".join(_command(process)) for process in self.processes()]

    def down(self) -> None:
        self.sandbox("down", check=False)
        shutil.rmtree(self.root, ignore_errors=True)


def until(look: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Return what `look` finds, looking until it does, and half of the time at most."""
    deadline, pause = time.monotonic() + seconds, 0.02
    while (began := time.monotonic()) < deadline:
        found = look()
        if found:
            return found
        time.sleep(max(pause, min(1.0, time.monotonic() - began)))
        pause = min(0.2, 2 * pause)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


async def awaited(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Return what `look` finds, looking until it does, while others of its loop go on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := await look():
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"{what}: not within {PATIENCE_SECONDS} s")


def kill(process: psutil.Process) -> None:
    """`kill -9`, as a machine that loses power would."""
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_SECONDS)


def _lives(pid: int, born: float, **_: Any) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - born) < 0.05 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []
