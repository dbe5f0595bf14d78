"""Amounts of money as people write them: `20 USD`, `0.50 EUR`."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from contracts.model import Message

CURRENCY = r"^[A-Z]{3}$"
"""ISO 4217."""
_MONEY = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([A-Z]{3})")


class Amount(Message):
    """An amount in one currency; amounts of different currencies are never added or compared."""

    value: Decimal = Field(ge=0)
    currency: str = Field(pattern=CURRENCY)

    @property
    def text(self) -> str:
        """As a person writes it: `20 USD`."""
        return f"{self.value:f} {self.currency}"


def parse_amount(value: Any) -> Amount:
    """Read `20 USD` or `0 USD`; an amount passes.

    Raises:
        ValueError: anything else, or a currency that is not written as in ISO 4217.
    """
    if isinstance(value, Amount):
        return value
    found = _MONEY.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{value!r} is no amount of money; write a number and a currency, such as 20 USD")
    return Amount(value=Decimal(found[1]), currency=found[2])


def parse_money(value: Any) -> Amount:
    """Read `20 USD`, more than nothing; an amount passes.

    Raises:
        ValueError: as `parse_amount`, and for zero.
    """
    amount = parse_amount(value)
    if not amount.value:
        raise ValueError(f"{value!r} is nothing; write an amount above zero, such as 20 USD")
    return amount


Money = Annotated[
    Amount,
    BeforeValidator(parse_money),
    PlainSerializer(lambda amount: amount.text, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{1,12}(\.\d{1,6})? ?[A-Z]{3}$",
            "examples": ["20 USD", "0.50 EUR"],
        }
    ),
]
