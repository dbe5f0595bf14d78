"""What becomes of an exporter that fails: a line when it begins, a line when it is over, and nothing for the observed."""

import logging
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.along import Along
from telemetry.patience import PatientMetrics, PatientSpans


class Moody(MetricExporter):
    """An exporter of some cloud whose service is away as often as it is told."""

    def __init__(self, *moods: Exception | MetricExportResult) -> None:
        super().__init__()
        self.moods = list(moods)
        self.sent: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **_: Any) -> MetricExportResult:
        self.sent.append(metrics_data)
        mood = self.moods.pop(0)
        if isinstance(mood, Exception):
            raise mood
        return mood

    def shutdown(self, timeout_millis: float = 0, **_: Any) -> None: ...

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True


def test_a_vendors_service_that_is_away_is_told_once_and_its_return_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = OSError("no route to https://monitoring.example.com/?key=secret")
    fine, failed = MetricExportResult.SUCCESS, MetricExportResult.FAILURE
    exporter = PatientMetrics(Moody(refused, failed, refused, fine, fine), "CloudWatchMetrics")
    with caplog.at_level(logging.INFO, "telemetry"):
        results = [exporter.export(MetricsData([])) for _ in range(5)]
    assert results == [failed, failed, failed, fine, fine]
    assert caplog.messages == [
        "metrics do not get through to CloudWatchMetrics (OSError); runs go on without",
        "metrics get through to CloudWatchMetrics again",
    ]


def test_another_worker_that_does_not_answer_costs_its_metrics_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inner = Moody(MetricExportResult.SUCCESS, MetricExportResult.SUCCESS)
    exporter = PatientMetrics(inner, "CloudWatchMetrics", [Along("http://127.0.0.1:1/metrics")])
    with caplog.at_level(logging.INFO, "telemetry"):
        assert [exporter.export(MetricsData([])) for _ in range(2)] == [MetricExportResult.SUCCESS] * 2
    assert len(inner.sent) == 2
    assert caplog.messages == [
        "the metrics of another worker do not get through to 127.0.0.1:1 (URLError); runs go on without"
    ]


def test_a_span_leaves_without_a_stack_trace_and_without_the_query_of_a_url() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(PatientSpans(kept, "http://collector:4318")))
    with pytest.raises(ValueError, match="sig"), provider.get_tracer("test").start_as_current_span("work"):
        raise ValueError("GET https://bucket.example.com/key?sig=secret failed")
    (span,) = kept.get_finished_spans()
    assert "secret" not in said(span)
    assert "exception.stacktrace" not in said(span)
    assert "bucket.example.com" in said(span)


def said(span: ReadableSpan) -> str:
    return span.to_json()
