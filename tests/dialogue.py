"""One connection of a wire: pieces as they come, and enough of HTTP/1.1 to know where a request begins."""

import re
import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.wire import Way, Wire

_PIECE_BYTES = 256 * 1024
_STALL_SECONDS = 0.3
_REQUEST = re.compile(rb"([A-Z]{3,7} [^\r\n ]+) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_HEAD_END = b"\r\n\r\n"
_WORDS = {"503": b"503 Service Unavailable", "429": b"429 Too Many Requests"}


class Broken(Exception):
    """The wire breaks the connection, as it was told to."""


@dataclass(frozen=True)
class Refusal:
    """What becomes of a request: `503` and `429` never reach the server, of a `truncate` the answer's end is lost."""

    kind: str
    retry_after: int


class Dialogue:
    """A client and a server that speak in turns: a request begins where the client speaks after the server."""

    def __init__(self, wire: "Wire", client: socket.socket, server: socket.socket) -> None:
        self._wire, self._client, self._server = wire, client, server
        self._buffer = memoryview(bytearray(_PIECE_BYTES))
        self._last: Way = "down"
        self._truncating: Refusal | None = None
        self._left: int | None = None
        """Bytes of an answer that still pass, once its length is known."""

    def relay(self) -> None:
        """Pass pieces on until either end stops, or a fault does."""
        while True:
            for source in self._ready():
                piece = self._piece(source)
                if piece is None:
                    continue
                if not piece:
                    return
                if source is self._client:
                    self._up(piece)
                else:
                    self._down(piece)

    def _ready(self) -> list[socket.socket]:
        both = [self._client, self._server]
        waiting = [one for one in both if isinstance(one, ssl.SSLSocket) and one.pending()]
        return waiting or select.select(both, [], [])[0]

    def _piece(self, source: socket.socket) -> memoryview | None:
        source.setblocking(False)
        try:
            return self._buffer[: source.recv_into(self._buffer)]
        except (ssl.SSLWantReadError, BlockingIOError):
            # A record of TLS's own, or one that has not come to its end.
            return None
        finally:
            source.setblocking(True)

    def _up(self, piece: memoryview) -> None:
        begins = _REQUEST.match(piece) if self._last == "down" else None
        if begins:
            refusal = self._wire.asked(begins[1].decode())
            if refusal and refusal.kind in _WORDS:
                self._refuse(piece, refusal)
            self._truncating, self._left = refusal, None
        self._last = "up"
        self._pass("up", piece, self._server)

    def _down(self, piece: memoryview) -> None:
        self._last = "down"
        if self._truncating and self._left is None:
            self._left = self._to_pass(bytes(piece))
        if self._truncating and self._left is not None:
            piece = piece[: self._left]
            self._left -= len(piece)
        self._pass("down", piece, self._client)
        if self._truncating and self._left == 0:
            raise Broken

    def _to_pass(self, begin: bytes) -> int | None:
        """Return how much of an answer passes whose last byte is lost; None while it is not known."""
        head, found, _ = begin.partition(_HEAD_END)
        if not found or head.startswith(b"HTTP/1.1 100"):
            return None
        said = _LENGTH.search(head)
        if said and int(said[1]):
            return len(head) + len(_HEAD_END) + int(said[1]) - 1
        # Nothing to lose an end of: the next answer is to.
        self._truncating = None
        self._wire.spared()
        return None

    def _pass(self, way: "Way", piece: memoryview, target: socket.socket) -> None:
        self._wire.hold(way, len(piece))
        for at, fault in self._wire.count(way, piece):
            if fault.kind == "damage":
                piece[at] ^= 1
            if fault.kind == "stall":
                time.sleep(_STALL_SECONDS)
            if fault.kind == "cut":
                target.sendall(piece[:at])
                raise Broken
        target.sendall(piece)

    def _refuse(self, begin: memoryview, refusal: Refusal) -> None:
        """Take the whole request in, answer it, and hang up."""
        self._wire.count("up", begin)
        head, _, body = bytes(begin).partition(_HEAD_END)
        said = _LENGTH.search(head)
        left = int(said[1]) - len(body) if said and b"100-continue" not in head.lower() else 0
        while left > 0 and (count := self._client.recv_into(self._buffer)):
            self._wire.count("up", self._buffer[:count])
            left -= count
        after = f"Retry-After: {refusal.retry_after}".encode()
        lines = (b"HTTP/1.1 " + _WORDS[refusal.kind], after, b"Content-Length: 0", b"Connection: close")
        self._client.sendall(b"\r\n".join(lines) + _HEAD_END)
        raise Broken
