"""What stands before the emulators of stores and adds what they lack: our own reverse proxies, one process each."""

from __future__ import annotations

import sys
from collections.abc import Callable

from sandbox import environment
from sandbox.layout import BIGQUERY_FRONT, BLOB_FRONT, GCS_FRONT, Endpoints, Layout
from sandbox.services.base import Command, Service, answers
from sandbox.services.ours import HEALTH_PATH


def _front(name: str, port: str, origin: Callable[[Endpoints], str]) -> Service:
    def command(layout: Layout, endpoints: Endpoints) -> Command:
        argv = [sys.executable, "-m", "sandbox.servers.fronts", name]
        return Command(argv, environment.own(layout, endpoints), layout.checkout)

    def healthy(_layout: Layout, endpoints: Endpoints) -> bool:
        # Of itself alone: when the emulator behind it is away, that one is said to be dead.
        return answers(origin(endpoints) + HEALTH_PATH, authority=str(endpoints.ca_certificate), below=300)

    return Service(
        name=name, ports=(port,), command=command, healthy=healthy, url=origin, needs_endpoints=True
    )


BLOB = _front(BLOB_FRONT, "blob", lambda endpoints: f"https://localhost:{endpoints.ports['blob']}")
GCS = _front(GCS_FRONT, "gcs", lambda endpoints: endpoints.gcs_url)
BIGQUERY = _front(BIGQUERY_FRONT, "bigquery", lambda endpoints: endpoints.bigquery_url)
SERVICES = (BLOB, GCS, BIGQUERY)
