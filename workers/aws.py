"""The worker for AWS: S3 and SageMaker. It holds this cloud's credentials and no other's."""

from typing import Any

from activities.aws.room import activities, client, containers
from activities.aws.settings import AwsSettings
from contracts.queues import queue_of
from workers.policing import guard_of
from workers.serve import Service


def service() -> Service:
    """Read the settings, build the clients and offer everything this connection can do.

    Raises:
        SettingsError: a setting is missing or wrong; the message names it.
    """
    settings = AwsSettings.from_environment()
    offered = activities(settings)
    return Service(
        name="aws",
        queue=queue_of(f"aws/{settings.connection}"),
        activities=lambda temporal: offered,
        sinks=_sinks(settings),
        guard=guard_of(settings, "aws", settings.region, containers(settings)),
    )


def _sinks(settings: AwsSettings) -> tuple[Any, ...]:
    if not settings.metrics_namespace:
        return ()
    from activities.aws.metrics import CloudWatchMetrics

    return (CloudWatchMetrics(client(settings, "cloudwatch"), settings.metrics_namespace),)
