"""The ledger: what runs really cost, month by month, in a workflow that outlives them. Cost after.

A month is a month in UTC, as vendors bill; it is written `2026-11`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import Field
from temporalio import activity

from contracts.model import Message
from contracts.packed import Packed
from contracts.prices import EgressPrice
from contracts.queues import Cloud, cloud_of
from contracts.quotes import CostKind, Unit

LEDGER_WORKFLOW = "ledger"
POST_UPDATE, RESERVE_UPDATE, RELEASE_UPDATE = "post", "reserve", "release"
MONTH_QUERY, COSTS_QUERY = "month", "costs"
EGRESS = "egress"
"""The `sku` of bytes."""


class Charge(Message):
    """One thing that was paid for."""

    id: str
    """The same for the same thing, so that posting it twice counts once: `<run_uid>/<stage>/g1`."""
    run_id: str
    """`pipeline/key`."""
    pipeline: str
    stage: str
    """The stage, or the key of the transfer."""
    kind: CostKind
    connection: str
    """Whose cloud bills it."""
    destination: str = ""
    """Of a transfer: where the bytes went."""
    region: str = ""
    sku: str = ""
    """The vendor's name of what was used, such as ml.m5.large; `egress` for bytes."""
    quantity: Decimal
    """Seconds billed, seconds that an endpoint was there, or bytes really sent."""
    unit: Unit
    cost: Decimal | None = None
    """None where no price is known: unknown is never zero. The ledger reckons that of a transfer from `egress`."""
    currency: str = ""
    egress: EgressPrice | None = None
    """Of a transfer: the tiers by which the ledger prices its bytes, on top of what the month had sent before."""
    settles: str = ""
    """Of a transfer: the reservation that is used up by it."""
    price_source: str = ""
    """Who says the price, and as of when."""
    started_at: datetime
    ended_at: datetime

    @property
    def month(self) -> str:
        """The month that it is written down in: the one in which it ended."""
        return month_of(self.ended_at)


class Spent(Message):
    """What several charges came to that differ in nothing but quantity, cost and time."""

    run_id: str = ""
    """Empty where a month holds so many runs that the oldest of a pipeline were added up."""
    pipeline: str
    stage: str = ""
    kind: CostKind
    connection: str
    destination: str = ""
    region: str = ""
    sku: str = ""
    unit: Unit
    quantity: Decimal
    cost: Decimal | None = None
    """None where no price is known: those with and without a price are never added up."""
    currency: str = ""
    price_source: str = ""
    count: int = 1
    """Charges that it is the sum of."""
    started_at: datetime
    ended_at: datetime


class Known(Message):
    """What is known in one currency."""

    currency: str
    cost: Decimal


class PostRequest(Message):
    """Charges to write down; each goes into the month it ended in, in UTC."""

    charges: Packed[Charge]


class Entered(Message):
    """What the ledger made of one charge."""

    id: str
    cost: Decimal | None = None
    currency: str = ""
    new: bool = True
    """Whether this was the first time it was posted."""


class Posted(Message):
    """What the ledger made of them."""

    months: tuple[str, ...]
    """The months they went into, as `2026-11`."""
    entered: Packed[Entered] = ()
    """In the order of the charges."""


class MonthQuery(Message):
    """A month of the ledger, as `2026-11`; None is the one that it is now."""

    month: str | None = None


class Sent(Message):
    """Bytes that left a connection's cloud in a month, over all runs."""

    connection: str
    size_bytes: int
    reserved_bytes: int = 0
    """Of transfers that go on, and may still send them."""


class MonthState(Message):
    """What a month has come to so far, as far as a plan needs it."""

    month: str
    sent: tuple[Sent, ...] = ()
    totals: tuple[Known, ...] = ()
    """What is known of the costs, by currency."""
    unknown: int = 0
    """Charges whose cost nobody knows."""

    def before(self, connection: str) -> int:
        """Return how many bytes count as sent already when another transfer out of this connection begins."""
        return sum(one.size_bytes + one.reserved_bytes for one in self.sent if one.connection == connection)

    @property
    def egress_bytes(self) -> int:
        """Bytes that left clouds or may still leave them, over all connections."""
        return sum(one.size_bytes + one.reserved_bytes for one in self.sent)


class MonthCosts(Message):
    """What a month has come to, line by line."""

    month: str
    spent: Packed[Spent] = ()
    state: MonthState


class ReserveRequest(Message):
    """Bytes that a transfer may send; they count as sent for whoever begins after it."""

    id: str
    """`reservation_of`: the charge of the transfer settles it. Reserved again, the larger number of bytes holds."""
    run_uid: str
    """Once no such run lives any more, it is let go."""
    source: str
    destination: str
    size_bytes: int = Field(ge=0)
    limit_bytes: int | None = None
    """What may leave clouds in the month at most, over all runs; what would exceed it is not reserved."""
    month: str | None = None
    """None: the month that it is now."""


class Reserved(Message):
    """What the ledger answers."""

    granted: bool
    before_bytes: int
    """What had left the source's cloud in the month, or may still leave it, without this: its price begins there."""
    month: MonthState
    """With what was reserved."""


class ReleaseRequest(Message):
    """Reservations that nobody needs any more: of a run, or one of them."""

    run_uid: str
    id: str | None = None
    """None: all of the run."""
    month: str | None = None
    """None: the month that it is now, and the one before."""


class Released(Message):
    """What was let go."""

    size_bytes: int


class LedgerActivities:
    """The way from a run to the ledger; they need no cloud."""

    @activity.defn(name="ledger.post")
    async def post(self, request: PostRequest) -> Posted:
        """Write charges down, each once however often it is posted, and say what each costs.

        Safe to run twice. Heartbeats nothing, it takes less than a second. Nothing is final.
        """
        raise NotImplementedError

    @activity.defn(name="ledger.month")
    async def month(self, query: MonthQuery) -> MonthState:
        """Say what a month has come to; a month nobody wrote to is empty.

        Safe to run twice. Heartbeats nothing. Nothing is final.
        """
        raise NotImplementedError

    @activity.defn(name="ledger.reserve")
    async def reserve(self, request: ReserveRequest) -> Reserved:
        """Count bytes as sent in this month until their transfer is charged, or let go.

        Safe to run twice. Heartbeats nothing. Nothing is final; what would exceed the limit is an answer.
        """
        raise NotImplementedError

    @activity.defn(name="ledger.release")
    async def release(self, request: ReleaseRequest) -> Released:
        """Let reservations go. Safe to run twice. Heartbeats nothing. Nothing is final."""
        raise NotImplementedError


def month_of(moment: datetime) -> str:
    """Return the month of a moment, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def ledger_id(month: str) -> str:
    """The workflow id of a month's ledger; no run has one of this form."""
    return f"ledger:{month}"


def reservation_of(run_uid: str, key: str) -> str:
    """The id of what a transfer of a run reserves."""
    return f"{run_uid}/{key}"


def leaves_cloud(source: str, destination: str) -> bool:
    """Whether bytes between two connections count towards the tiers of the month, and as egress: they leave a cloud."""
    return cloud_of(source) is not cloud_of(destination) and cloud_of(source) is not Cloud.ONPREM


def totals_of(spent: Iterable[Spent]) -> tuple[Known, ...]:
    """Add up what is known, by currency."""
    held = [one for one in spent if one.cost is not None]
    return tuple(
        Known(
            currency=currency,
            cost=sum((one.cost or Decimal(0) for one in held if one.currency == currency), Decimal(0)),
        )
        for currency in sorted({one.currency for one in held})
    )
