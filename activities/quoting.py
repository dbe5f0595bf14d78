"""Makes the quote of a plan: what each step is expected to cost, and what is missing where nobody knows. Code over data.

Low and high are bounds, likely is an expectation. A job may end at once, so its low is 0; it is stopped at its timeout, so
its high is the price of all its generations to their timeouts. What is moved costs what its size costs, on top of what
left the same connection before it in the month; where a stage may be skipped, it may cost nothing. A workflow of one's own
runs stages as often as it decides, or not at all: each is likely to cost what one time does, and nothing bounds it.
"""

from collections.abc import Iterator
from decimal import Decimal

from activities.prices import PriceBook
from activities.quoting_jobs import job_line
from activities.quoting_transfers import TransferQuotes
from contracts.plan import Plan, PlanRequest
from contracts.quotes import Quote, QuoteLine
from contracts.runs import PIPELINE_WORKFLOW
from contracts.stage_base import CommandStage
from contracts.stages import JobStage, QueryStage
from contracts.units import format_size


def quote_of(request: PlanRequest, plan: Plan, book: PriceBook) -> Quote:
    """Return the quote of a plan: a line for each job, query and endpoint, then one for each transfer that leaves."""
    moved = TransferQuotes(request, plan).lines()
    lines = (*_stage_lines(request, plan, book), *moved)
    carried = request.spec.workflow
    return Quote(
        lines=lines if carried == PIPELINE_WORKFLOW else tuple(_unbounded(line, carried) for line in lines)
    )


def _unbounded(line: QuoteLine, workflow: str) -> QuoteLine:
    """The same where a workflow of one's own says how often it is done; what costs nothing does so each time."""
    if not line.currency or line.high == 0:
        return line
    why = f"{line.why}; as often as {workflow} has it done"
    return line.model_copy(update={"low": Decimal(0), "high": None, "why": why})


def _stage_lines(request: PlanRequest, plan: Plan, book: PriceBook) -> Iterator[QuoteLine]:
    for name in plan.order:
        stage = request.spec.stages[name]
        if isinstance(stage, CommandStage):
            report = request.connections.get(plan.placements[name].connection)
            yield job_line(request.spec, name, plan.placements[name], report.region if report else "")
        if isinstance(stage, JobStage) and stage.foreach and stage.foreach.query:
            yield _query_line(name, stage.foreach.query_on, None, book)
        if isinstance(stage, QueryStage):
            yield _query_line(name, plan.placements[name].connection, stage.expect.scanned, book)


def _query_line(name: str, connection: str, scanned: int | None, book: PriceBook) -> QuoteLine:
    price = book.queries(connection)
    line = QuoteLine(kind="query", name=name, connection=connection, quantity=scanned, unit="B")
    if price is None:
        why = f"what queries on {connection} cost is not known; give it as an entry with per_tib in CAUSEWAY_PRICES"
        return line.model_copy(update={"why": why})
    told = f"{price.per_tib.normalize():f} {price.currency} a TiB read ({price.source}, as of {price.as_of})"
    known = {"low": price.cost(0), "currency": price.currency}
    if scanned is None:
        missing = "how much it reads is not known: give expect.scanned"
        why = f"{missing}; {told}"
        return line.model_copy(update={**known, "why": why})
    why = f"{format_size(scanned)} at {told}"
    return line.model_copy(update={**known, "likely": price.cost(scanned), "why": why})
