"""Which machine a job gets on SageMaker."""

from collections.abc import Iterable
from dataclasses import dataclass

from activities.aws.errors import CLOUD
from contracts.artifacts import Artifact
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import Resources
from contracts.units import MIB

GIB = 1024 * MIB
SMALLEST_VOLUME_GIB = 30
LARGEST_VOLUME_GIB = 16_384
"""`ProcessingVolumeSizeInGB` in SageMaker's service model."""


@dataclass(frozen=True)
class Instance:
    """An instance type that both training and processing jobs may use."""

    name: str
    cpu: int
    memory_gib: int


INSTANCES = (
    Instance("ml.m5.large", 2, 8),
    Instance("ml.r5.large", 2, 16),
    Instance("ml.c5.xlarge", 4, 8),
    Instance("ml.m5.xlarge", 4, 16),
    Instance("ml.r5.xlarge", 4, 32),
    Instance("ml.c5.2xlarge", 8, 16),
    Instance("ml.m5.2xlarge", 8, 32),
    Instance("ml.r5.2xlarge", 8, 64),
    Instance("ml.c5.4xlarge", 16, 32),
    Instance("ml.m5.4xlarge", 16, 64),
    Instance("ml.r5.4xlarge", 16, 128),
    Instance("ml.c5.9xlarge", 36, 72),
    Instance("ml.r5.8xlarge", 32, 256),
    Instance("ml.m5.12xlarge", 48, 192),
    Instance("ml.r5.12xlarge", 48, 384),
    Instance("ml.c5.18xlarge", 72, 144),
    Instance("ml.m5.24xlarge", 96, 384),
    Instance("ml.r5.24xlarge", 96, 768),
)
"""The cheaper first. Sizes: https://aws.amazon.com/ec2/instance-types/; names: `TrainingInstanceType` and
`ProcessingInstanceType` in the service model of botocore 1.44.5 (November 2026)."""


def instance_for(resources: Resources, default: str | None) -> str:
    """Return the instance type a job names, else the default if it suffices, else the cheapest that does.

    A default that this table does not know is taken at its owner's word.

    Raises:
        ApplicationError: `UNSUPPORTED`, none has as much as the job asks for.
    """
    if resources.instance:
        return resources.instance
    known = {instance.name: instance for instance in INSTANCES}
    if default and (default not in known or _suffices(known[default], resources)):
        return default
    found = next((instance.name for instance in INSTANCES if _suffices(instance, resources)), None)
    if found:
        return found
    message = "no instance that Causeway knows is as large as the stage asks; name one in resources.instance"
    raise failure(ErrorKind.UNSUPPORTED, message, ErrorDetail(cloud=CLOUD))


def volume_gib(inputs: Iterable[Artifact]) -> int:
    """Return the size of a job's disk: room for its inputs twice, for what it leaves, and some."""
    held = sum(artifact.size_bytes for artifact in inputs)
    return min(SMALLEST_VOLUME_GIB + 2 * -(-held // GIB), LARGEST_VOLUME_GIB)


def _suffices(instance: Instance, resources: Resources) -> bool:
    return instance.cpu >= resources.cpu and instance.memory_gib * GIB >= (resources.memory or 0)
