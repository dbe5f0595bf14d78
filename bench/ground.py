"""The private sandbox that is measured, and the processes in it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from sandbox.layout import Endpoints, Layout

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
        done = subprocess.run(  # noqa: S603 - our own modules
            [sys.executable, *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return time.perf_counter() - began

    def settings(self, worker: str) -> dict[str, str]:
        """The settings of one worker, as its file holds them."""
        lines = (self.root / "env" / f"{worker}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def endpoints(self) -> Endpoints:
        """Where the servers are, and their keys."""
        return Endpoints.load(Layout(root=self.root, tools=self.root, checkout=CHECKOUT))

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
    def worker(self, module: str) -> Iterator[None]:
        """Run a worker of the measurements' own until the end of the block."""
        ready = self.root / f"{module}.ready"
        environment = {
            **self.environment,
            **self.settings("workflows"),
            "CAUSEWAY_READY_FILE": str(ready),
        }
        with (self.root / f"{module}.log").open("w") as log:
            command = [sys.executable, "-m", module]
            process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stderr=log)  # noqa: S603 - ours
            try:
                _await(ready, process)
                yield
            finally:
                process.terminate()
                process.wait()


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
