"""The quote of a run beside what it spent: a row per step and currency, and the sums."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from contracts.ledger import Spent
from contracts.quotes import Quote, QuoteLine, Total
from contracts.runs import RunStatus

NOTHING = Decimal(0)


@dataclass(frozen=True)
class Compared:
    """One step, or the whole run, in one currency. None is unknown, and of `high` also what nothing bounds."""

    name: str
    kind: str
    currency: str
    low: Decimal | None
    likely: Decimal | None
    high: Decimal | None
    spent: Decimal | None
    """None where it has spent nothing that anybody told yet, or where no price is known."""
    why: str = ""
    """Why the quote has no amount."""

    @property
    def within(self) -> bool | None:
        """Whether what was spent lies within the bounds of the quote; None where one of them is not known."""
        if self.spent is None or self.low is None:
            return None
        return self.low <= self.spent and (self.high is None or self.spent <= self.high)


def compared(status: RunStatus) -> tuple[Compared, ...]:
    """Return every step that was quoted or charged, as they were quoted; then those that nobody quoted."""
    lines = status.quote.lines if status.quote else ()
    quoted = [_row(line, status.charges) for line in lines]
    known = {(row.kind, row.name, row.currency) for row in quoted}
    extra = {
        key: None for one in status.charges if (key := _key(one)) not in known and not _unpriced(one, known)
    }
    return (*quoted, *(_charged(key, status.charges) for key in extra))


def sums(status: RunStatus) -> tuple[Compared, ...]:
    """Return the whole run, a row for each currency."""
    quote = status.quote or Quote()
    totals = {total.currency: total for total in quote.totals}
    spent = {one.currency for one in status.charges if one.cost is not None}
    unpriced = any(not line.currency for line in quote.lines)
    return tuple(
        _all_of(currency, quote, totals.get(currency), status.charges, bounded=not unpriced)
        for currency in sorted({*totals, *spent})
    )


def spending_document(status: RunStatus) -> list[dict[str, Any]]:
    """Return the rows for a script: amounts are texts, null is unknown."""
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "currency": row.currency,
            **{word: _text(getattr(row, word)) for word in ("low", "likely", "high", "spent")},
            "within": row.within,
        }
        for row in (*compared(status), *sums(status))
    ]


def _all_of(
    currency: str, quote: Quote, total: Total | None, charges: Iterable[Spent], *, bounded: bool
) -> Compared:
    known = any(line.currency == currency and line.likely is not None for line in quote.lines)
    return Compared(
        name="in all",
        kind="",
        currency=currency,
        low=total.low if total else None,
        likely=total.likely if total and known else None,
        high=total.high if total and total.bounded and bounded else None,
        spent=_sum(one for one in charges if one.currency == currency),
    )


def _row(line: QuoteLine, charges: Iterable[Spent]) -> Compared:
    mine = [one for one in charges if (one.kind, one.stage) == (line.kind, line.name)]
    priced = [one for one in mine if one.currency == line.currency and one.cost is not None]
    return Compared(
        name=line.name,
        kind=line.kind,
        currency=line.currency,
        low=line.low,
        likely=line.likely,
        high=line.high,
        spent=_sum(priced) if priced else None,
        why="" if line.likely is not None else line.why,
    )


def _key(one: Spent) -> tuple[str, str, str]:
    return one.kind, one.stage, one.currency


def _unpriced(one: Spent, known: Iterable[tuple[str, str, str]]) -> bool:
    """Whether it is a charge without a price of a step that has its row already."""
    return one.cost is None and any((kind, name) == (one.kind, one.stage) for kind, name, _ in known)


def _charged(key: tuple[str, str, str], charges: Iterable[Spent]) -> Compared:
    kind, name, currency = key
    return Compared(
        name=name,
        kind=kind,
        currency=currency,
        low=None,
        likely=None,
        high=None,
        spent=_sum(one for one in charges if _key(one) == key),
        why="nobody quoted it",
    )


def _sum(charges: Iterable[Spent]) -> Decimal | None:
    costs = list(_costs(charges))
    return sum(costs, NOTHING) if costs else None


def _costs(charges: Iterable[Spent]) -> Iterator[Decimal]:
    return (one.cost for one in charges if one.cost is not None)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
