"""Servers of the sandbox for tests: each a process on ports of its own, ended certainly."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import keys, ports, tools
from sandbox.layout import Endpoints, Layout
from sandbox.services.base import Service
from tests.house import PATIENCE_SECONDS, until


class Servers:
    """Some servers of one sandbox."""

    def __init__(self, layout: Layout, endpoints: Endpoints) -> None:
        self.layout = layout
        self.endpoints = endpoints
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, service: Service) -> None:
        made = service.command(self.layout, self.endpoints)
        log = self.layout.log_of(service.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            process = subprocess.Popen(made.argv, env=made.env, stdout=stream, stderr=stream, cwd=made.cwd)
        self.processes[service.name] = process
        self._await(service)

    def _await(self, service: Service) -> None:
        def answers() -> bool:
            log = self.layout.log_of(service.name)
            assert self.processes[service.name].poll() is None, log.read_text()[-2000:]
            return service.healthy(self.layout, self.endpoints)

        until(answers, f"{service.name} answers")

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        process = self.processes.pop(name)
        process.send_signal(how)
        return process.wait(PATIENCE_SECONDS)

    def end_all(self) -> None:
        for name in list(self.processes):
            self.end(name, signal.SIGKILL)


@contextmanager
def running(root: Path, *services: Service) -> Iterator[Servers]:
    """These servers, filled, on free ports with state below `root`."""
    layout, endpoints = laid_out(root, *(tool for service in services for tool in service.tools))
    servers = Servers(layout, endpoints)
    try:
        for service in services:
            servers.start(service)
            if service.seed:
                service.seed(layout, endpoints)
        yield servers
    finally:
        servers.end_all()


def laid_out(root: Path, *needed: str) -> tuple[Layout, Endpoints]:
    """Ports and keys of a sandbox below `root`, and the tools it needs."""
    ambient = Layout.from_environment()
    layout = Layout(root=root, tools=ambient.tools, checkout=ambient.checkout)
    tools.ensure(layout, list(needed), say=lambda line: None)
    # The keys need a port for each server, of which some are started.
    endpoints = keys.generate(layout, ports.assign(dict.fromkeys(ports.USUAL)))
    keys.refresh(endpoints)
    endpoints.save(layout)
    return layout, endpoints
