"""What worker and runner write down for each other, as JSON.

A job's runner imports this: standard library only, since a runner is started for each job and Temporal's and Pydantic's
imports take longer than a small job itself.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Literal, Self

Phase = Literal["RUNNING", "SUCCEEDED", "FAILED", "STOPPED"]


@dataclass(frozen=True)
class Note:
    """Something written down."""

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read what `written` gave, also by another version: fields that are not known here are left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(content).items() if name in known})

    def written(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True)
class Order(Note):
    """What the runner is to do."""

    name: str
    kind: str
    generation: int
    tags: dict[str, str]
    env: dict[str, str]
    """The whole environment of the command; nothing else is inherited."""
    limit_seconds: float
    outputs: dict[str, str]
    """Folder that the command fills, to the folder it becomes when the command succeeds."""


@dataclass(frozen=True)
class Status(Note):
    """How the job stands, as its runner wrote it."""

    phase: Phase
    runner: int
    runner_started: float
    """Creation time of the runner's process: a process id alone may have been given away again."""
    started_at: str
    """ISO 8601, UTC; so is `ended_at`."""
    command: int | None = None
    command_started: float | None = None
    reason: str | None = None
    """An `ErrorKind`."""
    message: str = ""
    ended_at: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the job has ended for good."""
        return self.phase != "RUNNING"
