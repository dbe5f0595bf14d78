"""A run as people see it: what starts it, how it stands, what it came to. Temporal's names for it live here too."""

import hashlib
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from temporalio.common import SearchAttributeKey

from contracts.alerts import AlertProgress
from contracts.approvals import Gate
from contracts.artifacts import Artifact
from contracts.candidates import Candidate
from contracts.code import CodeBundle
from contracts.copies import Tally
from contracts.decisions import Decided
from contracts.errors import printable
from contracts.jobs import RunRef
from contracts.ledger import Spent
from contracts.lineage import LineageProgress
from contracts.model import Message
from contracts.packed import Packed
from contracts.plan import Plan
from contracts.quotes import Quote
from contracts.results import Choice, FanoutStatus
from contracts.spec import PipelineSpec
from contracts.spending import Spending
from contracts.stage_base import where
from contracts.stage_records import Elsewhere, StageEndpoint, StageJob
from contracts.tables import Scalar

PIPELINE_WORKFLOW = "pipeline"
TRANSFER_WORKFLOW = "transfer"
JOB_LOGS_WORKFLOW = "job_logs"
SWEEP_WORKFLOW = "sweep"
CHECK_WORKFLOW = "check"
PLAN_WORKFLOW = "plan"

PIPELINE_KEY = SearchAttributeKey.for_keyword("CausewayPipeline")
STATE_KEY = SearchAttributeKey.for_keyword("CausewayState")
WAITING_KEY = SearchAttributeKey.for_keyword("CausewayWaitingFor")
CLOUDS_KEY = SearchAttributeKey.for_keyword_list("CausewayClouds")
RUN_UID_KEY = SearchAttributeKey.for_keyword("CausewayRunUid")
"""The mark of a run on jobs and uploads: by it a sweep asks whether anybody owns them."""
SEARCH_ATTRIBUTES = (PIPELINE_KEY, STATE_KEY, WAITING_KEY, CLOUDS_KEY, RUN_UID_KEY)
DIGEST_MEMO = "causeway_digest"
"""Memo of the digest of spec and code, so that the same key with another spec is refused without asking a worker."""

STATE_MEMO = "causeway_state"
"""Memo of the live state in brief: phases of the run and its stages, and its pause."""
STATUS_MEMO = "causeway_status"
"""Memo of the whole status, written once when the run has ended."""
TRANSFER_MEMO = "causeway_transfer"
"""Memo of how a transfer on its own ended."""


class RunPhase(StrEnum):
    """Where a run stands."""

    RUNNING = "RUNNING"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in {RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.CANCELLED}


class StagePhase(StrEnum):
    """Where a stage stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether the stage is over."""
        return self not in {StagePhase.PENDING, StagePhase.RUNNING, StagePhase.WAITING}

    @property
    def opens(self) -> bool:
        """Whether the stages that need this one may start."""
        return self in {StagePhase.SUCCEEDED, StagePhase.SKIPPED}


class StageError(Message):
    """Why a stage does not go on."""

    kind: str
    message: Annotated[str, AfterValidator(printable)]
    hint: str


class StageStatus(Message):
    """One stage of a run, now."""

    name: str
    kind: str
    connection: str
    """Where it runs; empty for one that runs nowhere, or whose place the plan has yet to choose."""
    may_run_on: tuple[str, ...] = ()
    """The places of which the plan has yet to choose one."""
    phase: StagePhase = StagePhase.PENDING
    note: str = ""
    """What it does or waits for, in a few words."""
    attempts: int = 0
    """Generations begun."""
    tried: dict[str, str] = Field(default_factory=dict)
    """Connections it was moved away from, each with what they lacked."""
    elsewhere: Elsewhere = Elsewhere()
    """Of a stage over items that was moved: what came before."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    job: StageJob | None = None
    machine: str = ""
    """Of a job stage: which machine was chosen for it, why, and what it costs, in a sentence."""
    candidates: tuple[Candidate, ...] = ()
    """Of a stage that might have run in several places: all of them, with why one was chosen and the others lost."""
    outputs: dict[str, Artifact] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    rows: int | None = None
    shown: tuple[dict[str, Scalar | None], ...] = ()
    """The first rows of a query's answer."""
    choice: Choice | None = None
    """Of a pick, once it has picked."""
    fanout: FanoutStatus | None = None
    """Of a stage that runs over many items."""
    error: StageError | None = None
    history: tuple[str, ...] = ()
    """Why earlier generations ended, oldest first."""
    endpoint: StageEndpoint | None = None
    """Of a deploy that succeeded."""
    fingerprint: str = ""
    """What its result depends on, see `contracts.fingerprints`; empty where that is nothing to go by."""
    taken_from: str = ""
    """The run whose result this is, where it was not done again."""
    logs: tuple[str, ...] = ()
    """Where its logs were kept, by `logs_uri`: of each generation `job.log` and `worker.jsonl`."""
    gate: Gate | None = None
    """Of a stage that asks a person, once it has asked."""
    substitutes: dict[str, str] = Field(default_factory=dict)
    """Of a stage that is being skipped: URIs of what shall stand for its outputs, until they are looked at."""
    revision: int = 0
    """How often a retry changed what its machine must have, or what its items do."""

    @property
    def where(self) -> str:
        """Where it runs, or may run, as a person says it."""
        return where(self.may_run_on or (self.connection,))

    @property
    def asks(self) -> bool:
        """Whether it waits for a person's answer; otherwise it may wait for a decision on a failure."""
        return self.phase is StagePhase.WAITING and self.gate is not None and self.error is None


