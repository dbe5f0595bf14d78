"""The ledger: what runs really cost, month by month, in a workflow that outlives them. Cost after."""

from datetime import datetime
from decimal import Decimal

from temporalio import activity

from contracts.model import Message
from contracts.quotes import CostKind, Unit

LEDGER_WORKFLOW = "ledger"


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
    """Seconds billed, or bytes really sent."""
    unit: Unit
    cost: Decimal | None = None
    """None where no price is known: unknown is never zero."""
    currency: str = ""
    price_source: str = ""
    """Who says the price, and as of when."""
    started_at: datetime
    ended_at: datetime


class PostRequest(Message):
    """Charges to write down; each goes into the month it ended in, in UTC."""

    charges: tuple[Charge, ...]


class Posted(Message):
    """What the ledger made of it."""

    months: tuple[str, ...]
    """The months they went into, as `2026-11`."""


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

    def before(self, connection: str) -> int:
        """Return how many bytes count as sent already when another transfer out of this connection begins."""
        return sum(one.size_bytes + one.reserved_bytes for one in self.sent if one.connection == connection)


class LedgerActivities:
    """The way from a run to the ledger; they need no cloud."""

    @activity.defn(name="ledger.post")
    async def post(self, request: PostRequest) -> Posted:
        """Write charges down, each once however often it is posted. Safe to run twice. Nothing is final."""
        raise NotImplementedError

    @activity.defn(name="ledger.month")
    async def month(self, query: MonthQuery) -> MonthState:
        """Say what a month has come to. Safe to run twice. Nothing is final; a month nobody wrote to is empty."""
        raise NotImplementedError
