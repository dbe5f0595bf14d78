"""The metrics of one worker: Temporal's and ours in one pipeline, which feeds whoever reads them.

Temporal's core records into a buffer, and so do activities and workflows through Temporal's own meters, which are safe under
replay. The buffer is drained into OpenTelemetry's SDK. Core's own Prometheus endpoint would have served scrapes alone: the
readers of OTLP, CloudWatch, Azure Monitor and Cloud Monitoring could not have had what it holds.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from prometheus_client import CollectorRegistry, generate_latest
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_HISTOGRAM,
    BufferedMetricUpdate,
    MetricBuffer,
    MetricBufferDurationFormat,
    Runtime,
    TelemetryConfig,
)

from telemetry.along import Along
from telemetry.patience import PatientMetrics, hush
from telemetry.switches import along, metrics_endpoint

BUFFER = 100_000
"""Updates between two drains; what would not fit is dropped by the core, which says so."""
DRAIN_SECONDS = 1.0
PATIENCE_SECONDS = 3.0
"""How long the end of a worker waits for its last points to be taken."""
LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
STRETCHES = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 7 * 24 * 3600)
SPEEDS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)
COSTS = (0.01, 0.1, 1, 5, 10, 50, 100, 500, 1000, 5000)
logger = logging.getLogger("workers")


def _buckets(name: str, boundaries: Sequence[float]) -> View:
    return View(
        instrument_type=Histogram,
        instrument_name=name,
        aggregation=ExplicitBucketHistogramAggregation(boundaries),
    )


VIEWS = (
    _buckets("temporal_*latency", LATENCIES),
    _buckets("causeway_*_seconds", STRETCHES),
    _buckets("causeway_*_megabytes_per_second", SPEEDS),
    _buckets("causeway_*_cost", COSTS),
)


class Metrics:
    """What one worker measures, and for whom."""

    def __init__(self, worker: str, environment: Mapping[str, str], readers: Sequence[MetricReader]) -> None:
        """Feed these readers, and who scrapes."""
        hush()
        self._registry = CollectorRegistry()
        scraped = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)
        name = environment.get("OTEL_SERVICE_NAME") or f"causeway-{worker}"
        self._provider = MeterProvider(
            [scraped, *readers],
            resource=Resource.create({SERVICE_NAME: name}),
            views=VIEWS,
            shutdown_on_exit=False,
        )
        self._meter = self._provider.get_meter("causeway")
        self._instruments: dict[str, Any] = {}
        self._buffer = MetricBuffer(BUFFER, MetricBufferDurationFormat.SECONDS)
        self.runtime = Runtime(telemetry=TelemetryConfig(metrics=self._buffer, attach_service_name=False))
        """Clients with this runtime are measured."""
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        threading.Thread(target=self._drain_on, name="metrics", daemon=True).start()

    def exposition(self) -> bytes:
        """Return everything up to this moment, as Prometheus reads it."""
        self.drain()
        return generate_latest(self._registry)

    def drain(self) -> None:
        """Hand on what was recorded since the last time."""
        with self._lock:
            for update in self._buffer.retrieve_updates():
                self._apply(update)

    def close(self) -> None:
        """Send the last points, if they are taken within a few seconds."""
        self._stopped.set()
        self.drain()
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(PATIENCE_SECONDS)

    def _drain_on(self) -> None:
        while not self._stopped.wait(DRAIN_SECONDS):
            try:
                self.drain()
            except Exception:
                logger.exception("metrics could not be taken over")

    def _apply(self, update: BufferedMetricUpdate) -> None:
        # By name, and by no identity of the core's objects: those come and go, and their addresses are used again.
        metric = update.metric
        instrument = self._instruments.get(metric.name)
        if instrument is None:
            make: Any = {
                BUFFERED_METRIC_KIND_COUNTER: self._meter.create_counter,
                BUFFERED_METRIC_KIND_HISTOGRAM: self._meter.create_histogram,
            }.get(metric.kind, self._meter.create_gauge)
            instrument = make(metric.name, metric.unit or "", metric.description or "")
            self._instruments[metric.name] = instrument
        attributes = dict(update.attributes)
        if metric.kind == BUFFERED_METRIC_KIND_COUNTER:
            instrument.add(update.value, attributes)
        elif metric.kind == BUFFERED_METRIC_KIND_HISTOGRAM:
            instrument.record(update.value, attributes)
        else:
            instrument.set(update.value, attributes)


def metrics(
    worker: str, environment: Mapping[str, str], sinks: Sequence[MetricExporter], *, scraped: bool
) -> Metrics | None:
    """Return the metrics of a worker; None where nobody reads them, and then nothing is recorded."""
    where = metrics_endpoint(environment)
    pages = along(environment)
    # Each sink looks for itself: what was added since the last time is since its own.
    exporters = [PatientMetrics(sink, type(sink).__name__, [Along(url) for url in pages]) for sink in sinks]
    if where:
        exporters.append(PatientMetrics(OTLPMetricExporter(), where))
    if not exporters and not scraped:
        return None
    return Metrics(worker, environment, [PeriodicExportingMetricReader(exporter) for exporter in exporters])
