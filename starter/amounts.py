"""Amounts of money as a person reads them: unknown is never zero, and little is never nothing."""

from decimal import Decimal

UNKNOWN = "?"
CENT = Decimal("0.01")


def amount(value: Decimal | None) -> str:
    """Return `1,234.50`, `<0.01` for less than that, `0` for nothing, `?` for what nobody knows."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    return "<0.01" if value < CENT else f"{value:,.2f}"


def at_most(value: Decimal | None, *, bounded: bool = True) -> str:
    """Return an upper bound; `no bound` where nothing bounds it."""
    return "no bound" if value is None or not bounded else amount(value)
