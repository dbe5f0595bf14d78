"""A source that misbehaves: one object over HTTP on loopback, cut, damaged or redirected as told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from activities.grant_client import GrantClient
from contracts.grants import ReadGrant
from tests.house import PATIENCE_SECONDS

Fault = Literal["none", "cut", "short", "damaged", "redirect", "status"]


@dataclass
class Source:
    """What the server answers with, and what it was asked."""

    content: bytes
    fault: Fault = "none"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    stored: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    port: int = 0
    pause: threading.Event | None = None
    cut_after: int | None = None
    """Bytes of bodies after which every connection breaks."""
    served: int = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/bucket/data") -> str:
        return f"http://{self.host}{path}?X-Amz-Signature=SECRET"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    source: Source

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        source = self.source
        source.requests.append(self.path)
        if source.fault in {"status", "redirect"}:
            self._refuse()
            return
        content = source.content
        if source.fault == "damaged":
            content = content[:-1] + bytes([content[-1] ^ 1])
        asked = self.headers.get("Range")
        if asked:
            first, last = (int(number) for number in asked.removeprefix("bytes=").split("-"))
            content = content[first : last + 1]
        self.send_response(206 if asked else 200)
        for name, value in source.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) + (7 if source.fault == "short" else 0)))
        self.end_headers()
        half = len(content) // 2
        self.wfile.write(memoryview(content)[:half])
        if source.pause:
            source.pause.wait(PATIENCE_SECONDS)
        source.served += len(content)
        gone = source.cut_after is not None and source.served > source.cut_after
        if source.fault == "cut" or gone:
            self.close_connection = True
            return
        self.wfile.write(memoryview(content)[half:])
        self.close_connection = source.fault == "short"

    def do_PUT(self) -> None:
        source = self.source
        source.requests.append(self.path)
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if source.fault in {"status", "redirect"}:
            self._refuse()
            return
        source.stored[self.path.split("?")[0]] = content
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _refuse(self) -> None:
        source = self.source
        self.send_response(source.status)
        for name, value in source.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(source.body)))
        self.end_headers()
        self.wfile.write(source.body)


@contextmanager
def serving(content: bytes = b"", **more: Any) -> Iterator[Source]:
    """Serve an object on a free port of loopback."""
    source = Source(content, **more)
    handler = type("Handler", (_Handler,), {"source": source})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    source.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield source
    finally:
        if source.pause:
            source.pause.set()
        server.shutdown()
        server.server_close()
        thread.join()


def granted(client: GrantClient, grant: ReadGrant, start: int = 0, size_bytes: int | None = None) -> bytes:
    """Read what a grant gives leave to."""
    with client.reading(grant, start, size_bytes) as reading:
        return b"".join(reading.pieces)
