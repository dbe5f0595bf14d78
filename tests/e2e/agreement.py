"""What a run spent lies within its quote, and the ledger has the same."""

from decimal import Decimal
from typing import Any

from tests.house import Sandbox


def agreed(house: Sandbox, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Look at both, and return the lines of the ledger, in FOCUS's columns."""
    rows = document["costs"]
    assert [row for row in rows if row["within"] is False] == []
    costs = house.starter("costs", "--run", document["run_id"], "--json", check=True).document
    assert costs["note"] is None, costs
    quoted = {row["currency"]: row for row in rows if row["name"] == "in all"}
    spent = {currency: row["spent"] for currency, row in quoted.items() if row["spent"] is not None}
    assert {one["currency"]: Decimal(one["cost"]) for one in costs["totals"]} == {
        currency: Decimal(cost) for currency, cost in spent.items()
    }
    lines: list[dict[str, Any]] = costs["lines"]
    jobs = [stage for stage in document["stages"] if stage["job"] and not stage.get("taken_from")]
    assert {stage["name"] for stage in jobs} <= {line["ResourceId"].rpartition("/")[2] for line in lines}
    return lines
