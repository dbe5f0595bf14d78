"""A wire that a worker's bytes pass: it counts them, and damages them when told. It can end TLS on both of its sides."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.dialogue import Broken, Dialogue, Refusal

Way = Literal["up", "down"]
Kind = Literal["cut", "damage", "stall", "truncate", "503", "429"]
OF_REQUESTS = ("truncate", "503", "429")


@dataclass(frozen=True)
class Fault:
    """What happens at a byte of one way, or to a request; both are counted from when the fault was set."""

    way: Way
    kind: Kind
    at: int
    """The byte's number, over all connections; of `truncate`, `503` and `429` the request's."""


@dataclass(frozen=True)
class Ends:
    """The TLS that a wire ends: it shows the server's own certificate, and trusts nothing but it."""

    certificate: Path
    key: Path

    def facing(self, client: socket.socket) -> socket.socket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context.wrap_socket(client, server_side=True)

    def before(self, server: socket.socket) -> socket.socket:
        context = ssl.create_default_context(cafile=str(self.certificate))
        return context.wrap_socket(server, server_hostname="localhost")


def ends_of(sandbox: Path, scheme: str) -> Ends | None:
    """The TLS to end before a store of this sandbox, if it speaks any."""
    held = sandbox / "tls"
    return Ends(held / "blob.pem", held / "blob.key") if scheme == "https" else None


@dataclass
class Wire:
    """Connections to a server of this machine, of which each byte and each request is counted."""

    upstream: int
    """The server's port."""
    tls: Ends | None = None
    port: int = 0
    up: int = 0
    """Bytes towards the server, as they are inside TLS."""
    down: int = 0
    requests: int = 0
    times: dict[str, list[float]] = field(default_factory=dict)
    """When requests came, by method and target."""
    refused: list[str] = field(default_factory=list)
    """Those that were."""
    bytes_per_second: int | None = None
    """What passes each way at most, over all connections: so that parts are under way for a while."""
    retry_after: int = 1
    """Seconds that a client is told to wait with a 503 or a 429."""
    sockets: set[socket.socket] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    """Those to come, each with the byte or the request at which it strikes."""
    struck: list[Fault] = field(default_factory=list)
    """Those that came since they were set."""
    due: dict[Way, float] = field(default_factory=dict)
    """When the next piece of each way may pass."""

    def expect(self, faults: Iterable[Fault]) -> None:
        """Have these faults strike from now on, and no others."""
        with self.lock:
            self.faults = [(self._base(fault) + fault.at, fault) for fault in faults]
            self.struck = []

    def cut(self) -> None:
        """Break every connection that is open now."""
        with self.lock:
            held = list(self.sockets)
        for one in held:
            _end(one)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connected, args=(client,), daemon=True).start()

    def count(self, way: Way, piece: memoryview) -> list[tuple[int, Fault]]:
        """Count a piece; return the faults that strike it, each with its place there."""
        with self.lock:
            begin, end = getattr(self, way), getattr(self, way) + len(piece)
            setattr(self, way, end)
            met = [
                one
                for one in self.faults
                if one[1].kind not in OF_REQUESTS and one[1].way == way and begin <= one[0] < end
            ]
            self._strike(met)
        return [(at - begin, fault) for at, fault in met]

    def hold(self, way: Way, size_bytes: int) -> None:
        """Wait until a piece may pass."""
        if self.bytes_per_second:
            with self.lock:
                now = time.monotonic()
                due = max(now, self.due.get(way, now)) + size_bytes / self.bytes_per_second
                self.due[way] = due
            time.sleep(max(0.0, due - time.monotonic()))

    def asked(self, line: str) -> Refusal | None:
        """Count a request; return what becomes of it if it is not simply answered."""
        with self.lock:
            number = self.requests
            self.requests += 1
            # The answer to a HEAD has no end that could be lost.
            kinds = OF_REQUESTS[1:] if line.startswith("HEAD ") else OF_REQUESTS
            met = [one for one in self.faults if one[1].kind in kinds and one[0] <= number][:1]
            self._strike(met)
            self.times.setdefault(line, []).append(time.monotonic())
            self.refused += [line for _, fault in met if fault.kind != "truncate"]
        return Refusal(met[0][1].kind, self.retry_after) if met else None

    def spared(self) -> None:
        """Have the next answer lose its end, since this one had none to lose."""
        fault = next(one for one in self.struck if one.kind == "truncate")
        with self.lock:
            self.struck.remove(fault)
            self.faults.append((self.requests, fault))

    def _strike(self, met: list[tuple[int, Fault]]) -> None:
        self.faults = [one for one in self.faults if one not in met]
        self.struck += [fault for _, fault in met]

    def _base(self, fault: Fault) -> int:
        return self.requests if fault.kind in OF_REQUESTS else int(getattr(self, fault.way))

    def _connected(self, client: socket.socket) -> None:
        held = [client]
        # A client that hangs up, a server that is away, bytes that are no TLS: the connection ends, and that is all.
        with contextlib.suppress(OSError, Broken):
            server = socket.create_connection(("127.0.0.1", self.upstream))
            held.append(server)
            if self.tls:
                held[0] = self.tls.facing(client)
                held[1] = self.tls.before(server)
            with self.lock:
                self.sockets |= set(held)
            Dialogue(self, *held).relay()
        for one in held:
            _end(one)
            one.close()
        with self.lock:
            self.sockets -= set(held)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Not the method of a TLS socket, which would take its state from under the thread that reads from it.
        socket.socket.shutdown(one, socket.SHUT_RDWR)


@contextmanager
def wire_to(port: int, tls: Ends | None = None) -> Iterator[Wire]:
    """Put a wire before a server of this machine."""
    wire = Wire(port, tls)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        wire.port = listener.getsockname()[1]
        thread = threading.Thread(target=wire.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            wire.cut()
            thread.join()
