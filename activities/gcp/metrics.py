"""A worker's metrics in Cloud Monitoring, by its own identity. Imported only where that is switched on."""

import warnings
from typing import Any

import grpc
from google.auth.credentials import Credentials
from google.cloud.monitoring_v3 import MetricServiceClient
from google.cloud.monitoring_v3.services.metric_service.transports.grpc import MetricServiceGrpcTransport
from opentelemetry.exporter.cloud_monitoring import CloudMonitoringMetricsExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from activities.gcp.settings import GcpSettings


def cloud_monitoring(settings: GcpSettings, identity: Credentials) -> Any:
    """Return an exporter that signs in as the worker does; several workers write beside one another."""
    with warnings.catch_warnings():
        # Its makers want OTLP used instead, to an address that takes nothing but that and needs a token of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        inner = CloudMonitoringMetricsExporter(
            project_id=settings.project, client=_client(settings, identity), add_unique_identifier=True
        )
    return _Monitoring(inner)


class _Monitoring(MetricExporter):
    def __init__(self, inner: CloudMonitoringMetricsExporter) -> None:
        super().__init__()
        self._inner = inner

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **options: Any
    ) -> MetricExportResult:
        """Send these points; that not one metric could be described is a failure, which the exporter keeps to itself."""
        result: MetricExportResult = self._inner.export(metrics_data, timeout_millis, **options)
        return result if self._inner._metric_descriptors else MetricExportResult.FAILURE

    def shutdown(self, timeout_millis: float = 30_000, **options: Any) -> None:
        """Nothing is held here."""

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is held here."""
        return True


def _client(settings: GcpSettings, identity: Credentials) -> MetricServiceClient:
    where = settings.monitoring_endpoint
    if where.startswith("http://"):
        # Only a local endpoint has no TLS; no token travels there.
        channel = grpc.insecure_channel(where.removeprefix("http://"))
        return MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel))
    host = where.removeprefix("https://")
    return MetricServiceClient(credentials=identity, client_options={"api_endpoint": host})
