"""What a run asks before its first stage: whether it shall begin although its budget cannot be enough."""

from decimal import Decimal

from contracts.errors import ErrorKind
from contracts.money import Amount
from contracts.plan import Plan
from contracts.quotes import Quote, QuoteLine
from contracts.spending import BUDGET
from workflows.holds import RUN, Hold, Holds
from workflows.told import money

SHOWN = 8
"""Lines of a quote that a question shows."""


async def before_the_first(plan: Plan, holds: Holds) -> None:
    """Return once the run may begin.

    Raises:
        HoldRefused: a person said no.
    """
    if plan.allowance is None or plan.quote is None:
        return
    budget = plan.allowance.budget
    hold = _too_small(budget, plan.quote) if budget else None
    if hold:
        await holds.passed(RUN, hold)


def _too_small(budget: Amount, quote: Quote) -> Hold | None:
    """A budget that even the least the run can cost exceeds; whatever only might exceed it is asked step by step."""
    least = next((total.low for total in quote.totals if total.currency == budget.currency), Decimal(0))
    if least <= budget.value:
        return None
    told = (
        f"The run costs at least {money(least, budget.currency)}, and its budget is {budget.text}. Begin it?"
    )
    shown = {"budget": budget.text, **_lines(quote)}
    return Hold(rule=BUDGET, kind=ErrorKind.BUDGET_EXCEEDED, question=told, shown=shown, about="plan")


def _expected(line: QuoteLine) -> Decimal | None:
    """What a line likely costs; where nobody knows, what it costs at most."""
    return line.likely if line.likely is not None else line.high


def _lines(quote: Quote) -> dict[str, str]:
    """The dearest lines, and how many more there are."""
    ranked = sorted(quote.lines, key=lambda line: -(_expected(line) or Decimal(0)))
    shown = {f"{line.name}"[:60]: _cost(line) for line in ranked[:SHOWN]}
    more = len(ranked) - SHOWN
    return shown | ({"and": f"{more} more"} if more > 0 else {})


def _cost(line: QuoteLine) -> str:
    expected = _expected(line)
    return f"{money(expected, line.currency) if expected is not None else 'not known'}: {line.why}"[:300]
