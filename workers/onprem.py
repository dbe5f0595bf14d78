"""The worker for on-prem: a root folder and local processes. It holds this cloud's credentials and no other's."""

from activities.onprem.room import activities, containers
from activities.onprem.settings import OnpremSettings
from contracts.queues import queue_of
from workers.policing import guard_of
from workers.serve import Service


def service() -> Service:
    """Read the settings, build the clients and offer everything this connection can do.

    Raises:
        SettingsError: a setting is missing or wrong; the message names it.
    """
    settings = OnpremSettings.from_environment()
    offered = activities(settings)
    return Service(
        name="onprem",
        queue=queue_of(f"onprem/{settings.connection}"),
        activities=lambda client: offered,
        guard=guard_of(settings, "onprem", settings.region, containers(settings), runs_images=False),
    )
