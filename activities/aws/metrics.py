"""A worker's metrics in CloudWatch, by its own identity. Imported only where a namespace for them is set.

Every combination of labels is a metric that CloudWatch bills, so only what dashboards and alarms are made of goes there.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    Sum,
)

NEEDS = {"put_metric_data": ("cloudwatch:PutMetricData",)}
BATCH = 500
"""Points in one request, which may hold 1000 and 1 MB.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""
KEPT = (
    "causeway_",
    "temporal_activity_schedule_to_start_latency",
    "temporal_workflow_task_schedule_to_start_latency",
    "temporal_worker_task_slots_available",
)
DROPPED_LABELS = {"namespace", "workflow_type"}
"""They are the same for all of ours, or follow from the metric."""
UNITS = {"s": "Seconds"}


class CloudWatchMetrics(MetricExporter):
    """Writes what was added since the last time: values, and of histograms count, sum, minimum and maximum."""

    def __init__(self, client: Any, namespace: str) -> None:
        """Write into this namespace by a client of boto3."""
        delta = AggregationTemporality.DELTA
        super().__init__(preferred_temporality={Counter: delta, Histogram: delta})
        self._client = client
        self._namespace = namespace

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **options: Any
    ) -> MetricExportResult:
        """Send these points; whoever calls takes a refusal calmly.

        Raises:
            ClientError: CloudWatch refused.
            BotoCoreError: it could not be reached.
        """
        points = [point for metric in metrics_of(metrics_data) for point in data_of(metric)]
        for begin in range(0, len(points), BATCH):
            self._client.put_metric_data(Namespace=self._namespace, MetricData=points[begin : begin + BATCH])
        return MetricExportResult.SUCCESS

    def shutdown(self, timeout_millis: float = 30_000, **options: Any) -> None:
        """Nothing is held here."""

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is held here."""
        return True


def metrics_of(held: MetricsData) -> Iterator[Metric]:
    """The metrics that go to CloudWatch."""
    for resource in held.resource_metrics:
        for scope in resource.scope_metrics:
            yield from (metric for metric in scope.metrics if metric.name.startswith(KEPT))


def data_of(metric: Metric) -> Iterator[dict[str, Any]]:
    """The points of a metric as `PutMetricData` takes them; what nothing was added to is left out."""
    for point in metric.data.data_points:
        labels = {
            name: value for name, value in (point.attributes or {}).items() if name not in DROPPED_LABELS
        }
        datum = {
            "MetricName": metric.name,
            # An empty value is refused.
            "Dimensions": [
                {"Name": name, "Value": str(value)} for name, value in sorted(labels.items()) if value != ""
            ],
            "Timestamp": datetime.fromtimestamp(point.time_unix_nano / 1e9, UTC),
            "Unit": UNITS.get(metric.unit or "", "None"),
        }
        if isinstance(point, HistogramDataPoint):
            if point.count:
                yield {**datum, "StatisticValues": _statistics(point)}
        elif isinstance(point, NumberDataPoint) and (point.value or not isinstance(metric.data, Sum)):
            yield {**datum, "Value": float(point.value)}


def _statistics(point: HistogramDataPoint) -> dict[str, float]:
    return {
        "SampleCount": float(point.count),
        "Sum": float(point.sum),
        "Minimum": float(point.min),
        "Maximum": float(point.max),
    }
