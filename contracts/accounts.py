"""Adding up what was spent: charges that differ in nothing but quantity, cost and time become one line."""

from collections.abc import Iterable
from decimal import Decimal

from contracts.ledger import Charge, Entered, Spent
from contracts.model import Message
from contracts.packed import Packed

Line = tuple[str, ...]
"""What lines of one kind have in common."""
_SAME = (
    "run_id",
    "pipeline",
    "stage",
    "kind",
    "connection",
    "destination",
    "region",
    "sku",
    "unit",
    "currency",
)
UNKNOWN = "unknown"
SMALLEST = Decimal("1e-10")
"""Costs are rounded to this, so that sums are the same in any order."""


def rounded(cost: Decimal | None) -> Decimal | None:
    """Return a cost as accounts hold it."""
    return None if cost is None else cost.quantize(SMALLEST)


def line_of(spent: Spent) -> Line:
    """Return what may be added up with this; what has a price never with what has none."""
    priced = "" if spent.cost is not None else UNKNOWN
    return (*(str(getattr(spent, name)) for name in _SAME), priced)


def spent_of(charge: Charge, entered: Entered | None = None) -> Spent:
    """Return a charge as a line of its own, at the cost that the ledger entered it with if it did."""
    cost, currency = charge.cost, charge.currency
    if entered is not None:
        cost, currency = entered.cost, entered.currency
    cost = rounded(cost)
    shared = charge.model_dump(include={*_SAME, "price_source", "quantity", "started_at", "ended_at"})
    return Spent(**{**shared, "cost": cost, "currency": currency if cost is not None else ""})


def added(one: Spent, other: Spent) -> Spent:
    """Return the sum of two lines of one kind."""
    latest = max(one, other, key=lambda line: line.ended_at)
    return one.model_copy(
        update={
            "quantity": one.quantity + other.quantity,
            "cost": None if one.cost is None else one.cost + (other.cost or Decimal(0)),
            "count": one.count + other.count,
            "price_source": latest.price_source,
            "started_at": min(one.started_at, other.started_at),
            "ended_at": latest.ended_at,
        }
    )


def add_up(lines: Iterable[Spent]) -> tuple[Spent, ...]:
    """Return as few lines as there can be, in the order in which each kind came first."""
    found: dict[Line, Spent] = {}
    for line in lines:
        held = found.get(line_of(line))
        found[line_of(line)] = added(held, line) if held else line
    return tuple(found.values())


class Charged(Message):
    """A child's word to its run: what it cost."""

    charges: Packed[Charge] = ()
    """Of which the run shall have the ledger written."""
    spent: Packed[Spent] = ()
    """Which the ledger has already."""
