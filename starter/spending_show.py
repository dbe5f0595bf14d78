"""The quote of a run beside what it spent, for a person."""

from rich.table import Table
from rich.text import Text

from contracts.runs import RunStatus
from starter.amounts import UNKNOWN, amount, at_most
from starter.quote_show import moved_to
from starter.spending import Compared, compared, sums
from starter.tables import plain_table


def spending_table(status: RunStatus) -> Table | None:
    """A row per step and the sums; None of a run that was neither quoted nor charged. `!` marks what left its bounds."""
    rows = [row for row in compared(status) if row.currency or row.spent is not None]
    if not rows:
        return None
    table = plain_table("cost of", numbers=("at least", "likely", "at most", "spent", ""))
    for row in rows:
        table.add_row(moved_to(row.name) if row.kind == "transfer" else row.name, *_cells(row))
    for row in sums(status):
        table.add_row(Text(row.name, "bold"), *(Text(cell, "bold") for cell in _cells(row)))
    unknown = status.quote.unknown if status.quote else ()
    table.caption = (
        f"{len(unknown)} of {len(status.quote.lines)} steps have no known cost"
        if status.quote and unknown
        else None
    )
    table.caption_justify = "left"
    return table


def _cells(row: Compared) -> tuple[str, str, str, str, str]:
    quoted = row.low is not None
    most = at_most(row.high) if quoted else UNKNOWN
    spent = "-" if row.spent is None else amount(row.spent)
    return (
        amount(row.low),
        amount(row.likely),
        most,
        f"{spent}{' !' if row.within is False else ''}",
        row.currency,
    )
