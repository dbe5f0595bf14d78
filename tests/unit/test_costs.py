"""What a person and a script see of the ledger: sums by currency, FOCUS's columns, and nothing where nobody knows."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from contracts.accounts import spent_of
from contracts.ledger import Entered, Spent
from starter.costs import CostsOptions, _by, _month, costs
from starter.costs_table import HEADER, Costs, costs_csv, costs_document, costs_view, price
from starter.exits import StarterError
from starter.focus import COLUMNS, rows_of
from tests.charges import TB, job, sent

MANDATORY = {
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
}
"""Feature level "Mandatory" in FOCUS 1.2."""


def lines() -> tuple[Spent, ...]:
    moved = sent(TB)
    return (
        spent_of(job(1)),
        spent_of(job(2, stage="other", cost=None, sku="")),
        spent_of(job(3, stage="euro", currency="EUR", connection="gcp/eu")),
        spent_of(moved, Entered(id=moved.id, cost=Decimal("92.16"), currency="USD")),
    )


def seen(costs: Costs) -> str:
    out = Console(width=80, file=io.StringIO(), highlight=False)
    out.print(costs_view(costs))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_every_row_has_the_columns_that_focus_demands_and_ours_begin_with_x() -> None:
    assert set(COLUMNS) >= MANDATORY
    for row in rows_of(lines()):
        assert tuple(sorted(row)) == tuple(sorted(COLUMNS))
    assert [name for name in COLUMNS if not name[0].isupper()] == [
        name for name in COLUMNS if name.startswith("x_")
    ]


def test_a_job_is_a_row_of_hours_and_its_tags_lead_back_to_the_run() -> None:
    row = rows_of(lines())[0]
    costs = {name: row[name] for name in ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")}
    assert set(costs.values()) == {"0.25"}
    shown: dict[str, Any] = {
        "ProviderName": "AWS",
        "ServiceName": "Amazon SageMaker",
        "ServiceCategory": "AI and Machine Learning",
        "ConsumedQuantity": "60",
        "ConsumedUnit": "Seconds",
        "PricingQuantity": "0.016666667",
        "PricingUnit": "Hours",
        "BillingPeriodStart": "2026-11-01T00:00:00Z",
        "BillingPeriodEnd": "2026-12-01T00:00:00Z",
        "ChargePeriodStart": "2026-11-20T09:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "SkuId": "ml.m5.large",
    }
    assert {name: row[name] for name in shown} == shown
    assert json.loads(row["Tags"])["causeway/run"] == "play/k"


def test_an_endpoint_is_a_row_of_hours_at_the_same_service_and_says_that_it_is_one() -> None:
    (row,) = rows_of((spent_of(job(1, stage="serve", kind="endpoint")),))
    shown: dict[str, Any] = {
        "ChargeDescription": "an endpoint: ml.m5.large on aws/default",
        "ServiceName": "Amazon SageMaker",
        "ServiceCategory": "AI and Machine Learning",
        "ConsumedUnit": "Seconds",
        "PricingQuantity": "0.016666667",
        "PricingUnit": "Hours",
        "BilledCost": "0.25",
        "SkuId": "ml.m5.large",
    }
    assert {name: row[name] for name in shown} == shown
    assert json.loads(row["Tags"])["causeway/kind"] == "endpoint"


def test_bytes_are_a_row_of_networking_and_gigabytes() -> None:
    row = rows_of(lines())[3]
    assert (row["ServiceCategory"], row["PricingQuantity"], row["PricingUnit"]) == (
        "Networking",
        "1024",
        "GB",
    )
    assert (row["SkuId"], row["x_Destination"], row["ListCost"]) == ("egress", "gcp/default", "92.16")


def test_december_ends_with_the_year() -> None:
    ended = datetime(2026, 12, 31, 23, tzinfo=UTC)
    (row,) = rows_of((spent_of(job(1, ended_at=ended)),))
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (
        "2026-12-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    )


def test_what_nobody_knows_the_price_of_is_empty_in_every_form() -> None:
    costs = Costs("Costs of 2026-11", ("stage",), (lines()[1],))
    row = next(csv.DictReader(io.StringIO(costs_csv(costs, grouped=False))))
    assert {row[name] for name in ("BilledCost", "EffectiveCost", "ListCost", "BillingCurrency")} == {""}
    grouped = next(csv.DictReader(io.StringIO(costs_csv(costs, grouped=True))))
    assert (grouped["BilledCost"], grouped["ConsumedQuantity"]) == ("", "60")
    document = costs_document(costs)
    assert (document["groups"][0]["cost"], document["totals"], document["unknown"]) == (None, [], 1)
    assert "1 charge of unknown cost" in seen(costs)


def test_a_person_reads_groups_and_a_sum_for_each_currency_in_80_columns() -> None:
    shown = seen(Costs("Costs of 2026-11", ("pipeline", "cloud", "kind"), lines()))
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("no invoice") == 1
    assert [line.split() for line in shown.splitlines() if line.startswith("play")] == [
        ["play", "gcp", "compute", "1m00s", "0.25", "EUR"],
        ["play", "aws", "transfer", "953.7", "GiB", "92.16", "USD"],
        ["play", "aws", "compute", "1m00s", "0.25", "USD"],
        ["play", "aws", "compute", "1m00s"],
    ]
    assert "sum: 0.25 EUR\nsum: 92.41 USD\n1 charge of unknown cost" in shown


def test_a_document_has_the_same_sums_and_every_line() -> None:
    document = costs_document(Costs("Costs of 2026-11", ("kind",), lines()))
    assert document["estimates"] == HEADER
    assert document["totals"] == [
        {"currency": "EUR", "cost": "0.25"},
        {"currency": "USD", "cost": "92.41"},
    ]
    assert [line["SkuId"] for line in document["lines"]] == ["ml.m5.large", None, "ml.m5.large", "egress"]
    assert json.loads(json.dumps(document)) == document


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        ("0", "0.00 USD"),
        ("0.00001", "<0.0001 USD"),
        ("0.0021", "0.0021 USD"),
        ("0.01", "0.01 USD"),
        ("1234.567", "1,234.57 USD"),
    ],
)
def test_small_costs_are_not_written_as_nothing(cost: str, said: str) -> None:
    assert price(Decimal(cost), "USD") == said


@pytest.mark.parametrize("given", ["2026", "2026-13", "2026-1", "november", "2026-11-01"])
def test_a_month_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(StarterError, match="--month"):
        _month(given)


def test_a_name_to_put_together_by_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(StarterError, match="pipeline"):
        _by(CostsOptions(by="cloud,pipelin"))
    assert _by(CostsOptions(by="kind, cloud,kind")) == ("kind", "cloud")


def test_charges_of_long_ago_and_of_today_are_one_line_with_both_ends() -> None:
    first, later = job(1), job(2)
    later = later.model_copy(update={"ended_at": later.ended_at + timedelta(days=3)})
    costs = Costs("", ("stage",), (spent_of(first), spent_of(later)))
    assert costs_document(costs)["groups"] == [
        {"stage": "job", "quantity": "120", "unit": "s", "cost": "0.5", "currency": "USD"}
    ]


@pytest.mark.parametrize("both", [{"run_id": "p/k", "month": "2026-11"}, {"as_csv": True, "as_json": True}])
def test_options_that_contradict_each_other_are_refused_before_anybody_is_asked(both: dict[str, Any]) -> None:
    with pytest.raises(StarterError, match="write one of them"):
        asyncio.run(costs(CostsOptions(**both)))
