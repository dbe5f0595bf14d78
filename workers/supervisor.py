"""`python -m workers all`: each worker in a process of its own, restarted when it dies, ended together."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from contracts.queues import DEFAULT_CONNECTION
from workers.catalogue import WORKERS, own_environment
from workers.connections import FILE, Book, ConnectionsError

REFUSED = 2
"""Exit code of a worker whose settings are wrong: starting it again would not help."""
STOP_SECONDS = 25
LONGEST_PAUSE = 30.0


@dataclass
class Child:
    """One worker's process, and how often it had to be started again."""

    name: str
    connection: str
    """Which of its cloud's connections it serves; empty where its environment says."""
    environment: dict[str, str]
    ready_file: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    """In a row: a worker that has served for a while begins anew."""
    started_at: float = 0.0
    start_at: float = 0.0
    refused: bool = False

    def died(self, now: float) -> None:
        """Count a death, and set the time to start again: later each time it dies soon after its start."""
        self.deaths = 1 if now - self.started_at > LONGEST_PAUSE else self.deaths + 1
        self.start_at = now + min(LONGEST_PAUSE, 0.5 * 2 ** min(self.deaths - 1, 6))


@dataclass
class Stop:
    """Set by SIGTERM or SIGINT."""

    asked: bool = field(default=False)

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Remember that a stop was asked for."""
        self.asked = True


def supervise(env_files: str | None, ready_file: str | None) -> int:
    """Run all workers until told to stop; return the exit code, 2 if a worker refused its settings."""
    stop = Stop()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with tempfile.TemporaryDirectory(prefix="causeway-workers-") as folder:
        children = [_child(name, connection, env_files, Path(folder)) for name, connection in _wanted()]
        try:
            while not stop.asked and not any(child.refused for child in children):
                for child in children:
                    _tend(child)
                _announce(children, ready_file)
                time.sleep(0.2)
        finally:
            _end(children)
        refused = [child.name for child in children if child.refused]
        if refused:
            sys.stderr.write(
                f"all workers ended, since {', '.join(refused)} refused to start; its line above says why\n"
            )
        return REFUSED if refused else 0


def read_env_file(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines; blank lines and `#` comments are passed over.

    Raises:
        SystemExit: the file is missing or a line is no `NAME=value`; the message names file and line.
    """
    if not path.is_file():
        raise SystemExit(f"{path} is missing; every worker needs its settings there")
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise SystemExit(f"{path}:{number}: write NAME=value")
        found[name.strip()] = value.strip()
    return found


def _wanted() -> list[tuple[str, str]]:
    """The workers to run, each with its connection: those of the file of connections, or one for each cloud.

    Raises:
        SystemExit: the file is wrong; the message says where.
    """
    file = os.environ.get(FILE, "").strip()
    if not file:
        return [(name, "") for name in WORKERS]
    try:
        connections = Book(Path(file)).connections
    except ConnectionsError as error:
        sys.stderr.write(f"no worker starts: {error}\n")
        raise SystemExit(REFUSED) from None
    named = [connection.partition("/") for connection in connections]
    return [("workflows", ""), *((cloud, name) for cloud, _, name in named)]


def _child(name: str, connection: str, env_files: str | None, folder: Path) -> Child:
    environment = own_environment(name, os.environ)
    title = name if connection in {"", DEFAULT_CONNECTION} else f"{name}.{connection}"
    if env_files:
        environment |= read_env_file(Path(env_files) / f"{title}.env")
    return Child(name=name, connection=connection, environment=environment, ready_file=folder / title)


def _tend(child: Child) -> None:
    """Start a worker that does not run; wait longer each time it dies soon."""
    if child.process is not None:
        code = child.process.poll()
        if code is None:
            return
        child.process, child.refused = None, code == REFUSED
        child.died(time.monotonic())
        sys.stderr.write(f"the {child.name} worker ended with code {code}\n")
    if not child.refused and time.monotonic() >= child.start_at:
        command = [
            sys.executable,
            "-m",
            "workers",
            child.name,
            "--ready-file",
            str(child.ready_file),
            "--parent",
            str(os.getpid()),
            *(("--connection", child.connection) if child.connection else ()),
        ]
        child.started_at = time.monotonic()
        child.process = subprocess.Popen(command, env=child.environment)  # noqa: S603 - our own module


def _announce(children: list[Child], ready_file: str | None) -> None:
    if ready_file and not Path(ready_file).exists() and all(child.ready_file.exists() for child in children):
        Path(ready_file).write_text("ready\n")


def _end(children: list[Child]) -> None:
    running = [child.process for child in children if child.process and child.process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
