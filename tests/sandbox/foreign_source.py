"""A store somewhere else: one object over plain HTTP on loopback, which answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

ETAG = '"first"'


@dataclass
class Source:
    """What lies there, and how it answers."""

    content: bytes
    status: int = 0
    """Answered instead of the object."""
    heeds_conditions: bool = True
    cut: bool = False
    """The body breaks off halfway."""
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/bucket/data?signature=SECRET%2Fvalue"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    source: ClassVar[Source]

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        source = self.source
        source.asked.append({"path": self.path, **self.headers})
        wanted = self.headers.get("If-Match", ETAG)
        status = source.status or (412 if source.heeds_conditions and wanted != ETAG else 0)
        if status:
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(source)

    def _send(self, source: Source) -> None:
        content, asked = source.content, self.headers.get("Range")
        if asked:
            first, last = asked.removeprefix("bytes=").split("-")
            content = content[int(first) : int(last) + 1 if last else None]
        self.send_response(206 if asked else 200)
        if asked:
            end = int(first) + len(content) - 1
            self.send_header("Content-Range", f"bytes {first}-{end}/{len(source.content)}")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", ETAG)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if source.cut else content)
        self.close_connection = source.cut


@contextmanager
def serving(content: bytes) -> Iterator[Source]:
    """Have a source hold this content."""
    source = Source(content)
    handler = type("Handler", (_Handler,), {"source": source})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        source.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield source
        server.shutdown()
        thread.join()
