"""The plan of a run: where each stage runs, where each artifact lies, which transfers that takes."""

from datetime import datetime
from typing import Literal

from pydantic import Field
from temporalio import activity

from contracts.candidates import Candidate, Standing
from contracts.connections import ConnectionReport
from contracts.grants import IfExists
from contracts.jobs import RunRef
from contracts.ledger import MonthState
from contracts.limits import Caps, Limits
from contracts.machines import Machine
from contracts.model import Message
from contracts.observed import Observed
from contracts.policy import Violation
from contracts.prices import EgressPrice, QueryPrice
from contracts.queues import Cloud, cloud_of
from contracts.quotes import Quote
from contracts.spec import PipelineSpec
from contracts.spending import Allowance

TransferMethod = Literal["local", "pull", "push"]
"""`local`: within a connection. `pull`: the destination reads through grants. `push`: the source writes through them."""


class TransferPlan(Message):
    """One movement of an artifact to a connection."""

    artifact: str
    """`stage.output`, or of a copy stage the name of the stage's own output."""
    source: str
    """Connection that holds it."""
    destination: str
    method: TransferMethod
    target: str
    """URI where it comes to lie: an object, or a prefix that ends in `/`."""
    if_exists: IfExists = "skip"
    server_side: bool = False
    """Whether the destination's store may fetch by itself; see `contracts.storage.CopyRequest`."""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limits: Limits = Limits()
    caps: Caps = Caps()
    price: EgressPrice | None = None


class Placement(Message):
    """Where a stage runs and what it needs there."""

    connection: str
    prefix: str
    """URI below which the stage's own outputs lie; it ends in `/`."""
    needs: tuple[str, ...]
    """Stages that must have ended first."""
    inputs: dict[str, str]
    """Input name to `stage.output`."""
    transfers: tuple[str, ...] = ()
    """Keys into the plan's transfers: what must be brought here first."""
    machine: Machine | None = None
    """Of a job stage: what its connection chose for it, and why."""
    revision: int = 0
    """Of a stage that a retry changed: which of its revisions this is for."""
    candidates: tuple[Candidate, ...] = ()
    """Of a stage that might run in several places: all of them, weighed, in the order they were written in."""
    classes: tuple[str, ...] = ()
    """Classes of the policy that hold for what the stage leaves, its inputs' among them."""


class Plan(Message):
    """The whole plan; it is history and is never made again in a replay."""

    order: tuple[str, ...]
    placements: dict[str, Placement]
    transfers: dict[str, TransferPlan]
    """By `stage.output-to-connection`."""
    observed: Observed = Observed()
    """What is told to others while the run goes on."""
    weighed: str = ""
    """How its places were chosen, in a sentence for people; empty where there was nothing to choose."""
    queries: dict[str, QueryPrice] = Field(default_factory=dict)
    """What reading tables costs, by connection, where that is known."""
    quote: Quote | None = None
    """What it is expected to cost; None in plans of before there were quotes."""
    violations: tuple[Violation, ...] = ()
    """Rules of the policy that it breaks unless somebody waives them; a run does not begin over one that nobody may."""
    allowance: Allowance | None = None
    """What the run may spend and send before it asks; None where nothing bounds it."""
    bounded: bool = False
    """Whether the workers' policy limits what may be sent or cost, so that sources have to be weighed."""


class PlanRequest(Message):
    """What a plan is made from."""

    run: RunRef
    spec: PipelineSpec
    connections: dict[str, ConnectionReport]
    refused: dict[str, str] = Field(default_factory=dict)
    """Connections that only might be used and did not answer as they should, with the reason."""
    sizes: dict[str, int] = Field(default_factory=dict)
    """What is known to weigh how much, in bytes: `stage.output` of what there is already, URIs of sources."""
    at_least: tuple[str, ...] = ()
    """Of `sizes` those that were not counted to their end."""
    standing: Standing = Standing()
    """What is settled, when a plan is made again during a run."""
    month: MonthState | None = None
    """What the month has come to; None where no ledger answered."""


class PlanActivities:
    """Planning needs no cloud: it is code over data."""

    @activity.defn(name="plan.make")
    def make(self, request: PlanRequest) -> Plan:
        """Place every stage and list the transfers. Same request, same plan. Safe to run twice.

        Final: `INVALID_REQUEST` (the spec has mistakes), `UNSUPPORTED` (no way from one connection to another).
        """
        raise NotImplementedError


class QueuesRequest(Message):
    """Task queues on which activities have been waiting for a while."""

    queues: tuple[str, ...]


class QueueReport(Message):
    """Who serves a task queue now."""

    queue: str
    polled_at: datetime | None
    """When a worker last asked for work; None if none has for minutes."""
    waiting: int
    """Tasks that wait, about."""
    oldest_seconds: float
    """How long the oldest of them has waited."""
    absent: bool
    """No worker has asked for work since the oldest task came, or at all."""


class QueueReports(Message):
    """One report for each queue asked about."""

    reports: tuple[QueueReport, ...]
    observed: Observed = Observed()
    """Who else wants to know that a worker is missing: a run that waits for its preflight has no plan yet to say so."""


class QueueActivities:
    """What Temporal says of task queues."""

    @activity.defn(name="queues.describe")
    async def describe(self, request: QueuesRequest) -> QueueReports:
        """Say for each queue whether a worker serves it. Safe to run twice. Nothing is final."""
        raise NotImplementedError


def server_side_between(source: str, destination: str, method: TransferMethod) -> bool:
    """Whether the destination's store can read the source's by itself: Azure reads signed URLs of S3 and Cloud Storage.

    Only what can be pulled can be read from outside.
    """
    return (
        method == "pull"
        and cloud_of(destination) is Cloud.AZURE
        and cloud_of(source) in {Cloud.AWS, Cloud.GCP}
    )


def transfer_key(artifact: str, destination: str) -> str:
    """The name of a transfer within a run, and the end of its workflow id."""
    return f"{artifact}-to-{destination.replace('/', '.')}"


def picked_key(artifact: str, producer: str, destination: str) -> str:
    """The name of the transfer of a pick's output, should it be the one that this stage left."""
    return transfer_key(f"{artifact}-from-{producer}", destination)


def prefix_of(report: ConnectionReport, run: RunRef, *parts: str) -> str:
    """The URI prefix of something a run leaves on a connection; it ends in `/`."""
    return report.container + "/".join(("runs", run.run_uid, *parts)) + "/"
