"""What the on-prem worker is told by its environment."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from activities.settings import CommaList, WorkerSettings
from contracts.machines import accelerator_of
from contracts.money import Amount, parse_amount
from contracts.units import Size


def _split(value: object) -> object:
    return tuple(piece for piece in value.split(":") if piece) if isinstance(value, str) else value


def _existing(path: Path) -> Path:
    if not path.is_absolute() or not path.is_dir():
        raise ValueError("it has to be the absolute path of a folder that exists")
    return path


def _accelerators(gpus: tuple[str, ...]) -> tuple[str, ...]:
    for gpu in gpus:
        accelerator_of(gpu)
    return gpus


class OnpremSettings(WorkerSettings):
    """Settings of one root folder and the machine it lies on."""

    root: Annotated[Path, AfterValidator(_existing)] = Field(validation_alias="CAUSEWAY_ONPREM_ROOT")
    """The folder that `file:///` means; nothing outside is ever read or written."""
    path: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        (), validation_alias="CAUSEWAY_ONPREM_PATH"
    )
    """Folders put before the PATH of jobs; the first that holds `python` decides which one they run."""

    region: str = Field("", validation_alias="CAUSEWAY_ONPREM_REGION", pattern=r"^[a-z0-9-]*$")
    """What a policy calls the place that the root lies in, such as `eu-frankfurt`."""
    cpus: int | None = Field(None, validation_alias="CAUSEWAY_ONPREM_CPUS", ge=1)
    """CPUs that a job may ask for; as many as the worker may use."""
    memory: Size | None = Field(None, validation_alias="CAUSEWAY_ONPREM_MEMORY")
    """Memory that a job may ask for; all that the machine has."""
    gpus: Annotated[CommaList, AfterValidator(_accelerators)] = Field(
        (), validation_alias="CAUSEWAY_ONPREM_GPUS"
    )
    """GPUs that a job may ask for, such as `A10:2,T4:1`; none."""
    disk: Size | None = Field(None, validation_alias="CAUSEWAY_ONPREM_DISK")
    """Disk that a job may ask for; what is free below the root."""
    price: Annotated[Amount, BeforeValidator(parse_amount)] | None = Field(
        None, validation_alias="CAUSEWAY_ONPREM_PRICE"
    )
    """What an hour of the machine counts as, such as `0.40 USD`; without it nobody knows, which is not `0 USD`."""

    @property
    def container_uri(self) -> str:
        """URI of the default container, a folder below the root."""
        return f"file:///{self.container}/"
