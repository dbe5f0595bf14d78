"""The worker for AWS: S3 and SageMaker. It holds this cloud's credentials and no other's."""

from activities.aws.room import activities
from activities.aws.settings import AwsSettings
from contracts.queues import queue_of
from workers.serve import Service


def service() -> Service:
    """Read the settings, build the clients and offer everything this connection can do.

    Raises:
        SettingsError: a setting is missing or wrong; the message names it.
    """
    settings = AwsSettings.from_environment()
    offered = activities(settings)
    return Service(
        name="aws", queue=queue_of(f"aws/{settings.connection}"), activities=lambda client: offered
    )
