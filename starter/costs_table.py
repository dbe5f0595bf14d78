"""What was spent as a person reads it: groups of lines, sums by currency, what nobody knows; and the same as a document."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from contracts.ledger import Spent, month_of, totals_of
from contracts.units import format_size
from starter.clocks import taken
from starter.focus import COLUMNS, plain, rows_of

HEADER = "Estimates at list or your own prices, no invoice; what has no price is empty."
SMALL = Decimal("0.01")
BY: dict[str, Callable[[Spent], str]] = {
    "run": lambda line: line.run_id,
    "pipeline": lambda line: line.pipeline,
    "stage": lambda line: line.stage,
    "cloud": lambda line: line.connection.partition("/")[0],
    "connection": lambda line: line.connection,
    "destination": lambda line: line.destination,
    "region": lambda line: line.region,
    "kind": lambda line: line.kind,
    "sku": lambda line: line.sku,
    "month": lambda line: month_of(line.ended_at),
}
"""What lines may be put together by."""


@dataclass(frozen=True)
class Costs:
    """What was asked for, and what there is."""

    title: str
    by: tuple[str, ...]
    spent: tuple[Spent, ...]
    note: str = ""
    """Where it is from, if not from where it is expected."""


@dataclass(frozen=True)
class Bundle:
    """Lines that are put together, in one currency and one unit."""

    names: tuple[str, ...]
    unit: str
    quantity: Decimal
    cost: Decimal | None
    currency: str


def costs_view(costs: Costs) -> RenderableType:
    """Return what a person sees."""
    if not costs.spent:
        return Text(f"{costs.title}: nothing was charged")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in costs.by:
        table.add_column(name, overflow="fold")
    table.add_column("used", justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    for group in _groups(costs):
        table.add_row(
            *map(Text, group.names), used(group.quantity, group.unit), price(group.cost, group.currency)
        )
    parts: list[RenderableType] = [Text(f"{costs.title}. {HEADER}")]
    parts += [Text(costs.note)] if costs.note else []
    return Group(*parts, Text(), table, Text(), *_sums(costs.spent))


def costs_document(costs: Costs) -> dict[str, Any]:
    """Return the same for `--json`, with every line in FOCUS's columns."""
    return {
        "title": costs.title,
        "estimates": HEADER,
        "note": costs.note or None,
        "by": list(costs.by),
        "groups": [
            {
                **dict(zip(costs.by, group.names, strict=True)),
                "quantity": plain(group.quantity),
                "unit": group.unit,
                "cost": None if group.cost is None else plain(group.cost),
                "currency": group.currency or None,
            }
            for group in _groups(costs)
        ],
        "totals": [{"currency": one.currency, "cost": plain(one.cost)} for one in totals_of(costs.spent)],
        "unknown": sum(line.count for line in costs.spent if line.cost is None),
        "lines": rows_of(costs.spent),
    }


def costs_csv(costs: Costs, *, grouped: bool) -> str:
    """Return CSV in FOCUS's columns: a row for each line, or for each group of them."""
    out = io.StringIO()
    if not grouped:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows_of(costs.spent))
        return out.getvalue()
    named = [f"x_{name.title()}" for name in costs.by]
    plain_writer = csv.writer(out, lineterminator="\n")
    plain_writer.writerow((*named, "BilledCost", "BillingCurrency", "ConsumedQuantity", "ConsumedUnit"))
    for group in _groups(costs):
        cost = "" if group.cost is None else plain(group.cost)
        unit = {"s": "Seconds", "B": "Bytes"}[group.unit]
        plain_writer.writerow((*group.names, cost, group.currency, plain(group.quantity), unit))
    return out.getvalue()


def price(cost: Decimal | None, currency: str) -> str:
    """Write a cost for a person: to the cent, and small ones to their first digits."""
    if cost is None:
        return ""
    if 0 < cost < SMALL:
        return f"{cost:.2g} {currency}" if cost >= Decimal("0.0001") else f"<0.0001 {currency}"
    return f"{cost:,.2f} {currency}"


def used(quantity: Decimal, unit: str) -> str:
    """Write what was used for a person."""
    return format_size(int(quantity)) if unit == "B" else taken(float(quantity))


def _groups(costs: Costs) -> list[Bundle]:
    """Put lines together; the dearest first, what has no price last."""
    found: dict[tuple[Any, ...], list[Spent]] = {}
    for line in costs.spent:
        names = tuple(BY[name](line) for name in costs.by)
        found.setdefault((names, line.unit, line.currency, line.cost is None), []).append(line)
    groups = [
        Bundle(names, unit, _sum(line.quantity for line in lines), _cost(lines), currency)
        for (names, unit, currency, _), lines in found.items()
    ]
    return sorted(groups, key=lambda one: (one.currency == "", one.currency, -(one.cost or 0), one.names))


def _sums(spent: tuple[Spent, ...]) -> list[Text]:
    said = [f"sum: {price(one.cost, one.currency)}" for one in totals_of(spent)]
    unknown = sum(line.count for line in spent if line.cost is None)
    if unknown:
        said.append(
            f"{unknown} charge{'s' if unknown > 1 else ''} of unknown cost: docs/costs.md says how to give prices"
        )
    return [Text(line) for line in said]


def _cost(lines: list[Spent]) -> Decimal | None:
    return None if lines[0].cost is None else _sum(line.cost or Decimal(0) for line in lines)


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    return sum(numbers, Decimal(0))
