"""The frame each of our own servers stands in: routes, journal, faults, TLS, health, a clean end."""

from __future__ import annotations

import asyncio
import signal
import time
from asyncio import Transport
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, ClassVar, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.layout import Endpoints, Layout
from sandbox.servers.faults import Fault, Faults
from sandbox.servers.journal import Journal

HEALTH_PATH = "/_sandbox/health"
"""Answers 200 as soon as the server serves, whatever faults it shows. Needs no key, is not journaled."""

FaultResponse = Callable[[str, Request], Response]
"""Renders the fault kinds `unavailable` and `throttle` in the vendor's own way."""
NameOperation = Callable[[Request], str]


def run(
    server: str,
    routes: Sequence[BaseRoute],
    *,
    tls: bool = False,
    on_stop: Callable[[], None] | None = None,
    fault_response: FaultResponse | None = None,
    operation: NameOperation | None = None,
) -> None:
    """Serve the routes on the server's own port until SIGTERM or SIGINT, then call `on_stop` and return.

    `operation` names a request before it is routed, so that faults can match it; a route may say more in
    `request.state.operation` and `request.state.resource`, which the journal shows.
    """
    layout = Layout.from_environment()
    endpoints = Endpoints.load(layout)
    app = Starlette(routes=[Route(HEALTH_PATH, _healthy(server)), *routes])
    frame = Frame(app, Journal(layout.requests_of(server)), Faults(layout.faults_of(server)))
    frame.fault_response = fault_response or _plain_fault
    frame.operation = operation or _plain_operation
    _serve(frame, endpoints.ports[server], endpoints if tls else None)
    if on_stop is not None:
        on_stop()


class Frame:
    """Journals each request and makes the server misbehave when it has been told to."""

    fault_response: FaultResponse
    operation: NameOperation

    def __init__(self, app: ASGIApp, journal: Journal, faults: Faults) -> None:
        """Stand around `app`; the two callables are set by `run`."""
        self._app = app
        self._journal = journal
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, well or badly."""
        if scope["type"] != "http" or scope["path"] == HEALTH_PATH:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.operation, request.state.resource = self.operation(request), None
        started = time.monotonic()
        fault = self._faults.next_for(f"{request.state.operation} {request.method} {request.url.path}")
        answer = _Answer(send)
        try:
            await self._answer(fault, scope, receive, answer)
        finally:
            self._journal.write(
                method=request.method,
                path=request.url.path,
                operation=request.state.operation,
                resource=request.state.resource,
                status=answer.status,
                seconds=round(time.monotonic() - started, 3),
                agent=request.headers.get("user-agent", "")[:200],
                **({"fault": fault.kind} if fault else {}),
            )

    async def _answer(self, fault: Fault | None, scope: Scope, receive: Receive, answer: _Answer) -> None:
        kind = fault.kind if fault else ""
        if kind in ("unavailable", "throttle"):
            response = self.fault_response(kind, Request(scope, receive))
            await response(scope, receive, answer.send)
            return
        if fault and kind == "slow":
            await asyncio.sleep(fault.seconds or 5)
        if kind != "away":
            answer.silent = kind == "drop"
            await self._app(scope, receive, answer.send)
        if kind in ("drop", "away"):
            await _hang_up(scope, receive)


class _Answer:
    """Watches what is sent; a silent one swallows it."""

    def __init__(self, send: Send) -> None:
        self.status: int | None = None
        self.silent = False
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        if not self.silent:
            await self._send(message)


class _TrackedProtocol(H11Protocol):
    """Remembers the connection of each client, because an ASGI application has no way to cut one."""

    transports: ClassVar[dict[tuple[str, int], Transport]] = {}

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.transports[transport.get_extra_info("peername")[:2]] = transport
        self._peer = transport.get_extra_info("peername")[:2]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.transports.pop(self._peer, None)


async def _hang_up(scope: Scope, receive: Receive) -> None:
    transport = _TrackedProtocol.transports.get(tuple(scope["client"]))
    if transport is not None:
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _serve(frame: Frame, port: int, tls: Endpoints | None) -> None:
    config = uvicorn.Config(
        cast(Any, frame),
        host="127.0.0.1",
        port=port,
        http=_TrackedProtocol,
        interface="asgi3",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        # Cloud SDKs keep connections and do not retry a write on one that the server closed as idle.
        timeout_keep_alive=600,
        timeout_graceful_shutdown=1,
        ssl_certfile=tls.server_certificate if tls else None,
        ssl_keyfile=tls.server_key if tls else None,
    )
    server = uvicorn.Server(config)

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn re-raises the signal after its orderly end: with ours there first, the process ends with 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run()


def _healthy(server: str) -> Callable[[Request], Response]:
    def answer(_request: Request) -> Response:
        return JSONResponse({"server": server})

    return answer


def _plain_operation(request: Request) -> str:
    return f"{request.method} {request.url.path}"


def _plain_fault(kind: str, _request: Request) -> Response:
    return Response(kind, status_code=429 if kind == "throttle" else 503)
