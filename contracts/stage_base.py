"""What kinds of stage have in common. Every field is documented here; `starter schema` prints it for editors."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator

from contracts.expressions import parse
from contracts.machines import Resources
from contracts.model import Declared
from contracts.placeholders import split_command
from contracts.queues import DEFAULT_CONNECTION, normalise
from contracts.units import Duration, Size

STAGE_NAME = r"^[a-z][a-z0-9_]{0,31}$"
PARAM_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
OnFailure = Literal["wait", "fail", "skip"]
Connection = Annotated[
    str, Field(description="aws, azure, gcp or onprem, or one of its connections such as aws/eu")
]
ANY = "any"
"""Written for `on`: every connection that there is."""
LARGEST = 10**18
"""Bytes that a stage may be expected to leave."""
DATA_CLASS = r"^[a-z][a-z0-9-]{0,31}$"


def _places(value: Any) -> tuple[str, ...]:
    """Read `aws`, `[aws, gcp/eu]` or `any` as connections.

    Raises:
        ValueError: it names none, one twice, or something that is no connection.
    """
    if value == ANY or value == (ANY,) or value == [ANY]:
        return (ANY,)
    if not isinstance(value, str | list | tuple) or not value:
        raise ValueError("write a connection such as aws, several as [aws, gcp/eu], or any")
    found = tuple(normalise(str(item)) for item in ([value] if isinstance(value, str) else value))
    twice = next((item for item in found if found.count(item) > 1), None)
    if twice:
        raise ValueError(f"{twice!r} is named twice")
    return found


def _written(value: tuple[str, ...]) -> Any:
    return value[0] if len(value) == 1 else list(value)


Places = Annotated[
    tuple[str, ...],
    BeforeValidator(_places),
    PlainSerializer(_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "description": "a connection such as aws or aws/eu, or any"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
            ]
        }
    ),
]
"""Where a stage may run: one connection, several, or `any`."""


class Expect(Declared):
    """What the author expects of a stage; places are weighed and quotes are made by it. It bounds nothing."""

    duration: Duration | dict[Connection, Duration] | None = None
    """How long one generation of its job runs, or how long on each connection."""
    output_size: Size | None = None
    """What its outputs weigh together."""
    scanned: Size | None = None
    """What a query reads of its tables, which is what it is billed by."""

    @field_validator("output_size")
    @classmethod
    def _possible(cls, value: int | None) -> int | None:
        if value is not None and value > LARGEST:
            raise ValueError("more than an exabyte is no expectation of one stage; check the unit")
        return value

    @field_validator("duration")
    @classmethod
    def _by_connection(cls, value: Any) -> Any:
        return {normalise(name): one for name, one in value.items()} if isinstance(value, Mapping) else value


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
    data_class: str | None = Field(default=None, pattern=DATA_CLASS)
    """A class of the policy that holds for what the stage leaves, besides those of its inputs."""
    declassify: str | None = Field(default=None, pattern=STAGE_NAME)
    """The `approve` stage whose yes takes the classes of its inputs off what it leaves; `data_class` says what it is then."""

    @field_validator("when")
    @classmethod
    def _when(cls, value: str | None) -> str | None:
        return value if value is None else parse(value).text


class StageBase(StageRules):
    """What every stage has that runs somewhere."""

    places: Places = Field(alias="on")
    """Where the stage runs: a connection, or several or `any` of which the plan chooses one."""
    expect: Expect = Expect()
    """What it is expected to take and to leave, for the choice of a place and for the quote."""

    @property
    def on(self) -> str:
        """The connection it runs on; empty as long as there are several to choose from."""
        return "" if self.is_open else self.places[0]

    @property
    def is_open(self) -> bool:
        """Whether the plan chooses where it runs."""
        return len(self.places) > 1 or self.places == (ANY,)

    @property
    def where(self) -> str:
        """Where it runs, or may run, as a person says it: `aws`, `aws or gcp/eu`, `any`."""
        return where(self.places)

    def placed(self, connection: str) -> Self:
        """The same stage, on this connection."""
        return self.at(connection)

    def at(self, *places: str) -> Self:
        """The same stage, for these places to choose from."""
        return self.model_copy(update={"places": places})


def where(places: tuple[str, ...]) -> str:
    """Connections as a person says that one of them it is; of more than three only how many."""
    if len(places) > 3:
        return f"one of {len(places)}"
    return " or ".join(place.removesuffix(f"/{DEFAULT_CONNECTION}") for place in places)


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
