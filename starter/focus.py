"""What was spent as rows of FOCUS, the FinOps Open Cost and Usage Specification, version 1.2.

Costs are estimates, no invoice: what FOCUS calls billed, effective, contracted and list cost is one figure here, at list
prices or those that the user negotiated. It is empty where nobody knows the price, which FOCUS itself does not allow.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from contracts.ledger import Spent, month_of
from contracts.prices import GB, TIB
from contracts.queues import Cloud, cloud_of

PROVIDERS = {
    Cloud.AWS: "AWS",
    Cloud.AZURE: "Microsoft",
    Cloud.GCP: "Google Cloud",
    Cloud.ONPREM: "On-premises",
}
JOBS = {
    Cloud.AWS: "Amazon SageMaker",
    Cloud.AZURE: "Azure Machine Learning",
    Cloud.GCP: "Vertex AI",
    Cloud.ONPREM: "Own machines",
}
EGRESS_SERVICES = {
    Cloud.AWS: "AWS Data Transfer",
    Cloud.AZURE: "Azure Bandwidth",
    Cloud.GCP: "Google Cloud network egress",
    Cloud.ONPREM: "Own network",
}
HOUR = Decimal(3600)
COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "ResourceId",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "Tags",
    "x_ChargeCount",
    "x_Destination",
    "x_PriceSource",
)
"""Those that FOCUS calls mandatory, those that apply here, and ours, which it has begin with `x_`; in their order."""


def rows_of(spent: tuple[Spent, ...]) -> list[dict[str, Any]]:
    """Return a row for each line, by column."""
    return [_row(line) for line in spent]


def _row(line: Spent) -> dict[str, Any]:
    begin, end = _period(month_of(line.ended_at))
    provider = PROVIDERS[cloud_of(line.connection)]
    cost = None if line.cost is None else plain(line.cost)
    quantity, unit = _priced(line)
    return {
        **dict.fromkeys(COLUMNS),
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost),
        "BillingAccountId": line.connection,
        "BillingAccountName": line.connection,
        "BillingCurrency": line.currency or None,
        "BillingPeriodStart": begin,
        "BillingPeriodEnd": end,
        "ChargeCategory": "Usage",
        "ChargeDescription": described(line),
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _moment(line.started_at),
        "ChargePeriodEnd": _moment(line.ended_at),
        "ConsumedQuantity": plain(line.quantity),
        "ConsumedUnit": {"s": "Seconds", "B": "Bytes"}[line.unit],
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), provider),
        "PricingQuantity": plain(quantity),
        "PricingUnit": unit,
        "RegionId": line.region or None,
        "ResourceId": f"{line.run_id}/{line.stage}" if line.run_id else None,
        "ServiceCategory": _category(line),
        "ServiceName": _service(line),
        "SkuId": line.sku or None,
        "Tags": json.dumps(_tags(line), sort_keys=True),
        "x_ChargeCount": line.count,
        "x_Destination": line.destination or None,
        "x_PriceSource": line.price_source or None,
    }


def described(line: Spent) -> str:
    """Say in a few words what was paid for."""
    if line.kind == "transfer":
        return f"bytes from {line.connection} to {line.destination}"
    if line.kind == "query":
        return f"bytes that queries on {line.connection} read"
    machine = f"{line.sku or 'a machine of the vendor'} on {line.connection}"
    return f"an endpoint: {machine}" if line.kind == "endpoint" else machine


def plain(number: Decimal) -> str:
    """Write a number without an exponent and without zeros at its end."""
    return f"{number.normalize():f}"


def _priced(line: Spent) -> tuple[Decimal, str]:
    if line.unit == "s":
        return (line.quantity / HOUR).quantize(Decimal("1e-9")), "Hours"
    if line.kind == "query":
        return (line.quantity / TIB).quantize(Decimal("1e-12")), "TiB"
    return (line.quantity / GB).quantize(Decimal("1e-9")), "GB"


def _category(line: Spent) -> str:
    if line.unit != "s":
        return {"transfer": "Networking", "query": "Analytics"}[line.kind]
    return "Compute" if cloud_of(line.connection) is Cloud.ONPREM else "AI and Machine Learning"


def _service(line: Spent) -> str:
    if line.kind == "query":
        return "BigQuery"
    return (JOBS if line.unit == "s" else EGRESS_SERVICES)[cloud_of(line.connection)]


def _tags(line: Spent) -> dict[str, str]:
    named = {
        "run": line.run_id,
        "pipeline": line.pipeline,
        "stage": line.stage,
        "connection": line.connection,
        "kind": line.kind,
    }
    return {f"causeway/{name}": value for name, value in named.items() if value}


def _period(month: str) -> tuple[str, str]:
    year, number = (int(part) for part in month.split("-"))
    after = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return _moment(datetime(year, number, 1, tzinfo=UTC)), _moment(after)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
