from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.money import Amount, Money, parse_amount, parse_money
from contracts.spec import PipelineSpec


@pytest.mark.parametrize(
    ("written", "value", "currency"),
    [
        ("20 USD", "20", "USD"),
        ("0.50 EUR", "0.50", "EUR"),
        ("20USD", "20", "USD"),
        ("1.000001 JPY", "1.000001", "JPY"),
    ],
)
def test_an_amount_is_read_exactly(written: str, value: str, currency: str) -> None:
    assert parse_money(written) == Amount(value=Decimal(value), currency=currency)


@pytest.mark.parametrize(
    "written",
    ["20", "USD", "-1 USD", "1e3 USD", "20 usd", "20 DOLLARS", "0 USD", "0.00 USD", "1,5 EUR", 20, True],
)
def test_what_is_no_amount_is_refused_with_an_example(written: object) -> None:
    with pytest.raises(ValueError, match="such as 20 USD"):
        parse_money(written)


def test_a_price_may_be_nothing_but_a_limit_may_not() -> None:
    assert parse_amount("0 USD").value == 0


def test_an_amount_travels_as_it_is_written() -> None:
    adapter = TypeAdapter(Money)
    assert adapter.dump_json(adapter.validate_python("20.50 USD")) == b'"20.50 USD"'


def test_a_budget_that_is_no_amount_names_its_field() -> None:
    stage = {"kind": "query", "on": "gcp", "sql": "SELECT 1"}
    with pytest.raises(ValidationError) as raised:
        PipelineSpec.model_validate({"pipeline": "p", "budget": "-5 USD", "stages": {"q": stage}})
    assert raised.value.errors()[0]["loc"] == ("budget",)
