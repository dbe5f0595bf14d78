"""Copies under way, through a wire that counts, by workers of the test's own that may be killed."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.contracts.conftest import ENDPOINTS
from tests.house import CHECKOUT, Sandbox, until
from tests.wire import Wire, ends_of, wire_to

SCHEMES = {"aws": "s3://causeway/", "azure": "az://causeway/", "gcp": "gs://causeway/", "onprem": "file:///"}


@dataclass
class OwnWorker:
    """A worker of a connection of the test's own, which nothing restarts when it dies."""

    cloud: str
    connection: str
    settings: dict[str, str]
    root: Path
    process: subprocess.Popen[bytes] | None = None
    lives: int = 0

    def start(self) -> None:
        """Have it serve, in a process of its own."""
        self.lives += 1
        ready = self.root / f"{self.connection}.{self.lives}.ready"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CAUSEWAY_")}
        told = self.root / f"{self.connection}.log"
        with told.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers", self.cloud],
                cwd=CHECKOUT,
                env={**kept, **self.settings, "CAUSEWAY_READY_FILE": str(ready)},
                stderr=log,
            )
        what = f"the worker of {self.cloud}/{self.connection}"
        until(lambda: ready.exists() or self.process.poll() is not None, what)
        assert ready.exists(), f"{what} ended with {self.process.returncode}: {told.read_text()[-2000:]}"

    def kill(self) -> None:
        """`kill -9`."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@dataclass
class Ground:
    """A house with connections of the test's own."""

    house: Sandbox
    root: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def wired(self, cloud: str) -> tuple[OwnWorker, Wire]:
        """A worker whose store lies behind a wire."""
        settings = self.house.environment(cloud)
        address = urlsplit(settings[ENDPOINTS[cloud]])
        assert address.port is not None
        wire = self.stack.enter_context(wire_to(address.port, ends_of(self.house.root, address.scheme)))
        behind = address._replace(netloc=f"{address.hostname}:{wire.port}").geturl()
        name = "AWS_ENDPOINT_URL_S3" if cloud == "aws" else ENDPOINTS[cloud]
        return self.worker(cloud, {name: behind}), wire

    def worker(self, cloud: str, changes: dict[str, str]) -> OwnWorker:
        """A worker of a connection of its own."""
        connection = f"t{uuid.uuid4().hex[:8]}"
        settings = self.house.environment(cloud) | {"CAUSEWAY_CONNECTION": connection} | changes
        found = OwnWorker(cloud, connection, settings, self.root)
        found.start()
        self.stack.callback(lambda: found.process and (found.process.kill(), found.process.wait()))
        return found

    def lay(self, cloud: str, content: bytes) -> str:
        """Have an object lie in the house's own store of a cloud; return its URI."""
        name = f"laid/{uuid.uuid4().hex}"
        path = self.house.root / "onprem" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        if cloud != "onprem":
            self.house.starter("copy", f"file:///{name}", SCHEMES[cloud] + name, check=True)
        return SCHEMES[cloud] + name


@contextmanager
def ground(house: Sandbox, root: Path) -> Iterator[Ground]:
    """A ground whose workers and wires are gone afterwards."""
    held = Ground(house, root)
    with held.stack:
        yield held


def begin(house: Sandbox, source: str, target: str, *options: str) -> str:
    """Start a copy and leave it running; return its identity."""
    key = uuid.uuid4().hex[:12]
    house.starter("copy", source, target, "--key", key, "--detach", *options, check=True)
    return f"copy/{key}"


def status(house: Sandbox, copy: str) -> dict[str, Any]:
    """How a copy stands."""
    return house.starter("status", copy, "--json", check=True).document


def ended(house: Sandbox, copy: str, seconds: float = 200) -> dict[str, Any]:
    """What a copy came to."""
    found: dict[str, Any] = until(
        lambda: (now := status(house, copy))["state"] in {"SUCCEEDED", "FAILED"} and now,
        f"the end of {copy}",
        seconds,
    )
    return found
