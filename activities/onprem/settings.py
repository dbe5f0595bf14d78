"""What the on-prem worker is told by its environment."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from activities.settings import WorkerSettings


def _split(value: object) -> object:
    return tuple(piece for piece in value.split(":") if piece) if isinstance(value, str) else value


def _existing(path: Path) -> Path:
    if not path.is_absolute() or not path.is_dir():
        raise ValueError("it has to be the absolute path of a folder that exists")
    return path


class OnpremSettings(WorkerSettings):
    """Settings of one root folder and the machine it lies on."""

    root: Annotated[Path, AfterValidator(_existing)] = Field(validation_alias="CAUSEWAY_ONPREM_ROOT")
    """The folder that `file:///` means; nothing outside is ever read or written."""
    path: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        (), validation_alias="CAUSEWAY_ONPREM_PATH"
    )
    """Folders put before the PATH of jobs; the first that holds `python` decides which one they run."""

    @property
    def container_uri(self) -> str:
        """URI of the default container, a folder below the root."""
        return f"file:///{self.container}/"
