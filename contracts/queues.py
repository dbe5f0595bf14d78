"""Connections and their task queues: the queue is the cloud. No cloud lives here."""

import re
from enum import StrEnum

WORKFLOW_QUEUE = "causeway"
DEPLOYMENT = "causeway"
"""What Temporal calls all builds of the workers of workflows together."""
DEFAULT_CONNECTION = "default"
_CONNECTION = re.compile(r"(?P<cloud>[a-z]+)(?:/(?P<name>[a-z][a-z0-9-]{0,31}))?")


class Cloud(StrEnum):
    """The clouds Causeway has rooms for."""

    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"
    ONPREM = "onprem"


CLOUD_OF_SCHEME = {"s3": Cloud.AWS, "az": Cloud.AZURE, "gs": Cloud.GCP, "file": Cloud.ONPREM}
SCHEME_OF_CLOUD = {cloud: scheme for scheme, cloud in CLOUD_OF_SCHEME.items()}


def normalise(connection: str) -> str:
    """Return `cloud/name` for `cloud` or `cloud/name`.

    Raises:
        ValueError: the text names no cloud that Causeway has, or a name that is not `[a-z][a-z0-9-]{0,31}`.
    """
    found = _CONNECTION.fullmatch(connection)
    if not found or found["cloud"] not in set(Cloud):
        clouds = ", ".join(Cloud)
        raise ValueError(
            f"{connection!r} is not a connection; write one of {clouds}, or cloud/name such as aws/eu"
        )
    return f"{found['cloud']}/{found['name'] or DEFAULT_CONNECTION}"


def cloud_of(connection: str) -> Cloud:
    """Return the cloud a connection belongs to."""
    return Cloud(normalise(connection).split("/")[0])


def queue_of(connection: str) -> str:
    """Return the task queue that serves a connection: `causeway-aws`, or `causeway-aws.eu` for `aws/eu`."""
    cloud, name = normalise(connection).split("/")
    return f"{WORKFLOW_QUEUE}-{cloud}" if name == DEFAULT_CONNECTION else f"{WORKFLOW_QUEUE}-{cloud}.{name}"
