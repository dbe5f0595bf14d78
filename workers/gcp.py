"""The worker for Google Cloud: Cloud Storage, Vertex AI and BigQuery. It holds this cloud's credentials and no other's."""

from typing import Any

from activities.gcp.identity import credentials
from activities.gcp.room import activities, containers
from activities.gcp.settings import GcpSettings
from contracts.queues import queue_of
from workers.policing import guard_of
from workers.serve import Service


def service() -> Service:
    """Read the settings, build the clients and offer everything this connection can do.

    Raises:
        SettingsError: a setting is missing or wrong; the message names it.
    """
    settings = GcpSettings.from_environment()
    offered = activities(settings)
    return Service(
        name="gcp",
        queue=queue_of(f"gcp/{settings.connection}"),
        activities=lambda temporal: offered,
        sinks=_sinks(settings),
        guard=guard_of(
            settings, "gcp", settings.location, containers(settings), tables=settings.bigquery_location
        ),
    )


def _sinks(settings: GcpSettings) -> tuple[Any, ...]:
    if not settings.monitoring:
        return ()
    from activities.gcp.metrics import cloud_monitoring

    return (cloud_monitoring(settings, credentials()),)
