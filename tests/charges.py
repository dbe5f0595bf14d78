"""Charges for tests: what a job and a transfer post."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts.ledger import EGRESS, Charge
from contracts.prices import GB, EgressPrice, Tier

TB = 1024 * GB
MORNING = datetime(2026, 11, 20, 9, tzinfo=UTC)
LISTED = EgressPrice(
    currency="USD",
    tiers=tuple(
        Tier(up_to_gb=None if end is None else Decimal(end), per_gb=Decimal(price))
        for end, price in ((10240, "0.09"), (51200, "0.085"), (153600, "0.07"), (None, "0.05"))
    ),
    as_of=date(2026, 3, 1),
    source="a test",
)


def job(number: int, run: str = "play/k", cost: str | None = "0.25", **fields: Any) -> Charge:
    """A minute of a machine."""
    return Charge(
        **{
            "id": f"{run}/job/g{number}",
            "run_id": run,
            "pipeline": run.partition("/")[0],
            "stage": "job",
            "kind": "compute",
            "connection": "aws/default",
            "sku": "ml.m5.large",
            "quantity": Decimal(60),
            "unit": "s",
            "cost": None if cost is None else Decimal(cost),
            "currency": "USD" if cost else "",
            "started_at": MORNING,
            "ended_at": MORNING + timedelta(minutes=1),
            **fields,
        }
    )


def sent(size_bytes: int, run: str = "play/k", **fields: Any) -> Charge:
    """Bytes from AWS to Google Cloud."""
    return Charge(
        **{
            "id": f"{run}/data/{size_bytes}",
            "run_id": run,
            "pipeline": run.partition("/")[0],
            "stage": "get.data-to-gcp",
            "kind": "transfer",
            "connection": "aws/default",
            "destination": "gcp/default",
            "sku": EGRESS,
            "quantity": Decimal(size_bytes),
            "unit": "B",
            "egress": LISTED,
            "started_at": MORNING,
            "ended_at": MORNING + timedelta(minutes=1),
            **fields,
        }
    )
