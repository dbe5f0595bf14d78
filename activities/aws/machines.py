"""Which machine a job gets on SageMaker."""

from collections.abc import Iterable
from pathlib import Path

from activities.aws.errors import CLOUD
from activities.catalogue import Catalogue
from contracts.artifacts import Artifact
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobKind
from contracts.machines import Machine, Resources
from contracts.units import GIB, format_size

BOOK = Path(__file__).with_name("machines.yaml")
SMALLEST_VOLUME_GIB = 30
LARGEST_VOLUME_GIB = 16_384
"""`ProcessingVolumeSizeInGB` in SageMaker's service model."""


class SageMakerMachines:
    """The instances that this connection gives to jobs."""

    def __init__(self, own: Path | None = None, preferred: str | None = None) -> None:
        """Know our catalogue and the user's own; the preferred instance is taken where it suffices.

        Raises:
            ValueError: a catalogue cannot be read.
        """
        self._catalogue = Catalogue.read(CLOUD, BOOK, own)
        self._preferred = preferred

    def choose(self, kind: JobKind, resources: Resources) -> Machine:
        """See `Machines.choose`: SageMaker has spot instances for training jobs only, and disks up to 16 TiB."""
        if resources.spot and kind != "train":
            text = "SageMaker has spot instances for `train` stages only: leave out `spot`, or make it a `train` stage"
            raise failure(ErrorKind.UNSUPPORTED, text, ErrorDetail(cloud=CLOUD))
        if (resources.disk or 0) > LARGEST_VOLUME_GIB * GIB:
            text = f"SageMaker attaches at most {format_size(LARGEST_VOLUME_GIB * GIB)} of disk"
            raise failure(ErrorKind.UNSUPPORTED, text, ErrorDetail(cloud=CLOUD))
        return self._catalogue.choose(kind, resources, self._preferred)


def volume_gib(inputs: Iterable[Artifact], disk: int | None = None) -> int:
    """Return the size of a job's disk: what is asked, or room for its inputs twice, for what it leaves, and some."""
    if disk:
        return -(-disk // GIB)
    held = sum(artifact.size_bytes for artifact in inputs)
    return min(SMALLEST_VOLUME_GIB + 2 * -(-held // GIB), LARGEST_VOLUME_GIB)
