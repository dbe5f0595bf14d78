"""A reverse proxy for one server of this machine: passes on what it need not understand, answers what it must.

A thread serves each connection of a client and has a connection to the server of its own: where one ends, so does the
other. Bodies are streamed; what is held of them is one piece.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, Protocol

import h11

from sandbox.servers.fronts.encrypted import Encrypted
from sandbox.servers.fronts.lines import HEAD_BYTES, Broken, Line
from sandbox.servers.fronts.messages import (
    Lost,
    Reply,
    Substitute,
    ends_with_connection,
    forwarded,
    keeps_alive,
    request_length,
    response_length,
)

_WAITING = 256

Connect = Callable[[], socket.socket | Encrypted]


class Gate(Protocol):
    """What a front does with a request."""

    def judge(self, request: h11.Request) -> Reply | Substitute | None:
        """Answer it, put another in its place, or let it pass as it is. Called from many threads."""

    def watch(self, request: h11.Request, body: Iterator[memoryview]) -> Iterator[memoryview]:
        """Return the body of a request that passes, as it passes; raises `Lost` when its end must not."""

    def note(self, request: h11.Request, order: Reply | Substitute, status: int) -> None:
        """Hear what became of a request that did not just pass."""


class Front:
    """Listens on loopback before a server."""

    def __init__(self, connect: Connect, gate: Gate, tls: ssl.SSLContext | None) -> None:
        """Serve plain connections, or with `tls` encrypted ones; `connect` reaches the server."""
        self._connect = connect
        self._gate = gate
        self._tls = tls

    def serve(self, listener: socket.socket) -> None:
        """Serve until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            met = Encrypted(connection, self._tls) if self._tls else connection
            _Conversation(Line(met), self._connect, self._gate).hold()
        connection.close()


def reach(port: int) -> socket.socket:
    """Connect to a server of this machine."""
    return socket.create_connection(("127.0.0.1", port))


def exists(origin: str, path: str) -> bool:
    """Whether the server behind answers a path with something that is there."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(origin + path, timeout=10):
            return True
    except urllib.error.HTTPError as refused:
        refused.close()
        return False


def fetched(origin: str, path: str) -> dict[str, Any] | None:
    """Return the JSON that the server behind answers a path with; None where there is nothing."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            origin + path, timeout=10
        ) as told:
            held: dict[str, Any] = json.load(told)
            return held
    except urllib.error.HTTPError as refused:
        refused.close()
        return None


def listen(port: int) -> socket.socket:
    """Take a loopback port."""
    return socket.create_server(("127.0.0.1", port), backlog=_WAITING)