class TransferResult(Message):
    """What a transfer moved."""

    artifact: str
    source: str
    destination: str
    size_bytes: int
    """Really sent: without what lay there already."""
    objects: int
    seconds: float
    verified: str
    """The weakest way in which an object was verified."""
    result: Artifact
    tally: Tally = Tally()
    manifest: str | None = None
    """URI of the account of every object, for a folder."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    """Pauses lie between the two, and are no part of `seconds`."""
    cost: Decimal | None = None
    """Egress at the price book's rates; None where no price is known."""
    currency: str = ""
    price_as_of: date | None = None


class Pause(Message):
    """Who paused a run, why and until when."""

    reason: str = ""
    by: str = ""
    until: datetime | None = None
    since: datetime
    jobs: Literal["continue", "stop"] = "continue"
    """What becomes of remote jobs; those that are stopped begin again as a new generation after the resume."""


class RunStatus(Message):
    """Everything the query `status` answers, and the result of a run. Nothing here needs a live cloud."""

    run: RunRef
    description: str = ""
    phase: RunPhase = RunPhase.RUNNING
    started_at: datetime
    ended_at: datetime | None = None
    stages: dict[str, StageStatus]
    transfers: tuple[TransferResult, ...] = ()
    pause: Pause | None = None
    jobs_running: int = 0
    """Remote jobs that go on, also while paused."""
    notes: tuple[str, ...] = ()
    decisions: tuple[Decided, ...] = ()
    """What people decided, oldest first; of very many the latest."""
    scheduled_for: datetime | None = None
    """When it was due, where a schedule started it."""
    rerun_of: str = ""
    """The run it does again, in part or whole."""
    quote: Quote | None = None
    """What it was expected to cost when it was planned; None of runs of before there were quotes."""
    charges: Packed[Spent] = ()
    """What it has spent so far, as far as its jobs, transfers and queries have ended; the ledger has the same."""
    gate: Gate | None = None
    """What the run asked before its first stage, if it did."""
    spending: Spending | None = None
    """How it stands to its budget and its limits of egress; None where it has none."""

    @property
    def asking(self) -> dict[str, Gate]:
        """What waits for a person's answer, by stage; what the run itself asks goes by the empty name."""
        own = {"": self.gate} if self.gate and self.gate.is_open and not self.phase.ended else {}
        return own | {name: stage.gate for name, stage in self.stages.items() if stage.gate and stage.asks}

    @property
    def waiting_for(self) -> str:
        """What a person must do, in a few words; empty when nothing."""
        waiting = [stage for stage in self.stages.values() if stage.phase is StagePhase.WAITING]
        failed = ", ".join(stage.name for stage in waiting if not stage.asks)
        asking = ", ".join(stage.name for stage in waiting if stage.asks)
        own = "an answer before it begins" if "" in self.asking else ""
        said = (failed and f"a decision on {failed}", asking and f"an answer to {asking}", own)
        return "; ".join(filter(None, said))


class EarlierRun(Message):
    """A run whose results another may take over, stage by stage."""

    run_id: str
    stages: dict[str, StageStatus]
    """Those that succeeded and may be taken over, if they would do the same again."""
    transfers: tuple[TransferResult, ...] = ()


class RunProgress(Message):
    """What a run carries from one execution to the next when its history is cut."""

    status: RunStatus
    plan: Plan
    paused_seconds: float = 0.0
    unfinished: tuple[str, ...] = ()
    """Transfers that failed and may have left an unfinished upload, by key."""
    alerts: AlertProgress = AlertProgress()
    lineage: LineageProgress = LineageProgress()


class RunRequest(Message):
    """Starts a run."""

    spec: PipelineSpec
    key: str
    bundles: dict[str, CodeBundle] = Field(default_factory=dict)
    """By the `code:` folder as the spec names it."""
    create_containers: bool = False
    scheduled: bool = False
    """A schedule starts it: Temporal says the time in the workflow's id, which is the key then, and params may ask for it."""
    earlier: EarlierRun | None = None
    """What this run takes over where nothing has changed."""
    progress: RunProgress | None = None


def run_digest(spec: PipelineSpec, bundles: dict[str, CodeBundle]) -> str:
    """Identity of what a run does: the spec, its params and every file of its code."""
    code = "".join(f"{folder}\0{bundle.digest}\n" for folder, bundle in sorted(bundles.items()))
    return hashlib.sha256(f"{spec.digest}\n{code}".encode()).hexdigest()


def workflow_id(pipeline: str, key: str) -> str:
    """The identity of a run: Temporal's workflow id."""
    return f"{pipeline}/{key}"
