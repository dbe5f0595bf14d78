"""A collector of traces as OTLP over HTTP has it, which keeps what it is sent."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Received:
    """Spans by the process that sent them, and names of metrics."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        self.metrics: set[tuple[str, str]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def receiving() -> Iterator[Received]:
    """Receive for as long as the body runs."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    spans = [
                        (_service(resource.resource), span)
                        for scope in resource.scope_spans
                        for span in scope.spans
                    ]
                    received.spans.extend(spans)
            elif self.path == "/v1/metrics":
                for found in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    names = {metric.name for scope in found.scope_metrics for metric in scope.metrics}
                    received.metrics |= {(_service(found.resource), name) for name in names}
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()


def _service(resource: Any) -> str:
    return next(item.value.string_value for item in resource.attributes if item.key == "service.name")
