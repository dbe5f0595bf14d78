"""A month of the ledger as its workflow carries it from one execution to the next."""

from datetime import datetime
from decimal import Decimal

from pydantic import Field

from contracts.ledger import Entered, Spent
from contracts.model import Message
from contracts.packed import Packed


class Reservation(Message):
    """Bytes that a transfer may still send."""

    id: str
    run_uid: str
    connection: str
    size_bytes: int
    since: datetime


class MonthProgress(Message):
    """All that a month knows."""

    spent: Packed[Spent] = ()
    sent: dict[str, int] = Field(default_factory=dict)
    """Bytes that left clouds, by connection."""
    reservations: Packed[Reservation] = ()
    totals: dict[str, Decimal] = Field(default_factory=dict)
    """Known costs, by currency."""
    unknown: int = 0
    """Charges of unknown cost."""
    marks: str = ""
    """What was posted of late, eight bytes each, oldest first, in base 85."""
    answers: Packed[Entered] = ()
    """What transfers posted of late were priced at: one that is posted again is told the same."""


class MonthRequest(Message):
    """Starts the workflow `ledger`."""

    month: str
    progress: MonthProgress | None = None
