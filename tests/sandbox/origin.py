"""The server behind a front: answers in every way that HTTP frames an answer, and says what it was asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

MIB = 1 << 20
LARGE = bytes(range(256)) * (5 * MIB // 256) + b"the end"


@dataclass
class Seen:
    """What the server behind the front was asked, and by how many connections."""

    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    peers: set[Any] = field(default_factory=set)
    broken: threading.Event = field(default_factory=threading.Event)


class Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # As most servers do; otherwise heads and bodies wait for each other.
    disable_nagle_algorithm = True
    seen: ClassVar[Seen]

    def log_message(self, *_: Any) -> None:
        pass

    def do_PUT(self) -> None:
        if self.path == "/enough":
            self._answer(403, b"no more", close=True)
            return
        body = self._body()
        self.seen.requests.append((self.command, self.path, dict(self.headers), body))
        self.seen.peers.add(self.client_address)
        self._answer(201, b"%d bytes" % len(body))

    def do_GET(self) -> None:
        self.seen.peers.add(self.client_address)
        if self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (LARGE[:MIB], LARGE[MIB:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(LARGE)))
            self.end_headers()
            self.wfile.write(LARGE[:MIB])
            self.close_connection = True
        elif self.path == "/till-the-end":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(LARGE)
            self.close_connection = True
        elif self.path == "/slow":
            self._wait_for_the_end()
        else:
            self._answer(200, LARGE)

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(LARGE)))
        self.end_headers()

    def _wait_for_the_end(self) -> None:
        if self.connection.recv(1) == b"":
            self.seen.broken.set()
        self.close_connection = True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            content = self.rfile.read(length := int(self.headers.get("Content-Length", 0)))
            if len(content) < length:
                self.seen.broken.set()
            return content
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, status: int, body: bytes, *, close: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = close
