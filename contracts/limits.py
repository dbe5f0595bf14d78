"""What bounds a transfer: how much it may take at once, and what it stops before."""

from decimal import Decimal

from pydantic import Field

from contracts.model import Message
from contracts.units import Duration


class Limits(Message):
    """How much a transfer may take at once; may be changed while it runs."""

    streams: int = Field(default=8, ge=1, le=64)
    """Parts or small objects in flight at once, over all of the transfer's activities."""
    bytes_per_second: int | None = Field(default=None, gt=0)


class Caps(Message):
    """What a transfer stops before: it fails with `BUDGET_EXCEEDED` rather than break one."""

    size_bytes: int | None = Field(default=None, ge=0)
    cost: Decimal | None = Field(default=None, ge=0)
    """In the currency of the price; a movement whose price is unknown cannot be capped and is refused."""
    duration: Duration | None = None
    """Without pauses."""
    listed_bytes: int | None = None
    """What the source may weigh at most, as a run agreed to before: one that has grown meanwhile is agreed on again."""
