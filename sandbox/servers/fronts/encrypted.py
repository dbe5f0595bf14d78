"""TLS over a socket in large pieces: the standard library's own socket makes two or three system calls of each 16 KiB."""

from __future__ import annotations

import contextlib
import socket
import ssl

_PIECE_BYTES = 256 * 1024


class Encrypted:
    """An encrypted connection with the methods of a socket that a `Line` needs; not safe across threads."""

    def __init__(
        self, plain: socket.socket, context: ssl.SSLContext, *, server_name: str | None = None
    ) -> None:
        """Shake hands over `plain`: as the client of a server of this name, or without one as the server."""
        self._plain = plain
        self._come, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(
            self._come, self._going, server_side=server_name is None, server_hostname=server_name
        )
        self._buffer = memoryview(bytearray(_PIECE_BYTES))
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError:
                # The peer is told what was wrong, where it listens.
                with contextlib.suppress(OSError):
                    self._flush()
                raise
            else:
                self._flush()
                return

    def fileno(self) -> int:
        """Return the descriptor of the connection."""
        return self._plain.fileno()

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Set an option of the connection."""
        self._plain.setsockopt(level, option, value)

    def pending(self) -> int:
        """Return how many bytes are here already, read or not yet decrypted."""
        return self._session.pending() or self._come.pending

    def recv(self, most: int) -> bytes:
        """Return some bytes, or none at the end."""
        buffer = bytearray(most)
        return bytes(memoryview(buffer)[: self.recv_into(memoryview(buffer), most)])

    def recv_into(self, buffer: memoryview, most: int) -> int:
        """Fill the buffer with what is here, waiting only if nothing is; return how much that was, nothing at the end."""
        count = 0
        while count < most:
            try:
                received = self._session.read(most - count, buffer[count:most])
            except ssl.SSLWantReadError:
                if count:
                    break
                self._flush()
                self._feed()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                break
            else:
                if not received:
                    break
                count += int(received)
        return count

    def sendall(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        if content:
            self._session.write(content)
            self._flush()

    def shutdown(self, how: int) -> None:
        """End it without a word, as a process that is killed would."""
        self._plain.shutdown(how)

    def close(self) -> None:
        """Give the connection back."""
        self._plain.close()

    def _feed(self) -> None:
        count = self._plain.recv_into(self._buffer)
        if count:
            self._come.write(self._buffer[:count])
        else:
            self._come.write_eof()

    def _flush(self) -> None:
        if self._going.pending:
            self._plain.sendall(self._going.read())
