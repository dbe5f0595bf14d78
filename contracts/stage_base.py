"""What kinds of stage have in common. Every field is documented here; `starter schema` prints it for editors."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from contracts.expressions import parse
from contracts.machines import Resources
from contracts.model import Declared
from contracts.placeholders import split_command
from contracts.queues import normalise
from contracts.units import Duration

STAGE_NAME = r"^[a-z][a-z0-9_]{0,31}$"
PARAM_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
OnFailure = Literal["wait", "fail", "skip"]
Connection = Annotated[
    str, Field(description="aws, azure, gcp or onprem, or one of its connections such as aws/eu")
]


class StageRules(Declared):
    """When a stage runs, and what happens when it fails."""

    after: tuple[str, ...] = ()
    """Stages that must have succeeded or been skipped first, besides those whose outputs are inputs."""
    when: str | None = None
    """A condition over params and metrics, such as `train.metrics.auc > params.floor`; if it is false, the stage is skipped."""
    retries: int | None = Field(default=None, ge=0, le=20)
    """Further generations of a job after one that failed for certain; by default that of `defaults`."""
    timeout: Duration | None = None
    """Of one generation, queue and run together; by default that of `defaults`."""
    on_failure: OnFailure | None = None
    """What happens once it is out of retries; by default that of `defaults`."""
    slow_after: Duration | None = None
    """How long the stage usually takes at most: once it has run longer, whoever wants alerts is told; nothing else happens."""

    @field_validator("when")
    @classmethod
    def _when(cls, value: str | None) -> str | None:
        return value if value is None else parse(value).text


class StageBase(StageRules):
    """What every stage has that runs somewhere."""

    on: Connection
    """Where the stage runs."""

    @field_validator("on")
    @classmethod
    def _connection(cls, value: str) -> str:
        return normalise(value)


class CommandStage(StageBase):
    """What every stage has that runs a command of its author's on a cloud."""

    inputs: dict[str, str] = Field(default_factory=dict)
    """Name to an output of another stage: `train.model`, or just `ingest` when it has one output."""
    code: str | None = None
    """A folder beside the pipeline's file; the command finds its files in the working directory."""
    command: str
    """Split as a shell would, then filled in, argument by argument; no shell runs."""
    resources: Resources = Resources()
    """What its machine must have."""
    image: str | None = None
    """The container image; needed outside the sandbox unless the worker has a default."""
    env: dict[Annotated[str, Field(pattern=PARAM_NAME)], str] = Field(default_factory=dict)
    """Variables that the command finds in its environment; no secrets, they stand in history."""

    @field_validator("command")
    @classmethod
    def _command(cls, value: str) -> str:
        split_command(value)
        return value
