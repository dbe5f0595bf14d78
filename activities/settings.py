"""What every worker that touches the world is told by its environment; each room's settings add to it."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from activities import catalogue, policies
from activities.grants import AllowList, HostRules
from contracts.artifacts import locate
from contracts.grants import GRANT_LIFE
from contracts.queues import DEFAULT_CONNECTION
from contracts.units import Duration

_CONTAINER = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names the variable and never shows a value."""


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(piece.strip() for piece in value.split(",") if piece.strip())


CommaList = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""A list that is written `a,b,c` in an environment variable."""


def _locatable(prefixes: tuple[str, ...]) -> tuple[str, ...]:
    for prefix in prefixes:
        locate(prefix)
    return prefixes


class WorkerSettings(BaseModel):
    """Frozen; a field's alias names its environment variable; one set to nothing counts as unset."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    connection: str = Field(
        DEFAULT_CONNECTION, validation_alias="CAUSEWAY_CONNECTION", pattern=r"^[a-z][a-z0-9-]{0,31}$"
    )
    """The name part of `cloud/name`."""
    container: str = Field(validation_alias="CAUSEWAY_CONTAINER", pattern=_CONTAINER)
    """Bare name of the default container."""
    grant_allow: Annotated[CommaList, AfterValidator(_locatable)] = Field(
        (), validation_alias="CAUSEWAY_GRANT_ALLOW"
    )
    """URI prefixes this worker mints grants for; nothing here means its own container."""
    grant_life: Duration = Field(GRANT_LIFE, validation_alias="CAUSEWAY_GRANT_LIFE")
    """What no grant of this worker outlives; at most 15 minutes."""
    store_hosts: CommaList = Field((), validation_alias="CAUSEWAY_STORE_HOSTS")
    """`host` or `host:port` that grants may point at, besides the vendors' public stores."""
    policy: Annotated[Path, AfterValidator(policies.checked)] | None = Field(
        None, validation_alias=policies.POLICY
    )
    """The policy file; see docs/policy.md. Without one nothing is forbidden."""
    image: str | None = Field(None, validation_alias="CAUSEWAY_IMAGE")
    """Container image of jobs that name none."""

    def allow_list(self, container_uri: str) -> AllowList:
        """Return what this worker mints grants for: what was said, or its own container."""
        return AllowList.of(self.grant_allow, container_uri, self.grant_life)

    def host_rules(self) -> HostRules:
        """Return where this worker follows grants to."""
        return HostRules(self.store_hosts)

    @classmethod
    def from_mapping(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            SettingsError: a variable is missing or malformed; all of them are named at once.
        """
        try:
            return cls.model_validate({name: value for name, value in environment.items() if value.strip()})
        except ValidationError as error:
            raise SettingsError("; ".join(_complaints(error))) from None

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings from this process's environment; see `from_mapping`."""
        return cls.from_mapping(os.environ)


def _catalogue(path: Path) -> Path:
    catalogue.read(path)
    return path


class CloudSettings(WorkerSettings):
    """What the worker of a cloud is told besides."""

    machines: Annotated[Path, AfterValidator(_catalogue)] | None = Field(
        None, validation_alias=catalogue.OVERRIDE
    )
    """A file of machines and prices of one's own, in the form of the room's `machines.yaml`."""

    private_store: bool = Field(False, validation_alias="CAUSEWAY_PRIVATE_STORE")
    """Whether nobody outside this worker's network reaches the store, as behind a private endpoint: it pushes then."""

    def allow_list(self, container_uri: str) -> AllowList:
        """Return what this worker mints grants for: no reads of a store that nobody could follow them to."""
        return replace(super().allow_list(container_uri), reads=not self.private_store)


def _complaints(error: ValidationError) -> list[str]:
    found = []
    for mistake in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in mistake["loc"]) or "settings"
        found.append(
            f"{name} is not set"
            if mistake["type"] == "missing"
            else f"{name} is wrong: {_said(mistake['msg'])}"
        )
    return found


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")
