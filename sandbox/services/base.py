"""What the supervisor knows about a server: how it is started, asked for its health, and filled."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.layout import Endpoints, Layout

# A proxy of the caller's must never see loopback requests.
_HANDLERS: tuple[urllib.request.BaseHandler, ...] = (urllib.request.ProxyHandler({}),)
_NETWORK = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Command:
    """A process to start: nothing is added to its environment."""

    argv: list[str]
    env: dict[str, str] = field(repr=False)
    """Holds generated keys."""
    cwd: Path


@dataclass(frozen=True)
class Service:
    """One server of the sandbox."""

    name: str
    ports: tuple[str, ...]
    """Its names in `Endpoints.ports`; the first is the one clients use."""
    command: Callable[[Layout, Endpoints], Command]
    """May create folders of its own state; is called once before each start."""
    healthy: Callable[[Layout, Endpoints], bool]
    """Whether it would serve a client now. Quick, changes nothing, raises nothing expected."""
    url: Callable[[Endpoints], str]
    tools: tuple[str, ...] = ()
    """The environments it needs under `.sandbox/tools`."""
    seed: Callable[[Layout, Endpoints], None] | None = None
    """Makes what must exist in it; calling twice is the same as once."""
    front: str | None = None
    """The server that clients reach in its place; whoever asks for the one gets both."""
    needs_endpoints: bool = False
    """It reads `endpoints.json` at its start, so it must start again when a port changes."""
    stop_seconds: float = 2.0
    """How long it may take to save its state after SIGTERM."""


def answers(url: str, *, authority: str | None = None, below: int = 500) -> bool:
    """Whether an HTTP server answers here with a status under `below`."""
    try:
        return _status(url, authority) < below
    except _NETWORK:
        return False


def call(method: str, url: str, body: object) -> tuple[int, dict[str, Any]]:
    """Send JSON, receive JSON, and never raise for a status."""
    payload = json.dumps(body).encode()
    request = urllib.request.Request(url, payload, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - http, loopback
    try:
        with urllib.request.build_opener(*_HANDLERS).open(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, {"error": exc.read().decode(errors="replace")[:500]}


def _status(url: str, authority: str | None) -> int:
    handlers = list(_HANDLERS)
    if authority:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code
