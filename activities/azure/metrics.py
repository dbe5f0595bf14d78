"""A worker's metrics in Azure Monitor, by its own identity. Imported only where an Application Insights is named."""

import os
from typing import Any

from azure.core.credentials import TokenCredential
from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter

from activities.settings import SettingsError

OWN_REPORTS = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
)
"""Switches of what the exporter would tell its makers of itself, and ask them for."""
TIMEOUT_SECONDS = 10


def azure_monitor(connection_string: str, identity: TokenCredential) -> Any:
    """Return an exporter that signs in as the worker does, keeps nothing on disk and reports nothing of its own.

    Raises:
        SettingsError: the text is no connection string of an Application Insights resource.
    """
    os.environ.update(dict.fromkeys(OWN_REPORTS, "true"))
    try:
        return AzureMonitorMetricExporter(
            connection_string=connection_string,
            credential=identity,
            disable_offline_storage=True,
            retry_total=0,
            timeout=TIMEOUT_SECONDS,
        )
    except ValueError:
        told = "CAUSEWAY_AZURE_MONITOR is no connection string; write InstrumentationKey=...;IngestionEndpoint=https://..."
        raise SettingsError(told) from None
