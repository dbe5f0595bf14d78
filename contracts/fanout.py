"""A stage that runs over many items as its workflow sees it, and how its outputs are put together."""

from enum import StrEnum

from pydantic import Field
from temporalio import activity

from contracts.approvals import Gate
from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.foreach import Item
from contracts.jobs import RunRef
from contracts.leaves import LeaveRef
from contracts.ledger import Spent
from contracts.model import Message
from contracts.packed import Packed
from contracts.plan import Placement
from contracts.prices import QueryPrice
from contracts.results import FanoutStatus
from contracts.runs import Pause, StageError
from contracts.spec import PipelineSpec
from contracts.stage_records import Elsewhere, StageJob

FANOUT_WORKFLOW = "foreach"


class Sum(Message):
    """What a metric comes to over the items so far."""

    count: int = 0
    total: float = 0.0
    smallest: float = 0.0
    largest: float = 0.0

    def plus(self, value: float) -> "Sum":
        """Count another value."""
        if not self.count:
            return Sum(count=1, total=value, smallest=value, largest=value)
        return Sum(
            count=self.count + 1,
            total=self.total + value,
            smallest=min(self.smallest, value),
            largest=max(self.largest, value),
        )


class FanoutProgress(Message):
    """What a fan-out carries from one execution to the next when its history is cut: nothing is in flight then."""

    items: Packed[Item]
    next: int
    """The item that comes next."""
    status: FanoutStatus
    sums: dict[str, Sum] = Field(default_factory=dict)
    tables: int = 0
    """Parts of the metrics table that are written."""
    paused_seconds: float = 0.0
    pause: Pause | None = None
    generations: dict[int, int] = Field(default_factory=dict)
    """Of items that have ended: how many jobs each had, where that is not one."""
    job_seconds: float | None = 0.0
    """What jobs that have ended took; None once one did not say."""
    news_seconds: float = 1.0
    """Between two words to the run, which come ever more rarely."""
    spent: Packed[Spent] = ()
    """What the items that have ended cost."""
    short: tuple[int, ...] = ()
    """Items that found no machine at first, and come again."""
    has_machines: bool = False
    """Whether an item was seen with a machine."""


class FanoutRequest(Message):
    """Starts the workflow `foreach`, a child of a run."""

    run: RunRef
    stage: str
    spec: PipelineSpec
    """With this stage alone, and the params."""
    metrics: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Of the stages that the command names."""
    answers: dict[str, Gate] = Field(default_factory=dict)
    """Of the stages that ask a person and that the command names."""
    placement: Placement
    inputs: dict[str, Artifact]
    code: CodeRef | None
    round: int = 1
    """How often the stage is tried; a job that a round before this one left is adopted, never started again."""
    wanted: tuple[str, ...] = ()
    """What picks judge the items by."""
    query_price: QueryPrice | None = None
    """Of the query that tells the items, where that is known."""
    pause: Pause | None = None
    moves: bool = False
    """Whether the stage may go on at another place, as long as no item has found a machine at this one."""
    elsewhere: Elsewhere = Elsewhere()
    """What it had at places before this one."""
    items: Packed[Item] = ()
    """What a query told at a place before this one: it is not asked twice."""
    progress: FanoutProgress | None = None


class FanoutResult(Message):
    """What the items came to, and why that is not enough if it is not."""

    status: FanoutStatus
    outputs: dict[str, Artifact] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    error: StageError | None = None
    job_seconds: float | None = None
    """What all jobs took, as their vendors bill or as long as they ran; None where one did not say."""
    generations: int = 0
    """Of the item that had most, where the place has no machine for any item and all of them may go on elsewhere; else 0."""
    items: Packed[Item] = ()
    """Then: what its query told."""


class FanoutNews(Message):
    """What a fan-out tells its run now and then."""

    stage: str
    status: FanoutStatus


class ItemPhase(StrEnum):
    """Where one item stands."""

    TO_COME = "TO_COME"
    RUNNING = "RUNNING"
    ENDED = "ENDED"


class ItemRequest(Message):
    """Asks a fan-out for one item."""

    index: int


class ItemState(Message):
    """One item as its fan-out knows it."""

    phase: ItemPhase
    generations: int = 0
    """Of its job, that were begun; 0 where none was, or nobody knows any more."""
    job: StageJob | None = None
    """While it runs: the job it has."""


class GatherPart(Message):
    """A folder to copy below another, both of this connection."""

    source: str
    target: str


class GatherRequest(Message):
    """Folders to put together, texts to write, and folders to describe then."""

    parts: Packed[GatherPart] = ()
    files: dict[str, str] = Field(default_factory=dict)
    """Text by URI; whatever lay there is replaced."""
    describe: dict[str, str] = Field(default_factory=dict)
    """Prefixes by name."""
    owner: str
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class Gathered(Message):
    """The folders that were described, by name."""

    artifacts: dict[str, Artifact] = Field(default_factory=dict)


class EnumerateRequest(Message):
    """A folder whose objects are wanted one by one."""

    prefix: str
    limit: int


class ObjectItems(Message):
    """Each object as an artifact of its own, by name."""

    objects: Packed[Artifact]


class GatherActivities:
    """What every cloud's worker can do for a stage that runs over many items."""

    @activity.defn(name="storage.gather")
    def gather(self, request: GatherRequest) -> Gathered:
        """Copy each object of each part below its target within the store, write the texts, describe the folders.

        Safe to run twice. Heartbeats while it works. Final: `SOURCE_MISSING` (a folder to describe holds nothing),
        `SOURCE_CHANGED`, `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.enumerate")
    def enumerate(self, request: EnumerateRequest) -> ObjectItems:
        """Return every object of a folder, in the order of their names; one whose SHA-256 nobody recorded is read.

        Safe to run twice. Heartbeats while it reads. Final: `SOURCE_MISSING` (it holds nothing), `INVALID_REQUEST` (it
        holds more than the limit), `ACCESS_DENIED`.
        """
        raise NotImplementedError
