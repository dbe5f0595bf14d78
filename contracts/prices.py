"""What leaving a cloud costs: a month's tiers, and the price of more bytes on top of those already sent."""

from datetime import date
from decimal import Decimal

from temporalio import activity

from contracts.model import Message

GB = 1_000_000_000
"""Vendors bill in decimal gigabytes; where one means GiB its price file says so."""
TIB = 2**40


class Tier(Message):
    """A price that holds up to a total of the month."""

    up_to_gb: Decimal | None
    """Cumulative over the month; None for the last tier."""
    per_gb: Decimal


class EgressPrice(Message):
    """The list price of bytes that leave one cloud for another, or what the user negotiated."""

    currency: str
    tiers: tuple[Tier, ...]
    """In the order of their ends; free ones have the price 0."""
    as_of: date
    source: str
    """Where the figures are from."""

    def cost(self, size_bytes: int, sent_before: int = 0) -> Decimal:
        """Return the price of some bytes, after others of the same month: each byte costs what its own tier costs."""
        return self._total(sent_before + size_bytes) - self._total(sent_before)

    def _total(self, size_bytes: int) -> Decimal:
        gb = Decimal(size_bytes) / GB
        total, below = Decimal(0), Decimal(0)
        for tier in self.tiers:
            end = gb if tier.up_to_gb is None else min(gb, tier.up_to_gb)
            if end > below:
                total += (end - below) * tier.per_gb
                below = end
        return total


class QueryPrice(Message):
    """What reading a table costs, by what a query reads of it."""

    currency: str
    per_tib: Decimal
    """Of 2^40 bytes, as BigQuery counts."""
    as_of: date
    source: str
    """Where the figure is from."""

    def cost(self, size_bytes: int) -> Decimal:
        """Return the price of a query that reads so many bytes; what a month has free is not taken off."""
        return Decimal(size_bytes) / TIB * self.per_tib


class EgressQuery(Message):
    """A movement between two connections."""

    source: str
    """Such as `aws/default`."""
    destination: str
    source_region: str = ""
    """As the connection's worker reports it; between regions of one cloud nobody knows a price without both."""
    destination_region: str = ""


class EgressQuote(Message):
    """The price of a movement; None where nobody knows one: unknown is never zero."""

    price: EgressPrice | None
    why: str
    """Which entry of the price book applies, or why none does, in a sentence for people."""


class PriceActivities:
    """What the price book says; it needs no cloud."""

    @activity.defn(name="prices.egress")
    def egress(self, query: EgressQuery) -> EgressQuote:
        """Look up what it costs to bring bytes from one connection to another. Safe to run twice.

        Final: `INVALID_REQUEST` (the user's own price file cannot be read).
        """
        raise NotImplementedError
