"""What every stage of a run works with: the request, the plan, the book and the ways to touch the world."""

from dataclasses import dataclass, field
from datetime import timedelta

from contracts.code import CodeRef
from contracts.errors import NEW_GENERATION
from contracts.foreach import Item
from contracts.jobs import JobRef, JobState, RunRef
from contracts.plan import Placement, Plan
from contracts.runs import RunRequest
from contracts.stage_records import StageJob
from workflows.book import Book
from workflows.budget import Budget
from workflows.charging import Charging
from workflows.checkpoint import Checkpoint
from workflows.effects import Effects
from workflows.holds import Holds
from workflows.shipping import Shipping


@dataclass
class RunContext:
    """One run, as its stages see it."""

    request: RunRequest
    run: RunRef
    plan: Plan
    book: Book
    checkpoint: Checkpoint
    effects: Effects
    code: dict[tuple[str, str], CodeRef] = field(default_factory=dict)
    """What is published, by connection and digest."""
    shipping: Shipping | None = None
    """Keeps the logs of what ends; None for items, whose stage keeps its worker's lines."""
    charging: Charging | None = None
    """Has what is charged written down; without one nothing is."""
    holds: Holds | None = None
    """Where its steps wait for a person's yes; None for items, whose stage has waited for them."""
    budget: Budget | None = None
    """What its steps may spend; None for items, whose stage has asked for all of them."""
    places: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The stages whose places the plan chose, with the places that were written."""
    item: Item | None = None
    """What the command runs over, in a stage that runs over many items."""

    def count(self, job: StageJob | None) -> None:
        """Take down that a generation has ended; items add up how long their jobs ran."""

    def placement(self, stage: str) -> Placement:
        """Where a stage runs."""
        return self.plan.placements[stage]

    def shown_as(self, stage: str) -> str:
        """The stage that what a job costs belongs to."""
        return stage

    def charged_before(self, state: JobState) -> bool:
        """Whether the books of the run have a job already."""
        return False

    def timeout(self, stage: str) -> timedelta:
        """How long one generation of a stage may take."""
        return self.request.spec.timeout_of(stage)

    def retries(self, stage: str) -> int:
        """How many further generations a job may have."""
        return self.request.spec.retries_of(stage)

    def goes_elsewhere(self, job: JobRef | None, kind: str) -> bool:
        """Whether a job that has ended so is not tried again here, since all of its stage may go elsewhere."""
        return False

    def may_follow(self, job: JobRef | None, kind: str) -> bool:
        """Whether another generation may follow a job that has ended so; None for one whose submit never answered."""
        return kind in NEW_GENERATION
