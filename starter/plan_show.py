"""A plan for a person, in 80 columns: where each stage runs and why, what is moved, what it costs, which rules it breaks."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.money import Amount
from contracts.plan import Placement, TransferPlan
from contracts.planned import Planned
from contracts.quotes import Quote, QuoteLine
from contracts.units import format_size
from starter.amounts import UNKNOWN, amount
from starter.clocks import taken
from starter.quote_show import quote_parts
from starter.tables import plain_table


def plan_view(planned: Planned) -> RenderableType:
    """The whole plan."""
    spec, plan = planned.spec, planned.plan
    title = Text.assemble((spec.pipeline, "bold"), f"  a plan; nothing was changed{_chosen_by(planned)}")
    parts: list[RenderableType] = [title, Text(), _placements(planned)]
    for name, placement in plan.placements.items():
        if placement.candidates:
            parts += [Text(), _candidates(name, placement)]
    if plan.transfers:
        parts += [Text(), _transfers(planned)]
    if plan.quote is not None:
        parts += quote_parts(plan.quote)
    return Group(*parts, Text(), *_rules(planned), *_notes(planned))


def _chosen_by(planned: Planned) -> str:
    is_open = any(placement.candidates for placement in planned.plan.placements.values())
    return f"; places are chosen by {planned.spec.choose}" if is_open else ""


def _placements(planned: Planned) -> Table:
    table = plain_table("stage", "kind", "where", fold="why")
    for name in planned.plan.order:
        placement = planned.plan.placements[name]
        where = _short(placement.connection) or "-"
        table.add_row(name, planned.spec.stages[name].kind, where, Text(_why(placement)))
    return table


def _why(placement: Placement) -> str:
    chosen = next((one.why for one in placement.candidates if one.chosen), "")
    machine = placement.machine
    if machine is None:
        return chosen
    price = machine.price
    cost = f" at {price.per_hour.normalize():f} {price.currency} an hour" if price else ""
    named = f"{machine.instance or 'a machine of the vendor'}{cost}: {machine.why}"
    return f"{chosen}; {named}" if chosen else named


def _candidates(name: str, placement: Placement) -> Table:
    table = plain_table(f"places for {name}", numbers=("cost", "time", "moved"), fold="why")
    for one in placement.candidates:
        cost = f"{amount(one.cost)} {one.currency}".strip() if one.cost is not None else UNKNOWN
        moved = UNKNOWN if one.moved_bytes is None else format_size(one.moved_bytes)
        rule = f"rule {one.rule}: " if one.rule else ""
        time = UNKNOWN if one.seconds is None else taken(one.seconds)
        mark = "* " if one.chosen else "  "
        table.add_row(f"{mark}{_short(one.connection)}", cost, time, moved, Text(f"{rule}{one.why}"))
    return table


def _transfers(planned: Planned) -> Table:
    quote = planned.plan.quote
    lines = {line.name: line for line in quote.lines if line.kind == "transfer"} if quote else {}
    table = plain_table("moved", "from", "to", "how", numbers=("bytes", "cost"))
    for key, transfer in planned.plan.transfers.items():
        table.add_row(*_transfer(transfer, lines.get(key), planned))
    return table


def _transfer(transfer: TransferPlan, line: QuoteLine | None, planned: Planned) -> Iterator[str]:
    yield transfer.artifact
    yield _short(transfer.source)
    yield _short(transfer.destination)
    yield transfer.method
    size = int(line.quantity) if line and line.quantity is not None else None
    if size is None:
        size = planned.measured.sizes.get(transfer.artifact)
    at_least = "at least " if transfer.artifact in planned.measured.at_least else ""
    yield UNKNOWN if size is None else f"{at_least}{format_size(size)}"
    if transfer.method == "local":
        yield "stays"
    else:
        yield UNKNOWN if line is None or line.likely is None else f"{amount(line.likely)} {line.currency}"


def _rules(planned: Planned) -> Iterator[RenderableType]:
    violations = planned.plan.violations
    if not violations:
        yield Text("rules: none is broken")
        return
    yield Text("rules that a run would break:", "bold red")
    for one in violations:
        about = f"{one.stage}: " if one.stage else ""
        waive = f"may be waived by {', '.join(one.may_waive)}" if one.may_waive else "nobody may waive it"
        yield Padding(Text(f"{one.rule}  {about}{one.message}; {waive}", "red"), (0, 0, 0, 2))


def _notes(planned: Planned) -> Iterator[RenderableType]:
    if planned.plan.weighed:
        yield Text(f"places: {planned.plan.weighed}", "dim")
    for uri, why in planned.measured.unmeasured.items():
        yield Text(f"not weighed: {uri}: {why}", "yellow")
    for connection, why in planned.refused.items():
        yield Text(f"not considered: {_short(connection)}: {why}", "yellow")
    spec = planned.spec
    if spec.budget:
        yield _budget(spec.budget, planned.plan.quote or Quote())
    if spec.max_egress:
        yield Text(
            f"egress: at most {format_size(spec.max_egress)}; a run waits before a transfer that would exceed it"
        )
    if planned.month is None:
        yield Text(
            "the month's ledger did not answer: tiers are counted as if nothing was sent before", "dim"
        )
    else:
        sent = sum(one.size_bytes + one.reserved_bytes for one in planned.month.sent)
        yield Text(f"{planned.month.month}: {format_size(sent)} were sent before, which tiers count", "dim")


def _budget(budget: Amount, quote: Quote) -> Text:
    waits = "a run waits for an approval before a step that could exceed it"
    total = next((one for one in quote.totals if one.currency == budget.currency), None)
    if total and total.low > budget.value:
        return Text(f"budget: {budget.text} is exceeded for certain; {waits}", "red")
    if total and total.likely > budget.value:
        return Text(f"budget: {budget.text} is less than what is likely; {waits}", "yellow")
    others = {one.currency for one in quote.totals if one.high or not one.bounded} - {budget.currency}
    if others:
        named = ", ".join(sorted(others))
        told = f"budget: {budget.text}; prices in {named} are not compared with it: a run asks before each stage that has one"
        return Text(told, "yellow")
    return Text(f"budget: {budget.text}; {waits}")


def _short(connection: str) -> str:
    return connection.removesuffix("/default")
