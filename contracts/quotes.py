"""Quotes: what a run is expected to cost, line by line, with what is not known said to be unknown. Cost before."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from contracts.model import Message

CostKind = Literal["compute", "transfer", "query"]
Unit = Literal["s", "B"]


class QuoteLine(Message):
    """What one step is expected to cost."""

    kind: CostKind
    name: str
    """The stage, or the key of the transfer."""
    connection: str
    """Whose cloud bills it: where the job runs, or what bytes leave."""
    quantity: float | None = None
    """Seconds of a machine, or bytes; None where nobody knows."""
    unit: Unit
    low: Decimal | None = None
    likely: Decimal | None = None
    """None where a price or a quantity is not known: unknown is never zero."""
    high: Decimal | None = None
    """What the step costs at most; a job is stopped at its timeout, and `retries` count."""
    currency: str = ""
    why: str = ""
    """What it is reckoned from, or what is missing, as a sentence for people."""


class Total(Message):
    """What is known of a quote in one currency."""

    currency: str
    low: Decimal
    likely: Decimal
    high: Decimal


class Quote(Message):
    """What a run is expected to cost."""

    lines: tuple[QuoteLine, ...] = ()

    @property
    def totals(self) -> tuple[Total, ...]:
        """The sum of all known lines in each currency, in the order of their names; unknown ones are in `unknown`."""
        known = [line for line in self.lines if line.likely is not None]
        return tuple(
            _total(currency, [line for line in known if line.currency == currency])
            for currency in sorted({line.currency for line in known})
        )

    @property
    def unknown(self) -> tuple[QuoteLine, ...]:
        """The lines whose cost nobody knows."""
        return tuple(line for line in self.lines if line.likely is None)


def _total(currency: str, lines: Iterable[QuoteLine]) -> Total:
    held = tuple(lines)
    return Total(
        currency=currency,
        low=sum((line.low or Decimal(0) for line in held), Decimal(0)),
        likely=sum((line.likely or Decimal(0) for line in held), Decimal(0)),
        high=sum((line.high or line.likely or Decimal(0) for line in held), Decimal(0)),
    )
