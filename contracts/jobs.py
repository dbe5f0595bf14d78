"""Remote computations as the workflows see them. No cloud lives here."""

import hashlib
import json
import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.errors import ErrorKind
from contracts.leaves import LeaveRef
from contracts.machines import Machine, Resources
from contracts.marks import path_of
from contracts.model import Message
from contracts.units import Duration

JobKind = Literal["process", "train", "predict", "batch_predict", "deploy"]
"""What is asked for: a command to run, or a server; of the latter `batch_predict` is for a batch of rows and `deploy` for
an endpoint (`contracts.endpoints`)."""
LOG_TAIL_LINES = 20
KEPT_TAG = "causeway-kept"
"""On an endpoint that shall stay, once it answers: until then it is its run's own, and an orphan when that run is dead."""


class JobPhase(StrEnum):
    """Where a job stands. Only the last three kinds of end are ends; `UNKNOWN` is not failed."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    UNKNOWN = "UNKNOWN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended for good, as its control plane says."""
        return self in {JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.STOPPED}


class PathRef(Message):
    """A path that only the cloud's adapter knows: where an input or an output lies on the job's machine."""

    role: Literal["inputs", "outputs"]
    name: str


Argument = tuple[str | PathRef, ...]
"""One argument of a command, as pieces to be joined once paths are known."""


class RunRef(Message):
    """Which run something belongs to; written on jobs and uploads as tags."""

    pipeline: str
    key: str
    run_uid: str
    """Hex, 32 characters; never Temporal's run id."""


class BatchOptions(Message):
    """What a batch does with the server that the command starts: the vendor's service for it or, where none suits, our driver."""

    data: str
    """The input that holds the rows; every other one is the server's."""
    format: Literal["csv", "jsonl"] = "csv"
    batch_size: int = Field(default=64, ge=1)
    """Rows in one request to the server, as far as the vendor lets it be chosen."""
    max_parallel: int = Field(default=1, ge=1)


class JobRequest(Message):
    """A job to have exactly once."""

    run: RunRef
    stage: str
    generation: int = Field(ge=1)
    kind: JobKind
    command: tuple[Argument, ...]
    """Arguments, not a shell line: nothing in them is interpreted."""
    code: CodeRef | None = None
    """Files that the command finds in its working directory."""
    inputs: dict[str, Artifact] = Field(default_factory=dict)
    """All of them already lie in this connection's store."""
    outputs: dict[str, str] = Field(default_factory=dict)
    """Name to the URI prefix (ending in `/`) that is wanted; `collect` says where it really came to lie."""
    image: str | None = None
    env: dict[str, str] = Field(default_factory=dict)
    resources: Resources = Resources()
    machine: Machine | None = None
    """What the plan chose for it; without one the worker chooses."""
    timeout: Duration = timedelta(minutes=30)
    """Queue and run together, enforced by the vendor as far as it can."""
    batch: BatchOptions | None = None
    """Of the kind `batch_predict` only."""
    kept: bool = False
    """Of the kind `deploy`: once it answers it stays when its run has ended, and no sweep takes it for an orphan."""
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""

    @property
    def digest(self) -> str:
        """Identity of what is asked for, whatever the generation, its machine and where its outputs come to lie.

        Defaults are left out: a field that a later version adds must not give a job that lives already another name. For
        the same reason a default never changes.
        """
        beside = {"generation", "outputs", "machine", "leave"}
        asked = self.model_dump(mode="json", exclude=beside, exclude_defaults=True)
        asked["outputs"] = sorted(self.outputs)
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    @property
    def name(self) -> str:
        """The job's key: deterministic, at most 63 characters of `[a-z0-9-]`, as SageMaker's TrainingJobName allows."""
        stage = re.sub(r"[^a-z0-9]+", "-", self.stage).strip("-")
        return f"cw-{stage}-{self.run.run_uid[:12]}-{self.digest[:8]}-g{self.generation}"

    @property
    def left_below(self) -> str:
        """The path in the default container below which what its job leaves may lie: it says the outputs' classes."""
        return path_of(self.run.run_uid, self.stage, self.outputs.values())

    @property
    def kept_below(self) -> str:
        """The path in the default container below which what its job is given or keeps may lie: it says all classes."""
        inputs = (artifact.uri for artifact in self.inputs.values())
        return path_of(self.run.run_uid, self.stage, (*inputs, *self.outputs.values()))

    @property
    def tags(self) -> dict[str, str]:
        """What the job carries so that it is found again; values suit AWS tags, Azure tags and GCP labels."""
        return {
            "causeway-key": self.name,
            "causeway-digest": self.digest[:32],
            "causeway-run": self.run.run_uid,
            "causeway-stage": self.stage,
            "causeway-pipeline": self.run.pipeline,
            "causeway-generation": str(self.generation),
        }


