"""A wire that a worker's bytes pass: it counts them, and damages them when told. It understands nothing of them."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

_PIECE_BYTES = 1024 * 1024
_STALL_SECONDS = 0.3


@dataclass(frozen=True)
class Fault:
    """What happens to the byte of this number, counted from when the fault was set, over all connections."""

    way: Literal["up", "down"]
    kind: Literal["cut", "damage", "stall"]
    at_byte: int


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
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    """Those to come, each with the byte of its way at which it strikes."""

    def expect(self, faults: Iterable[Fault]) -> None:
        """Have these faults strike from now on, and no others."""
        with self.lock:
            self.faults = [(getattr(self, fault.way) + fault.at_byte, fault) for fault in faults]

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
                if not self._pass(way, buffer[:count]):
                    break
                target.sendall(buffer[:count])
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        with self.lock:
            self.sockets -= {source, target}

    def _pass(self, way: str, piece: memoryview) -> bool:
        """Count a piece and let the faults strike that it meets; False to break the connection."""
        with self.lock:
            begin, end = getattr(self, way), getattr(self, way) + len(piece)
            setattr(self, way, end)
            met = [(at, fault) for at, fault in self.faults if fault.way == way and begin <= at < end]
            self.faults = [one for one in self.faults if one not in met]
        for at, fault in met:
            if fault.kind == "damage":
                piece[at - begin] ^= 1
            if fault.kind == "stall":
                time.sleep(_STALL_SECONDS)
        return not any(fault.kind == "cut" for _, fault in met)


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
