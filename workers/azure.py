"""The worker for Azure: Blob Storage and Azure ML. It holds this cloud's credentials and no other's."""

from activities.azure.room import activities
from activities.azure.settings import AzureSettings
from contracts.queues import queue_of
from workers.serve import Service


def service() -> Service:
    """Read the settings, build the clients and offer everything this connection can do.

    Raises:
        SettingsError: a setting is missing or wrong; the message names it.
    """
    settings = AzureSettings.from_environment()
    offered = activities(settings)
    return Service(
        name="azure", queue=queue_of(f"azure/{settings.connection}"), activities=lambda client: offered
    )
