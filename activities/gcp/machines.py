"""Which machine a job gets on Vertex AI."""

from dataclasses import dataclass

from activities.gcp.errors import CLOUD
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import Resources
from contracts.units import MIB

GIB = 1024 * MIB


@dataclass(frozen=True)
class Machine:
    """A machine type that custom jobs may use."""

    name: str
    cpu: int
    memory_gib: int


MACHINES = (
    Machine("e2-standard-4", 4, 16),
    Machine("e2-highmem-4", 4, 32),
    Machine("e2-standard-8", 8, 32),
    Machine("e2-highmem-8", 8, 64),
    Machine("e2-standard-16", 16, 64),
    Machine("e2-highmem-16", 16, 128),
    Machine("e2-standard-32", 32, 128),
    Machine("n2-highmem-32", 32, 256),
    Machine("n2-standard-64", 64, 256),
    Machine("n2-highmem-64", 64, 512),
    Machine("n2-highmem-80", 80, 640),
    Machine("n1-standard-96", 96, 360),
    Machine("n1-highmem-96", 96, 624),
)
"""The cheaper first. Types and sizes: https://cloud.google.com/vertex-ai/docs/training/configure-compute and
https://cloud.google.com/compute/docs/machine-resource (November 2026)."""


def machine_for(resources: Resources, default: str | None) -> str:
    """Return the machine type a job names, else the default if it suffices, else the cheapest that does.

    A default that this table does not know is taken at its owner's word.

    Raises:
        ApplicationError: `UNSUPPORTED`, none has as much as the job asks for.
    """
    if resources.instance:
        return resources.instance
    known = {machine.name: machine for machine in MACHINES}
    if default and (default not in known or _suffices(known[default], resources)):
        return default
    found = next((machine.name for machine in MACHINES if _suffices(machine, resources)), None)
    if found:
        return found
    message = "no machine that Causeway knows is as large as the stage asks; name one in resources.instance"
    raise failure(ErrorKind.UNSUPPORTED, message, ErrorDetail(cloud=CLOUD))


def _suffices(machine: Machine, resources: Resources) -> bool:
    return machine.cpu >= resources.cpu and machine.memory_gib * GIB >= (resources.memory or 0)
