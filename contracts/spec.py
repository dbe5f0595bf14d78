"""The pipeline as a person writes it. Every field is documented here; `starter schema` prints it for editors."""

import hashlib
import json
import math
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from contracts.artifacts import locate
from contracts.model import Declared
from contracts.money import Money
from contracts.policy import Tightening
from contracts.stage_base import PARAM_NAME, STAGE_NAME, OnFailure
from contracts.stages import Stage
from contracts.tables import Scalar
from contracts.units import Duration, Size

PIPELINE_NAME = r"^[a-z][a-z0-9-]{0,39}$"
WORKFLOW_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
KEY_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"
RESERVED_STAGES = frozenset({"params", "inputs", "outputs"})
STAGES_LIMIT = 200
StageName = Annotated[str, Field(pattern=STAGE_NAME)]
ParamName = Annotated[str, Field(pattern=PARAM_NAME)]
Choose = Literal["cheapest", "fastest", "near_data"]
"""By what the plan chooses among places: known cost, time to the end, or bytes that cross between connections."""


class Defaults(Declared):
    """What holds for every stage that does not say otherwise."""

    retries: int = Field(default=2, ge=0, le=20)
    """Further generations of a job after one that failed for certain."""
    timeout: Duration = timedelta(minutes=30)
    """Of one generation, queue and run together."""
    on_failure: OnFailure = "wait"
    """`wait`: a stage out of retries waits for a person. `fail`: the run fails."""
    slow_after: Duration | None = None
    """How long a stage usually takes at most; see the stage's own."""


class PipelineSpec(Declared):
    """A pipeline: what to do, where each stage may run, and what happens when it fails."""

    pipeline: str = Field(pattern=PIPELINE_NAME)
    """Its name, the first half of every run's name."""
    description: str = Field(default="", max_length=1000)
    """Shown in the Web UI and in reports."""
    workflow: str = Field(default="pipeline", pattern=WORKFLOW_NAME)
    """Who carries the run from stage to stage; a workflow of your own that the workflow worker knows, or `pipeline`."""
    params: dict[ParamName, Scalar] = Field(default_factory=dict)
    """Values that `--param` may change; a change takes the default's type."""
    defaults: Defaults = Defaults()
    """What holds for every stage that does not say otherwise."""
    choose: Choose = "cheapest"
    """By what places are chosen for stages that may run in several."""
    budget: Money | None = None
    """What a run may cost, such as `20 USD`: it waits for an approval before a step that could exceed it."""
    max_egress: Size | None = None
    """What a run may send out of clouds: it waits for an approval before a transfer that would exceed it."""
    policy: Tightening | None = None
    """Rules of its own, which hold besides those of the workers and can only tighten them."""
    logs_uri: str | None = None
    """Where the logs of each stage are kept when it ends, however it does: `s3://…`, `az://…`, `gs://…` or `file:///…`."""
    stages: dict[StageName, Stage] = Field(min_length=1, max_length=STAGES_LIMIT)
    """Names to stages; their order does not count, what they need of each other does."""

    @field_validator("pipeline")
    @classmethod
    def _unreserved(cls, value: str) -> str:
        if value == "copy":
            raise ValueError("a pipeline cannot be named copy: copies of their own are listed under it")
        return value

    @field_validator("logs_uri")
    @classmethod
    def _folder(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if locate(value).uri != value:
            raise ValueError(f"write {locate(value).uri}")
        return value if value.endswith("/") else f"{value}/"

    @field_validator("params")
    @classmethod
    def _finite(cls, value: dict[str, Scalar]) -> dict[str, Scalar]:
        for name, param in value.items():
            if isinstance(param, float) and not math.isfinite(param):
                raise ValueError(f"{name} is {param}; write a finite number")
        return value

    @property
    def digest(self) -> str:
        """Identity of the spec, params included: SHA-256 of its canonical JSON.

        Defaults are left out, so that a field which a later version adds makes no spec another one.
        """
        said = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        content = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    def timeout_of(self, stage: str) -> timedelta:
        """How long one generation of a stage may take."""
        return self.stages[stage].timeout or self.defaults.timeout

    def retries_of(self, stage: str) -> int:
        """How many further generations a stage may have."""
        own = self.stages[stage].retries
        return self.defaults.retries if own is None else own

    def slow_after_of(self, stage: str) -> timedelta | None:
        """After how long a stage is called slow; None where nobody said."""
        return self.stages[stage].slow_after or self.defaults.slow_after

    def on_failure_of(self, stage: str) -> OnFailure:
        """What happens when a stage is out of retries."""
        return self.stages[stage].on_failure or self.defaults.on_failure