class _Conversation:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, client: Line, connect: Connect, gate: Gate) -> None:
        self._client = client
        self._connect = connect
        self._gate = gate
        self._server: Line | None = None

    def hold(self) -> None:
        """Serve one request after the other until either end has enough."""
        try:
            while self._exchange():
                pass
        except (Broken, OSError, h11.ProtocolError):
            # There is nothing to say to an end that is gone; the other learns it in the same way.
            pass
        finally:
            self._client.close()
            self._hang_up()

    def _exchange(self) -> bool:
        """Serve a request; whether another may come."""
        asked = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        try:
            request = self._client.head(asked)
        except h11.RemoteProtocolError as wrong:
            self._say(asked, Reply(wrong.error_status_hint), None)
            return False
        if not isinstance(request, h11.Request):
            return False
        order = self._gate.judge(request)
        if isinstance(order, Reply):
            return self._refuse(asked, request, order)
        if asked.they_are_waiting_for_100_continue:
            self._client.send(asked.send(h11.InformationalResponse(status_code=100, headers=[])))
        length = request_length(request)
        body = self._client.body(asked, length)
        if order is None:
            return self._pass(asked, request, length, body)
        _drain(body)
        return self._replace(asked, request, order)

    def _refuse(self, asked: h11.Connection, request: h11.Request, reply: Reply) -> bool:
        """Answer by ourselves, once all was sent: a sender that is cut off does not hear why."""
        again = keeps_alive(request) and not asked.they_are_waiting_for_100_continue
        if not asked.they_are_waiting_for_100_continue:
            _drain(self._client.body(asked, request_length(request)))
        self._gate.note(request, reply, reply.status)
        self._say(asked, reply, request, last=not again)
        return again

    def _replace(self, asked: h11.Connection, request: h11.Request, order: Substitute) -> bool:
        try:
            self._gate.note(request, order, self._send(asked, order.request, order.length, order.pieces)[0])
        except Lost as lost:
            # The server must not take what came for the whole.
            self._hang_up()
            self._gate.note(request, order, lost.reply.status)
            self._say(asked, lost.reply, request)
        return keeps_alive(request)

    def _pass(
        self, asked: h11.Connection, request: h11.Request, length: int | None, body: Iterator[memoryview]
    ) -> bool:
        try:
            watched = self._gate.watch(request, body)
            # The head alone is all of a request without content, so the first piece is judged before it is sent.
            begun = list(islice(watched, 1))
            whole = self._send(asked, request, length, chain(begun, watched))[1]
        except Lost as lost:
            self._hang_up()
            _drain(body)
            self._gate.note(request, lost.reply, lost.reply.status)
            self._say(asked, lost.reply, request)
            return keeps_alive(request)
        return whole and keeps_alive(request)

    def _send(
        self, asked: h11.Connection, request: h11.Request, length: int | None, body: Iterator[memoryview]
    ) -> tuple[int, bool]:
        """Have the server answer; return the status, and whether it wanted all of the request."""
        server = self._reached()
        told = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        head = h11.Request(
            method=request.method, target=request.target, headers=forwarded(request, without={b"expect"})
        )
        wanted = True
        try:
            server.send(told.send(head))
            for piece in body:
                server.send(piece if length is not None else told.send(h11.Data(data=bytes(piece))))
            if length is None:
                server.send(told.send(h11.EndOfMessage()))
        except Broken as broken:
            if broken.line is not server:
                raise
            # A server that has heard enough may have answered before it hung up.
            wanted = False
            _drain(body)
        return self._answer(asked, told, server, request, whole=wanted), wanted

    def _answer(
        self, asked: h11.Connection, told: h11.Connection, server: Line, request: h11.Request, *, whole: bool
    ) -> int:
        """Pass the server's answer on; return its status."""
        answer: object = None
        while not isinstance(answer, h11.Response):
            server.wait(self._client)
            answer = server.head(told)
            if answer is None:
                raise Broken(server)
        length = response_length(answer, request.method)
        headers = forwarded(answer)
        headers += [] if whole else [(b"Connection", b"close")]
        self._client.send(
            asked.send(h11.Response(status_code=answer.status_code, reason=answer.reason, headers=headers))
        )
        for piece in server.body(told, length):
            self._client.send(piece if length is not None else asked.send(h11.Data(data=bytes(piece))))
        if length is None:
            self._client.send(asked.send(h11.EndOfMessage()))
        if not whole or not keeps_alive(answer) or ends_with_connection(answer, request.method):
            self._hang_up()
        return answer.status_code

    def _say(
        self, asked: h11.Connection, reply: Reply, request: h11.Request | None, *, last: bool = False
    ) -> None:
        headers = {**reply.headers, "Content-Length": str(len(reply.body))}
        headers |= {"Connection": "close"} if last or request is None else {}
        self._client.send(asked.send(h11.Response(status_code=reply.status, headers=list(headers.items()))))
        if reply.body and request is not None and request.method != b"HEAD":
            self._client.send(reply.body)

    def _reached(self) -> Line:
        if self._server is not None and self._server.is_stale:
            self._hang_up()
        if self._server is None:
            self._server = Line(self._connect())
        return self._server

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


def _drain(body: Iterator[memoryview]) -> None:
    for _ in body:
        pass