class JobRef(Message):
    """A job that exists."""

    id: str
    """The vendor's identifier."""
    name: str
    generation: int
    kind: JobKind = "train"
    console: str | None = None
    """A page a person can open."""
    adopted: bool = False
    """True when the job was found, not created, by the call that returned this."""


class JobState(Message):
    """A job as its control plane last described it."""

    ref: JobRef
    phase: JobPhase
    message: str = ""
    """The vendor's words."""
    reason: ErrorKind | None = None
    """Why it failed or stopped, once it has."""
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_seen: datetime | None = None
    """When the control plane last answered."""
    billed_seconds: float | None = None

    @property
    def queued_seconds(self) -> float | None:
        """How long it waited for its machine, until now if it still does; None while its control plane does not say."""
        until = self.started_at or self.ended_at
        if until is None and self.phase is JobPhase.QUEUED:
            until = self.last_seen
        return _between(self.submitted_at, until)

    @property
    def run_seconds(self) -> float | None:
        """How long it had its machine, until it was last seen if it still has; None for one that never began."""
        return _between(self.started_at, self.ended_at or self.last_seen)


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    # Two clocks of one vendor may disagree by a moment; nothing takes less than no time.
    return max(0.0, (end - begin).total_seconds()) if begin and end else None


class WaitRequest(Message):
    """Wait until the job's phase is another than the one already seen."""

    ref: JobRef
    seen: JobPhase | None = None


class CollectRequest(Message):
    """A job that succeeded, and what it was asked to leave."""

    ref: JobRef
    request: JobRequest
    log_lines: int = Field(default=0, ge=0, le=1000)
    """How many of the last lines of its log are wanted along with the outputs."""


class JobOutputs(Message):
    """What a job left."""

    artifacts: dict[str, Artifact]
    metrics: dict[str, float] = Field(default_factory=dict)
    """From `metrics.json` in the output named `metrics`: flat numbers."""
    log_tail: tuple[str, ...] = ()
    """As many of the last lines of its log as were asked for; empty where the log cannot be read."""
    billed_seconds: float | None = None
    """As the vendor tells once the job has ended; None where it does not."""


LOG_BEGINNING = ""
"""The token after which a log begins."""


class LogRequest(Message):
    """Lines of a job's log: the last `tail`, or what comes after a token."""

    ref: JobRef
    tail: int = LOG_TAIL_LINES
    after: str | None = None
    patience_seconds: float = Field(default=0, ge=0, le=30)
    """How long to wait for lines while there are none and the job goes on."""


class LogPage(Message):
    """Log lines, oldest first."""

    lines: tuple[str, ...]
    next_after: str | None = None
    ended: bool = False
    """Told only to who waits: the job has ended, and these were its last lines."""


class FindRequest(Message):
    """All jobs of a run, or of one of its stages, found by their tags."""

    run_uid: str
    stage: str | None = None


class JobList(Message):
    """Jobs as their control plane describes them."""

    jobs: tuple[JobState, ...]
