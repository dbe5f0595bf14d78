"""A quote for a person: what each step costs at least, likely and at most, sums by currency, and what nobody knows."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.quotes import Quote, QuoteLine, Total
from contracts.units import format_size
from starter.amounts import UNKNOWN, amount, at_most
from starter.clocks import taken
from starter.tables import plain_table

KINDS = {"compute": "machines", "endpoint": "endpoints", "transfer": "transfers", "query": "queries"}


def quote_parts(quote: Quote) -> list[RenderableType]:
    """The quote, with an empty line before it; a run that costs nothing anybody bills says so."""
    if not quote.lines:
        return [Text(), Text("cost: nothing of it is billed by anybody")]
    parts: list[RenderableType] = [Text(), quote_table(quote)] if quote.totals else []
    unknown = quote.unknown
    if unknown:
        parts += [
            Text(),
            Text(f"not known ({len(unknown)} of {len(quote.lines)}), and not in the sums:", "yellow"),
        ]
        parts += [Padding(Text(f"{step_of(line)}: {line.why}"), (0, 0, 0, 2)) for line in unknown]
    return parts


def quote_table(quote: Quote) -> Table:
    """A row per step that has a price, then the sums by kind and in all, for each currency apart."""
    table = plain_table("cost of", "what", numbers=("at least", "likely", "at most", ""))
    for line in quote.lines:
        if line.currency:
            table.add_row(step_of(line), quantity(line), *_amounts(line), line.currency)
    for name, part in _sums(quote):
        for total in part.totals:
            cells = (*_sum(part, total), total.currency)
            table.add_row(Text(name, "bold"), "", *(Text(cell, "bold") for cell in cells))
    return table


def step_of(line: QuoteLine) -> str:
    """The name of a step as a person reads it: of a transfer what goes where."""
    return moved_to(line.name) if line.kind == "transfer" else line.name


def moved_to(key: str) -> str:
    """The key of a transfer, as words."""
    artifact, to, destination = key.rpartition("-to-")
    return f"{artifact} to {destination.removesuffix('.default').replace('.', '/')}" if to else key


def quantity(line: QuoteLine) -> str:
    """How much of it: a time or a size; empty where nobody knows."""
    if line.quantity is None:
        return ""
    return taken(line.quantity) if line.unit == "s" else format_size(int(line.quantity))


def _sum(part: Quote, total: Total) -> tuple[str, str, str]:
    """The amounts of a sum; `+ ?` where something that nobody knows comes on top."""
    known = any(line.likely is not None for line in part.lines)
    likely = amount(total.likely) if known else UNKNOWN
    unpriced = any(not line.currency for line in part.lines)
    most = at_most(total.high, bounded=total.bounded)
    return (
        amount(total.low),
        f"{likely} + ?" if known and part.unknown else likely,
        f"{most} + ?" if unpriced and total.bounded else most,
    )


def _amounts(line: QuoteLine) -> tuple[str, str, str]:
    return amount(line.low), amount(line.likely), at_most(line.high)


def _sums(quote: Quote) -> Iterator[tuple[str, Quote]]:
    kinds = [(word, quote.of_kind(kind)) for kind, word in KINDS.items()]  # type: ignore[arg-type] # kinds are such words
    found = [(word, part) for word, part in kinds if part.totals]
    if len(found) > 1:
        yield from found
    yield "in all", quote
