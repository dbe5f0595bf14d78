"""Small real servers, and a desk that brings a private sandbox of them up and down."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from sandbox import environment
from sandbox.layout import Endpoints, Layout
from sandbox.services.base import Command, Service, answers
from sandbox.supervisor import Arrival, Supervisor

CHECKOUT = Path(__file__).resolve().parents[2]

# A real server that counts its starts in its state folder, as an emulator keeps its state.
SERVER = """
import http.server, pathlib, subprocess, sys
starts = pathlib.Path("starts")
starts.write_text(str(int(starts.read_text() if starts.exists() else 0) + 1))
{extra}
class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Quiet).serve_forever()
"""


def fake_service(
    name: str, *, port: str = "gcs", extra: str = "", needs_endpoints: bool = False, stop_seconds: float = 1.0
) -> Service:
    def command(layout: Layout, endpoints: Endpoints) -> Command:
        state = layout.state / name
        state.mkdir(parents=True, exist_ok=True)
        source = SERVER.format(extra=extra)
        argv = [sys.executable, "-S", "-c", source, str(endpoints.ports[port])]
        return Command(argv, environment.bare(), state)

    return Service(
        name=name,
        ports=(port,),
        command=command,
        healthy=lambda _layout, endpoints: answers(f"http://127.0.0.1:{endpoints.ports[port]}/"),
        url=lambda endpoints: f"http://127.0.0.1:{endpoints.ports[port]}",
        needs_endpoints=needs_endpoints,
        stop_seconds=stop_seconds,
    )


@dataclass
class Desk:
    """A private sandbox of fake servers; each call has a fresh supervisor, as each command has."""

    layout: Layout
    services: list[Service]
    said: list[str] = field(default_factory=list)

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.layout, self.said.append, {service.name: service for service in self.services})

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints.load(self.layout)

    def up(self, *only: str, brief: bool = False) -> dict[str, Arrival]:
        chosen = [service for service in self.services if not only or service.name in only]
        return {arrival.name: arrival for arrival in self.supervisor.up(chosen, brief=brief)}

    def down(self) -> list[str]:
        return self.supervisor.down()

    def starts(self, name: str) -> int:
        return int((self.layout.state / name / "starts").read_text())


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def open_(*services: Service) -> Desk:
        layout = Layout(root=tmp_path / "box", tools=tmp_path / "tools", checkout=CHECKOUT)
        desks.append(Desk(layout, list(services)))
        return desks[-1]

    yield open_
    for desk in desks:
        desk.down()


def kill(pid: int) -> None:
    """End a child of this test the hard way."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def lives(process: psutil.Process) -> bool:
    """Whether it still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Something else holds this port."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield
