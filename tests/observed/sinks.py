"""Stand-ins for two vendors' intakes of metrics that speak their protocols: Azure Monitor by HTTPS, Cloud Monitoring by gRPC."""

import gzip
import json
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from google.api.metric_pb2 import MetricDescriptor
from google.cloud.monitoring_v3 import CreateMetricDescriptorRequest, CreateTimeSeriesRequest
from google.protobuf.empty_pb2 import Empty

from sandbox import self_signed


class AzureMonitor:
    """What was sent to an Application Insights resource, and by whom."""

    key = "00000000-1111-2222-3333-444444444444"

    def __init__(self) -> None:
        self.points: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.port = 0

    @property
    def connection_string(self) -> str:
        return f"InstrumentationKey={self.key};IngestionEndpoint=https://localhost:{self.port}/"

    def named(self, name: str) -> list[tuple[dict[str, Any], dict[str, str]]]:
        """The points of a metric, each with its labels."""
        return [
            (metric, data.get("properties", {}))
            for data in self.points
            for metric in data["metrics"]
            if metric["name"] == name
        ]


@contextmanager
def azure_monitor(folder: Path) -> Iterator[AzureMonitor]:
    """Receive for as long as the body runs; `folder/monitor.pem` is who to trust."""
    received = AzureMonitor()
    certificate, private = self_signed.make()
    (folder / "monitor.pem").write_text(certificate)
    (folder / "monitor.key").write_text(private)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            items = [json.loads(line) for line in body.splitlines()] if body[:1] != b"[" else json.loads(body)
            wanted = [item for item in items if item.get("iKey") == AzureMonitor.key]
            received.points.extend(item["data"]["baseData"] for item in wanted)
            received.tokens.add(self.headers.get("Authorization", ""))
            told = {"itemsReceived": len(items), "itemsAccepted": len(wanted), "errors": []}
            answer = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "monitor.pem", folder / "monitor.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    received.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()


class CloudMonitoring:
    """What was written into a project: descriptors by type, and every series."""

    def __init__(self) -> None:
        self.described: dict[str, MetricDescriptor] = {}
        self.series: list[Any] = []
        self.projects: set[str] = set()
        self.port = 0

    def describe(self, request: Any, context: grpc.ServicerContext) -> MetricDescriptor:
        self.projects.add(request.name)
        self.described[request.metric_descriptor.type] = request.metric_descriptor
        found: MetricDescriptor = request.metric_descriptor
        return found

    def write(self, request: Any, context: grpc.ServicerContext) -> Empty:
        unknown = {item.metric.type for item in request.time_series} - self.described.keys()
        if unknown or len(request.time_series) > 200:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no descriptor: {unknown}")
        self.series.extend(request.time_series)
        return Empty()


@contextmanager
def cloud_monitoring() -> Iterator[CloudMonitoring]:
    """Receive for as long as the body runs."""
    received = CloudMonitoring()
    methods = {
        "CreateMetricDescriptor": grpc.unary_unary_rpc_method_handler(
            received.describe, CreateMetricDescriptorRequest.deserialize, MetricDescriptor.SerializeToString
        ),
        "CreateTimeSeries": grpc.unary_unary_rpc_method_handler(
            received.write, CreateTimeSeriesRequest.deserialize, Empty.SerializeToString
        ),
    }
    server = grpc.server(ThreadPoolExecutor(2))
    handler = grpc.method_handlers_generic_handler("google.monitoring.v3.MetricService", methods)
    server.add_generic_rpc_handlers((handler,))
    received.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield received
    finally:
        server.stop(1).wait()
