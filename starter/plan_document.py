"""A plan as the JSON document that `plan --json` prints; scripts rely on its shape."""

from typing import Any

from contracts.plan import Placement
from contracts.planned import Planned
from contracts.quotes import Quote
from contracts.spec import PipelineSpec


def plan_document(planned: Planned) -> dict[str, Any]:
    """The whole plan."""
    plan, spec = planned.plan, planned.spec
    return {
        "pipeline": spec.pipeline,
        "digest": spec.digest,
        "choose": spec.choose,
        "weighed": plan.weighed,
        "allowed": not plan.violations,
        "stages": [_stage(spec, name, plan.placements[name], planned) for name in plan.order],
        "transfers": _transfers(planned),
        "quote": quote_document(plan.quote or Quote()),
        "violations": [one.model_dump(mode="json") for one in plan.violations],
        "refused": planned.refused,
        "unmeasured": planned.measured.unmeasured,
        "budget": spec.budget.text if spec.budget else None,
        "max_egress": spec.max_egress,
        "month": planned.month.model_dump(mode="json") if planned.month else None,
    }


def quote_document(quote: Quote) -> dict[str, Any]:
    """A quote: amounts are texts, so that no digit is lost; null is unknown, and of `high` also what nothing bounds."""
    return {
        "lines": [line.model_dump(mode="json") for line in quote.lines],
        "totals": [total.model_dump(mode="json") for total in quote.totals],
        "unknown": [line.name for line in quote.unknown],
    }


def _stage(spec: PipelineSpec, name: str, placement: Placement, planned: Planned) -> dict[str, Any]:
    return {
        "name": name,
        "kind": spec.stages[name].kind,
        "connection": placement.connection,
        "region": planned.regions.get(placement.connection, ""),
        "machine": placement.machine.model_dump(mode="json") if placement.machine else None,
        "candidates": [one.model_dump(mode="json") for one in placement.candidates],
        "classes": list(placement.classes),
        "transfers": list(placement.transfers),
    }


def _transfers(planned: Planned) -> list[dict[str, Any]]:
    quote, measured = planned.plan.quote or Quote(), planned.measured
    lines = {line.name: line for line in quote.of_kind("transfer").lines}
    found = []
    for key, transfer in planned.plan.transfers.items():
        line = lines.get(key)
        quoted = int(line.quantity) if line and line.quantity is not None else None
        found.append(
            {
                "key": key,
                "artifact": transfer.artifact,
                "from": transfer.source,
                "to": transfer.destination,
                "method": transfer.method,
                "bytes": measured.sizes.get(transfer.artifact, quoted),
                "at_least": transfer.artifact in measured.at_least,
                "cost": str(line.likely) if line and line.likely is not None else None,
                "currency": line.currency if line else "",
            }
        )
    return found
