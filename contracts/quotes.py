"""Quotes: what a run is expected to cost, line by line, with what is not known said to be unknown. Cost before."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from contracts.model import Message
from contracts.money import Amount
from contracts.packed import Packed

CostKind = Literal["compute", "transfer", "query", "endpoint"]
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
    """What the step costs at least in a run that reaches its end; None where no price is known."""
    likely: Decimal | None = None
    """None where a price or a quantity is not known: unknown is never zero."""
    high: Decimal | None = None
    """What the step costs at most; a job is stopped at its timeout, and `retries` count. None: nothing bounds it."""
    currency: str = ""
    why: str = ""
    """What it is reckoned from, or what is missing, as a sentence for people."""


class Total(Message):
    """What is known of a quote in one currency; amounts of different currencies are never added."""

    currency: str
    low: Decimal
    likely: Decimal
    """Of the lines whose cost is known."""
    high: Decimal
    bounded: bool = True
    """Whether the run can cost no more in this currency; a line that nothing bounds is in `high` with what is likely."""


class Quote(Message):
    """What a run is expected to cost."""

    lines: Packed[QuoteLine] = ()

    @property
    def totals(self) -> tuple[Total, ...]:
        """The sum of the lines in each currency, in the order of their names; what nobody knows is in `unknown`."""
        priced = [line for line in self.lines if line.currency]
        return tuple(
            _total(currency, [line for line in priced if line.currency == currency])
            for currency in sorted({line.currency for line in priced})
        )

    def of_kind(self, kind: CostKind) -> "Quote":
        """The same, of one kind of cost alone."""
        return Quote(lines=tuple(line for line in self.lines if line.kind == kind))

    @property
    def unknown(self) -> tuple[QuoteLine, ...]:
        """The lines whose cost nobody knows."""
        return tuple(line for line in self.lines if line.likely is None)

    @property
    def unbounded(self) -> tuple[QuoteLine, ...]:
        """The lines of which nobody knows even what they cost at most."""
        return tuple(line for line in self.unknown if line.high is None)

    @property
    def reckoned(self) -> tuple[Amount, ...]:
        """What it comes to in each currency; a line counts with what it costs at most where nobody knows what is likely."""
        known = [
            (line.currency, line.likely if line.likely is not None else line.high) for line in self.lines
        ]
        found: dict[str, Decimal] = {}
        for currency, cost in known:
            if cost:
                found[currency] = found.get(currency, Decimal(0)) + cost
        return tuple(Amount(value=found[currency], currency=currency) for currency in sorted(found))


def _total(currency: str, lines: Iterable[QuoteLine]) -> Total:
    held = tuple(lines)
    none = Decimal(0)
    return Total(
        currency=currency,
        low=sum((line.low or none for line in held), none),
        likely=sum((line.likely or none for line in held), none),
        high=sum((_most(line) for line in held), none),
        bounded=all(line.high is not None for line in held),
    )


def _most(line: QuoteLine) -> Decimal:
    known = (line.high, line.likely, line.low)
    return next((amount for amount in known if amount is not None), Decimal(0))
