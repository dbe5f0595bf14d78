"""Which machine a job gets on Vertex AI, and how a custom job asks for it."""

from pathlib import Path
from typing import Any

from activities.catalogue import Catalogue
from activities.gcp.errors import CLOUD
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobKind
from contracts.machines import Machine, Resources, accelerator_of
from contracts.units import GIB, format_size

BOOK = Path(__file__).with_name("machines.yaml")
SMALLEST_DISK_GIB, LARGEST_DISK_GIB = 100, 64_000
"""https://cloud.google.com/vertex-ai/docs/reference/rest/v1/DiskSpec"""
ACCELERATORS = {
    "P4": "NVIDIA_TESLA_P4",
    "P100": "NVIDIA_TESLA_P100",
    "V100": "NVIDIA_TESLA_V100",
    "T4": "NVIDIA_TESLA_T4",
    "L4": "NVIDIA_L4",
    "A100": "NVIDIA_TESLA_A100",
    "A100-80GB": "NVIDIA_A100_80GB",
    "H100": "NVIDIA_H100_80GB",
    "H200": "NVIDIA_H200_141GB",
    "B200": "NVIDIA_B200",
}
"""Google's own names: `AcceleratorType` of google-cloud-aiplatform."""


class VertexMachines:
    """The machines that this connection gives to jobs."""

    def __init__(self, own: Path | None = None, preferred: str | None = None) -> None:
        """Know our catalogue and the user's own; the preferred type is taken where it suffices.

        Raises:
            ValueError: a catalogue cannot be read.
        """
        self._catalogue = Catalogue.read(CLOUD, BOOK, own)
        self._preferred = preferred

    def choose(self, kind: JobKind, resources: Resources) -> Machine:
        """See `Machines.choose`: every accelerator needs a name of Google's, and servers get no disk of a chosen size."""
        if resources.spot and kind == "batch_predict":
            raise _unsupported("Vertex AI predicts no batches on spot machines: leave out `spot`")
        if resources.disk and kind in {"batch_predict", "deploy"}:
            raise _unsupported("Vertex AI gives servers no disk of a chosen size: leave out `disk`")
        if (resources.disk or 0) > LARGEST_DISK_GIB * GIB:
            raise _unsupported(f"Vertex AI attaches at most {format_size(LARGEST_DISK_GIB * GIB)} of disk")
        machine = self._catalogue.choose(kind, resources, self._preferred)
        machine_spec(machine)
        return machine


def machine_spec(machine: Machine) -> dict[str, Any]:
    """Return a `MachineSpec` of Vertex AI.

    Raises:
        ApplicationError: `UNSUPPORTED`, Google has no accelerator of that name.
    """
    if not machine.accelerator:
        return {"machine_type": machine.instance}
    model, number = accelerator_of(machine.accelerator)
    if model not in ACCELERATORS:
        raise _unsupported(f"Vertex AI has no accelerator {model}; there are {', '.join(ACCELERATORS)}")
    return {
        "machine_type": machine.instance,
        "accelerator_type": ACCELERATORS[model],
        "accelerator_count": number,
    }


def disk_spec(disk: int | None) -> dict[str, Any]:
    """Return the part of a worker pool that asks for a boot disk; nothing when Google's own will do."""
    if not disk:
        return {}
    size = max(SMALLEST_DISK_GIB, -(-disk // GIB))
    return {"disk_spec": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": size}}


def _unsupported(text: str) -> Exception:
    return failure(ErrorKind.UNSUPPORTED, text, ErrorDetail(cloud=CLOUD))
