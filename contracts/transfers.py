"""A transfer as its workflow sees it: what to bring where, within which bounds, and how it goes."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from contracts.artifacts import ArtifactKind
from contracts.copies import Tally
from contracts.grants import IfExists
from contracts.jobs import RunRef
from contracts.leaves import LeaveRef
from contracts.limits import Caps, Limits
from contracts.model import Message
from contracts.plan import TransferMethod
from contracts.prices import EgressPrice
from contracts.runs import Pause, TransferResult
from contracts.units import Duration

LIMITS_UPDATE = "set_limits"


class TransferProgress(Message):
    """What a transfer carries from one execution to the next when its history is cut: always between two batches."""

    after: str | None
    """The page of the listing that holds what comes next."""
    next_uri: str | None
    """The object of that page that comes next; None for the first."""
    tally: Tally
    began: datetime
    paused_seconds: float
    pause: Pause | None
    limits: Limits
    price: EgressPrice | None


class TransferRequest(Message):
    """Starts the workflow `transfer`, as a child of a run or on its own."""

    run: RunRef
    key: str
    """Unique within the run."""
    artifact: str
    source: str
    """Connection that holds the data."""
    source_uri: str
    kind: ArtifactKind
    destination: str
    target: str
    method: TransferMethod
    server_side: bool = False
    """Whether the destination's store may fetch by itself, where both stores have a checksum in common."""
    if_exists: IfExists = "skip"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    """Globs of names below the source; see `contracts.storage.ListRequest`."""
    expected_digest: str | None = None
    """Of the artifact, where it is known before."""
    create_container: bool = False
    dry_run: bool = False
    """List and count, and move nothing."""
    limits: Limits = Limits()
    caps: Caps = Caps()
    price: EgressPrice | None = None
    timeout: Duration = timedelta(minutes=30)
    """How long an absent worker is waited for."""
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids; None for a transfer that belongs to no run."""
    progress: TransferProgress | None = None

    @property
    def owner(self) -> str:
        """What objects written by this transfer are marked with."""
        return f"{self.run.run_uid}/{self.key}"


TransferPhase = Literal["RUNNING", "PAUSING", "PAUSED", "SUCCEEDED"]


class TransferStatus(Message):
    """What the query `status` of a transfer answers."""

    artifact: str
    phase: TransferPhase
    listed: bool = False
    """Whether the totals are final."""
    objects_total: int = 0
    objects_done: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    """Without what is in flight; heartbeats of the transfer's activities tell of that."""
    tally: Tally = Tally()
    seconds: float = 0.0
    """Without pauses."""
    mb_per_s: float | None = None
    eta_seconds: float | None = None
    cost: Decimal | None = None
    currency: str = ""
    limits: Limits = Limits()
    pause: Pause | None = None


class TransferOutcome(Message):
    """How a transfer on its own ended, kept in its memo."""

    status: TransferStatus
    result: TransferResult | None = None
    """None unless it succeeded."""


class Drained(Message):
    """A transfer's word to its run: whether nothing of it is in flight while the run is paused."""

    key: str
    drained: bool
