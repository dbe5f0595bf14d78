"""What a run spent lies within its quote, and the ledger has the same."""

import json
from collections import defaultdict
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


def kept(plan: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    """Look that the ledger's lines of a run lie within what `plan` had said of it, part by part and in all."""
    quote = plan["quote"]
    spent: dict[tuple[str, str], list[Decimal | None]] = defaultdict(list)
    for line in lines:
        tags = json.loads(line["Tags"])
        cost = line["BilledCost"]
        spent[(tags["causeway/kind"], tags["causeway/stage"])].append(None if cost is None else Decimal(cost))
    parts = {(part["kind"], part["name"]): part for part in quote["lines"]}
    assert set(spent) <= set(parts), "nothing is charged that was not quoted"
    for key, part in parts.items():
        _within(part, spent[key])
    assert quote["unknown"] == [part["name"] for part in quote["lines"] if part["likely"] is None]
    for total in quote["totals"]:
        mine = [
            cost
            for key, part in parts.items()
            if part["currency"] == total["currency"]
            for cost in spent[key]
        ]
        cost = sum(one for one in mine if one is not None)
        assert Decimal(total["low"]) <= cost, total
        assert not total["bounded"] or cost <= Decimal(total["high"]), total


def _within(part: dict[str, Any], spent: list[Decimal | None]) -> None:
    if not part["currency"]:
        # A price that nobody knew: neither says an amount, and the plan says what is missing.
        assert (part["low"], part["likely"], part["high"]) == (None, None, None), part
        assert "not known" in part["why"], part
        assert [cost for cost in spent if cost is not None] == [], part
        return
    assert None not in spent, (part, "what has a price is charged at it")
    cost = sum(one for one in spent if one is not None)
    assert Decimal(part["low"]) <= cost, part
    assert part["high"] is None or cost <= Decimal(part["high"]), part
