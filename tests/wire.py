"""A wire that a worker's bytes pass: it counts them, and cuts connections when told. It understands nothing of them."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_PIECE_BYTES = 1024 * 1024


@dataclass
class Wire:
    """Connections to a server of this machine, of which each byte is counted."""

    upstream: int
    """The server's port."""
    port: int = 0
    up: int = 0
    """Bytes towards the server."""
    down: int = 0
    sockets: set[socket.socket] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def cut(self) -> None:
        """Break every connection that is open now."""
        with self.lock:
            held = list(self.sockets)
        for one in held:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.upstream))
            with self.lock:
                self.sockets |= {client, server}
            for source, target, way in ((client, server, "up"), (server, client, "down")):
                threading.Thread(target=self._relay, args=(source, target, way), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, way: str) -> None:
        buffer = memoryview(bytearray(_PIECE_BYTES))
        with contextlib.suppress(OSError):
            while count := source.recv_into(buffer):
                target.sendall(buffer[:count])
                with self.lock:
                    setattr(self, way, getattr(self, way) + count)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        with self.lock:
            self.sockets -= {source, target}


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    """Put a wire before a server of this machine."""
    wire = Wire(port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire.port = listener.getsockname()[1]
        thread = threading.Thread(target=wire.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            wire.cut()
            thread.join()
