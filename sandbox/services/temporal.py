"""Temporal's development server: histories in one file, the Web UI, our search attributes registered."""

from __future__ import annotations

import subprocess

from sandbox import environment
from sandbox.layout import NAMESPACE, Endpoints, Layout
from sandbox.services.base import Command, Service

SEARCH_ATTRIBUTES = {
    "CausewayPipeline": "Keyword",
    "CausewayState": "Keyword",
    "CausewayWaitingFor": "Keyword",
    "CausewayClouds": "KeywordList",
    "CausewayRunUid": "Keyword",
}


def command(layout: Layout, endpoints: Endpoints) -> Command:
    """Start on the old file when there is one; histories survive `kill -9`."""
    state = layout.state / "temporal"
    state.mkdir(parents=True, exist_ok=True)
    argv = [_binary(layout), "server", "start-dev", "--ip", "127.0.0.1", "--ui-ip", "127.0.0.1"]
    argv += ["--port", str(endpoints.ports["temporal"]), "--ui-port", str(endpoints.ports["temporal_ui"])]
    argv += ["--db-filename", str(state / "temporal.db"), "--log-level", "warn", "--namespace", NAMESPACE]
    # Otherwise the server asks its makers for newer versions.
    argv += ["--dynamic-config-value", "frontend.enableServerVersionCheck=false"]
    for name, kind in SEARCH_ATTRIBUTES.items():
        argv += ["--search-attribute", f"{name}={kind}"]
    return Command(argv, environment.bare(HOME=str(state), TEMPORAL_VERSION_CHECK_DISABLED="1"), state)


def healthy(layout: Layout, endpoints: Endpoints) -> bool:
    """The namespace answers and knows our search attributes."""
    ask = [_binary(layout), "operator", "search-attribute", "list", "--output", "json"]
    ask += ["--address", endpoints.temporal_address, "--namespace", NAMESPACE, "--command-timeout", "3s"]
    env = environment.bare(HOME=str(layout.state / "temporal"))
    try:
        answer = subprocess.run(  # noqa: S603 - our own binary, no shell
            ask, capture_output=True, text=True, timeout=5, env=env, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and all(name in answer.stdout for name in SEARCH_ATTRIBUTES)


def _binary(layout: Layout) -> str:
    return str(layout.tools / "local" / "bin" / "temporal")


SERVICE = Service(
    name="temporal",
    ports=("temporal", "temporal_ui"),
    tools=("local",),
    command=command,
    healthy=healthy,
    url=lambda endpoints: endpoints.temporal_ui_url,
)
