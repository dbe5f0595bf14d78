"""How a run stands to its budget and to what may leave clouds, at the terminal and as JSON."""

from typing import Any

from rich.text import Text

from contracts.runs import RunStatus
from contracts.spending import Spending
from workflows.told import standing


def budget_line(status: RunStatus) -> Text | None:
    """The budget in one line; None for a run that has none and sends nothing that is limited."""
    return Text(standing(status.spending), "dim") if status.spending else None


def budget_document(spending: Spending) -> dict[str, Any]:
    """Amounts as texts, so that no digit is lost."""
    budget = spending.budget
    return {
        "budget": budget.text if budget else None,
        "spent": f"{spending.spent:f}",
        "under_way": f"{spending.held_cost:f}",
        "allowed_above": f"{spending.allowed:f}",
        "sent_bytes": spending.sent_bytes,
        "under_way_bytes": spending.held_bytes,
        "unknown": list(spending.unknown),
    }
