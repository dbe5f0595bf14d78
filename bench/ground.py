"""The private sandbox that is measured, and the processes in it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import psutil

from sandbox.layout import Endpoints, Layout
from sandbox.ports import assign

CHECKOUT = Path(__file__).resolve().parent.parent
OUTSIDE = ("TEMPORAL_", "AWS_", "AZURE_", "ARM_", "GOOGLE_", "CAUSEWAY_")
PATIENCE_SECONDS = 180.0


class Ground:
    """A sandbox of its own: its tools are the checkout's, its state and ports nobody else's."""

    def __init__(self, root: Path) -> None:
        """Live below `root`, which must be empty."""
        tools = Layout.from_environment().tools
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OUTSIDE)}
        added = {"CAUSEWAY_SANDBOX": str(root), "CAUSEWAY_SANDBOX_TOOLS": str(tools)}
        self.root = root
        self.extra: dict[str, psutil.Process] = {}
        """Workers of connections of the measurements' own, by connection."""
        self.environment: Mapping[str, str] = kept | added

    def up(self) -> float:
        """Have every server and worker up; return the seconds it took."""
        return self.timed("-m", "sandbox", "up", "--workers")

    def down(self) -> None:
        """End everything; state stays."""
        self.timed("-m", "sandbox", "down")

    def timed(self, *arguments: str) -> float:
        """Run one of our commands to its end; return its seconds.

        Raises:
            RuntimeError: it failed; says what it printed.
        """
        began = time.perf_counter()
        self.output(*arguments)
        return time.perf_counter() - began

    def output(self, *arguments: str, settings: Mapping[str, str] | None = None) -> str:
        """Run one of our commands to its end; return what it printed.

        Raises:
            RuntimeError: it failed; says what it printed.
        """
        done = subprocess.run(  # noqa: S603 - our own modules
            [sys.executable, *arguments],
            cwd=CHECKOUT,
            env={**self.environment, **(settings or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def settings(self, worker: str) -> dict[str, str]:
        """The settings of one worker, as its file holds them."""
        lines = (self.root / "env" / f"{worker}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def endpoints(self) -> Endpoints:
        """Where the servers are, and their keys."""
        return Endpoints.load(Layout(root=self.root, tools=self.root, checkout=CHECKOUT))

    @cached_property
    def free_port(self) -> int:
        """Where the store that costs nothing is served."""
        return assign({"free": None})["free"]

    @property
    def onprem(self) -> Path:
        """The root of the on-prem worker."""
        return self.root / "onprem"

    def workers(self) -> dict[str, psutil.Process]:
        """The live process of each worker."""
        held = json.loads((self.root / "processes.json").read_text())
        found = {}
        for process in psutil.Process(held["workers"]["pid"]).children():
            command = process.cmdline()
            found[command[command.index("workers") + 1]] = process
        return found

    @contextmanager
    def running(
        self, name: str, *command: str, settings: Mapping[str, str], ready: Path | None = None
    ) -> Iterator[psutil.Process]:
        """Run a process of the measurements' own until the end of the block."""
        told = {"CAUSEWAY_READY_FILE": str(ready)} if ready else {}
        with (self.root / f"{name}.log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *command],
                cwd=CHECKOUT,
                env={**self.environment, **settings, **told},
                stderr=log,
            )
            try:
                if ready:
                    _await(ready, process)
                yield psutil.Process(process.pid)
            finally:
                process.terminate()
                process.wait()

    @contextmanager
    def worker(self, module: str) -> Iterator[None]:
        """Run a worker of the measurements' own until the end of the block."""
        ready = self.root / f"{module}.ready"
        with self.running(module, module, settings=self.settings("workflows"), ready=ready):
            yield

    def connected(self, name: str, container: str, endpoint: str) -> dict[str, str]:
        """The settings of one more AWS connection, whose S3 is at `endpoint`."""
        settings = self.settings("aws") | {
            "CAUSEWAY_CONNECTION": name,
            "CAUSEWAY_CONTAINER": container,
            "AWS_ENDPOINT_URL_S3": endpoint,
        }
        settings["CAUSEWAY_STORE_HOSTS"] += f",{endpoint.removeprefix('http://')}"
        return settings

    @contextmanager
    def connection(self, name: str, container: str, endpoint: str) -> Iterator[psutil.Process]:
        """Serve one more AWS connection, whose S3 is at `endpoint`."""
        settings = self.connected(name, container, endpoint)
        ready = self.root / f"{name}.ready"
        with self.running(name, "workers", "aws", settings=settings, ready=ready) as process:
            yield process


@contextmanager
def ground() -> Iterator[Ground]:
    """A sandbox that is up with its workers, and certainly gone afterwards."""
    # A short path: sockets and job folders below it have limits of their own.
    with tempfile.TemporaryDirectory(prefix="cwb-", ignore_cleanup_errors=True) as folder:
        held = Ground(Path(folder))
        try:
            held.up()
            yield held
        finally:
            held.down()


def _await(ready: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{ready.stem} is not ready")
        time.sleep(0.05)
