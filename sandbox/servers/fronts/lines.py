"""One end of a connection: heads and chunks are read by h11, bodies of a known length pass in large pieces."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator

import h11

from sandbox.servers.fronts.encrypted import Encrypted

HEAD_BYTES = 64 * 1024
"""The longest head that is read; signed URLs and 8 KiB of metadata fit twice."""
PIECE_BYTES = 256 * 1024
# Linux tells of a peer that hung up even when it left bytes behind; elsewhere the next write finds out.
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR

Message = h11.Request | h11.InformationalResponse | h11.Response


class Broken(Exception):
    """A connection ended where a message did not."""

    def __init__(self, line: Line) -> None:
        super().__init__("the connection broke")
        self.line = line


class Line:
    """A connection over which messages come and go one after the other; not safe across threads."""

    def __init__(self, connection: socket.socket | Encrypted) -> None:
        """Read and write on this connection, which nobody else touches."""
        # Heads and bodies are written apart, and must not wait for each other's acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._ahead = b""
        self._buffer = memoryview(bytearray(PIECE_BYTES))

    def head(self, parser: h11.Connection) -> Message | None:
        """Read the next message up to its body; None when the peer ended before it began.

        Raises:
            Broken: it ended within the head.
            h11.RemoteProtocolError: what came is no HTTP.
        """
        begun = bool(self._ahead)
        if self._ahead:
            parser.receive_data(self._ahead)
            self._ahead = b""
        while (event := parser.next_event()) is h11.NEED_DATA:
            received = self._receive(begun)
            if not received:
                return None
            begun = True
            parser.receive_data(received)
        if isinstance(event, h11.Request | h11.InformationalResponse | h11.Response):
            return event
        raise Broken(self)

    def body(self, parser: h11.Connection, length: int | None) -> Iterator[memoryview]:
        """Read the body of the message whose head was read last; without a length as it is framed.

        A piece is good until the next is asked for. Every body must be read, also one of no length.

        Raises:
            Broken: it ended early.
        """
        if length is None:
            yield from self._framed(parser)
            return
        come = memoryview(parser.trailing_data[0])
        self._ahead = bytes(come[length:])
        if piece := come[:length]:
            yield piece
        left = length - len(piece)
        while left:
            count = self._receive_into(min(left, PIECE_BYTES))
            left -= count
            yield self._buffer[:count]

    def send(self, content: bytes | memoryview | None) -> None:
        """Write all of it.

        Raises:
            Broken: the peer is gone.
        """
        try:
            self._connection.sendall(content or b"")
        except OSError:
            raise Broken(self) from None

    def wait(self, other: Line) -> None:
        """Return when something can be read here.

        Raises:
            Broken: the other end hung up meanwhile, so that nobody waits for it any more.
        """
        if self._ahead or (isinstance(self._connection, Encrypted) and self._connection.pending()):
            return
        looked = select.poll()
        looked.register(self._connection, select.POLLIN)
        looked.register(other._connection, _HUNG_UP)
        if other._connection.fileno() in (found := dict(looked.poll())):
            if self._connection.fileno() not in found:
                raise Broken(other)

    @property
    def is_stale(self) -> bool:
        """Whether the peer of an idle connection has ended it, or says something nobody asked for."""
        looked = select.poll()
        looked.register(self._connection, select.POLLIN)
        return bool(self._ahead or looked.poll(0))

    def close(self) -> None:
        """End the connection; calling twice is the same as once."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _framed(self, parser: h11.Connection) -> Iterator[memoryview]:
        while not isinstance(event := parser.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                # The end of a connection ends some bodies; of the others h11 says that they are cut.
                parser.receive_data(self._receive(begun=False))
            elif isinstance(event, h11.Data):
                yield memoryview(event.data)
            else:
                raise Broken(self)
        self._ahead = parser.trailing_data[0]

    def _receive(self, begun: bool) -> bytes:
        try:
            received = self._connection.recv(HEAD_BYTES)
        except OSError:
            raise Broken(self) from None
        if begun and not received:
            raise Broken(self)
        return received

    def _receive_into(self, most: int) -> int:
        try:
            count = self._connection.recv_into(self._buffer, most)
        except OSError:
            raise Broken(self) from None
        if not count:
            raise Broken(self)
        return count
