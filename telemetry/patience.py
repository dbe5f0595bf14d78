"""Exporters for whom an endpoint that is away is one warning, and nothing that what is observed could feel."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.metrics import Counter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    ResourceMetrics,
)
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from contracts.scrub import scrub
from telemetry.along import Along

logger = logging.getLogger("telemetry")
LOUD = (
    "opentelemetry.exporter",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.metrics._internal.export",
    "opentelemetry.sdk.trace.export",
    "azure.monitor.opentelemetry.exporter",
)
"""Loggers that would repeat, at each attempt, what is said here once."""
FATAL = logging.CRITICAL + 1


def hush() -> None:
    """Leave it to this module to tell of an exporter that does not get through."""
    for name in LOUD:
        logging.getLogger(name).setLevel(FATAL)


class Luck:
    """Whether an endpoint took what it was sent the last time; only a change is told."""

    def __init__(self, what: str, where: str) -> None:
        """Tell of these data and that endpoint, of which only the host is named."""
        self._what = what
        self._where = urlsplit(where).netloc.rpartition("@")[2] or where
        self._away = False

    def told(self, export: Callable[[], bool]) -> bool:
        """Run an export; return whether it got through, whatever it raised."""
        why = ""
        try:
            through = export()
        except Exception as error:
            through, why = False, f" ({type(error).__name__})"
        if not through and not self._away:
            logger.warning("%s do not get through to %s%s; runs go on without", self._what, self._where, why)
        if through and self._away:
            logger.info("%s get through to %s again", self._what, self._where)
        self._away = not through
        return through


class PatientSpans(SpanExporter):
    """Hands spans on without stack traces or any URL's query, and takes a refusal calmly."""

    def __init__(self, inner: SpanExporter, where: str) -> None:
        """Hand on to this exporter, which sends to there."""
        self._inner = inner
        self._luck = Luck("traces", where)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; one that does not get through is lost."""
        clean = [cleaned(span) for span in spans]
        through = self._luck.told(lambda: self._inner.export(clean) is SpanExportResult.SUCCESS)
        return SpanExportResult.SUCCESS if through else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Let the exporter go, also from a retry it rests before."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held here."""
        return True


class PatientMetrics(MetricExporter):
    """Hands metrics on, and takes a refusal calmly: totals are sent again with the next points."""

    def __init__(self, inner: MetricExporter, where: str, along: Sequence[Along] = ()) -> None:
        """Hand on to this exporter, which sends to there, and with it what these other workers measure."""
        super().__init__(inner._preferred_temporality, inner._preferred_aggregation)
        self._inner = inner
        self._luck = Luck("metrics", where)
        self._along = [(other, Luck("the metrics of another worker", other.url)) for other in along]
        temporality = inner._preferred_temporality or {}
        self._delta = temporality.get(Counter) is AggregationTemporality.DELTA

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **options: Any
    ) -> MetricExportResult:
        """Send the points of this moment."""
        metrics_data = MetricsData([*metrics_data.resource_metrics, *self._others()])
        sent = self._luck.told(
            lambda: self._inner.export(metrics_data, timeout_millis) is MetricExportResult.SUCCESS
        )
        return MetricExportResult.SUCCESS if sent else MetricExportResult.FAILURE

    def _others(self) -> list[ResourceMetrics]:
        found: list[ResourceMetrics] = []
        for other, luck in self._along:
            luck.told(partial(_look, other, self._delta, found))
        return found

    def shutdown(self, timeout_millis: float = 30_000, **options: Any) -> None:
        """Let the exporter go."""
        self._inner.shutdown(timeout_millis)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is held here."""
        return True


def _look(other: Along, delta: bool, found: list[ResourceMetrics]) -> bool:
    held = other.since(delta)
    if held:
        found.append(held)
    return True


def cleaned(span: ReadableSpan) -> ReadableSpan:
    """Return the span as it may leave the house: no stack trace, and texts of errors without any URL's query."""
    status = span.status
    said = scrub(status.description) if status.description else None
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_event(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(status.status_code, said),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _event(event: Event) -> Event:
    kept = {
        name: scrub(value) if name == "exception.message" else value
        for name, value in (event.attributes or {}).items()
        if name != "exception.stacktrace"
    }
    return Event(event.name, kept, event.timestamp)
