"""Our own servers, and the workers when `up` is asked for them: Python of the product's environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from sandbox import environment
from sandbox.layout import OUR_OWN, Endpoints, Layout
from sandbox.services.base import Command, Service, answers

# Kept equal to `sandbox.servers.app.HEALTH_PATH`, which is too heavy to import here.
HEALTH_PATH = "/_sandbox/health"
_URLS: dict[str, Callable[[Endpoints], str]] = {
    "sagemaker": lambda endpoints: endpoints.sagemaker_url,
    "azure": lambda endpoints: endpoints.azure_url,
    "vertex": lambda endpoints: endpoints.vertex_url,
}


def _server(name: str) -> Service:
    url = _URLS[name]

    def command(layout: Layout, endpoints: Endpoints) -> Command:
        (layout.state / name).mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", f"sandbox.servers.{name}"]
        return Command(argv, environment.own(layout, endpoints), layout.checkout)

    def healthy(_layout: Layout, endpoints: Endpoints) -> bool:
        return answers(url(endpoints) + HEALTH_PATH, authority=str(endpoints.ca_certificate), below=300)

    return Service(
        name=name,
        ports=(name,),
        tools=("jobs",),
        command=command,
        healthy=healthy,
        url=url,
        needs_endpoints=True,
    )


def _workers_command(layout: Layout, endpoints: Endpoints) -> Command:
    ready = _ready_file(layout)
    ready.unlink(missing_ok=True)
    argv = [
        sys.executable,
        "-m",
        "workers",
        "all",
        "--env-files",
        str(layout.env),
        "--ready-file",
        str(ready),
    ]
    return Command(argv, environment.own(layout, endpoints), layout.checkout)


def _workers_healthy(layout: Layout, _endpoints: Endpoints) -> bool:
    return _ready_file(layout).exists()


def _ready_file(layout: Layout) -> Path:
    return layout.root / "workers.ready"


SERVICES = tuple(_server(name) for name in OUR_OWN)
WORKERS = Service(
    name="workers",
    ports=(),
    tools=("jobs",),
    command=_workers_command,
    healthy=_workers_healthy,
    url=lambda endpoints: endpoints.temporal_address,
    needs_endpoints=True,
)
