"""The worker for Azure: Blob Storage and Azure ML. It holds this cloud's credentials and no other's."""

from typing import Any

from activities.azure.room import activities, containers, credential
from activities.azure.settings import AzureSettings
from contracts.queues import queue_of
from workers.policing import guard_of
from workers.serve import Service


def service() -> Service:
    """Read the settings, build the clients and offer everything this connection can do.

    Raises:
        SettingsError: a setting is missing or wrong; the message names it.
    """
    settings = AzureSettings.from_environment()
    offered = activities(settings)
    return Service(
        name="azure",
        queue=queue_of(f"azure/{settings.connection}"),
        activities=lambda temporal: offered,
        sinks=_sinks(settings),
        guard=guard_of(settings, "azure", settings.region, containers(settings)),
    )


def _sinks(settings: AzureSettings) -> tuple[Any, ...]:
    if not settings.monitor:
        return ()
    from activities.azure.metrics import azure_monitor

    return (azure_monitor(settings.monitor, credential(settings)),)
