"""What the steps of a run cost at most, before they begin, and what they came to: jobs, endpoints, queries, transfers."""

from datetime import timedelta
from decimal import Decimal

from contracts.artifacts import Artifact
from contracts.foreach import Foreach
from contracts.ledger import leaves_cloud
from contracts.machines import Machine
from contracts.plan import TransferPlan
from contracts.prices import EgressPrice
from contracts.stages import JobStage
from contracts.units import format_duration, format_size
from workflows.budget import Step
from workflows.context import RunContext
from workflows.told import money


def job_step(context: RunContext, name: str, generation: int) -> Step:
    """The next generation of a job: it is stopped at its timeout, and costs no more than its machine until then."""
    timeout = context.timeout(name)
    words = f"generation {generation} of {name}"
    return _machine_step(context, name, f"{name}/g{generation}", words, timeout)


def items_step(
    context: RunContext, name: str, stage: JobStage, inputs: dict[str, Artifact], round_: int
) -> Step:
    """All items of a stage, with every retry that each of them may have."""
    each = stage.foreach
    count = _count(each, inputs) if each else 1
    step = f"{name}/r{round_}"
    if count is None:
        why = "how many items its query will find is not known; each costs at most what its machine does until its timeout"
        return Step(id=step, stage=name, words=f"each item of {name}", why=why)
    jobs = count * (context.retries(name) + 1)
    words = f"{name}, over {count} items,"
    return _machine_step(context, name, step, words, context.timeout(name) * jobs)


def endpoint_step(context: RunContext, name: str, generation: int) -> Step:
    """An endpoint: it costs until it is retired, which nothing bounds."""
    machine = context.placement(name).machine
    told = _unpriced(machine) if machine is None or machine.price is None else _priced(machine)
    why = f"{told}, until it is retired: nothing bounds that"
    return Step(id=f"{name}/e{generation}", stage=name, words=f"the endpoint of {name}", why=why)


def query_step(context: RunContext, name: str, generation: int) -> Step | None:
    """A query, where the plan knows a price for what it reads; None where nothing is billed by it."""
    lines = context.plan.quote.lines if context.plan.quote else ()
    line = next((one for one in lines if one.kind == "query" and one.name == name), None)
    if line is None:
        return None
    return Step(id=f"{name}/q{generation}", stage=name, words=f"the query of {name}", why=line.why)


def transfer_step(
    key: str, plan: TransferPlan, stage: str, size_bytes: int, before: int | None, *, whole: bool
) -> Step:
    """A transfer, on top of what the month has sent before it; where nobody knows that, at its dearest tier.

    Unless that is the whole of it, nobody knows how much it sends, nor what it costs where bytes cost anything.
    """
    words = f"bringing {plan.artifact} from {plan.source} to {plan.destination}"
    step = Step(
        id=key,
        stage=stage,
        words=words,
        size_bytes=size_bytes if leaves_cloud(plan.source, plan.destination) else 0,
        unsized=not whole and leaves_cloud(plan.source, plan.destination),
    )
    if plan.price is None:
        told = f"{format_size(size_bytes)}; what bytes from {plan.source} to {plan.destination} cost is not known"
        why = f"{told}: give an entry in the file of CAUSEWAY_PRICES"
        return step.model_copy(update={"why": why})
    if not whole and any(tier.per_gb for tier in plan.price.tiers):
        why = f"it sends more than {format_size(size_bytes)}: so much was listed, and there is more"
        return step.model_copy(update={"why": why})
    cost = transfer_cost(plan.price, size_bytes, before)
    on_top = "" if before else " at the dearest tier" if before is None else ""
    on_top = f" on top of {format_size(before)} of this month" if before else on_top
    why = f"{format_size(size_bytes)}{on_top}: at most {money(cost, plan.price.currency)}"
    return step.model_copy(update={"cost": cost, "currency": plan.price.currency, "why": why})


def transfer_cost(price: EgressPrice, size_bytes: int, before: int | None) -> Decimal:
    """What bytes cost after those that the month has sent; None where nobody knows how many: then as dearest they may be."""
    if before is not None:
        return price.cost(size_bytes, before)
    dearest = max((tier.per_gb for tier in price.tiers), default=Decimal(0))
    return dearest * size_bytes / 1_000_000_000


def job_cost(context: RunContext, name: str) -> Decimal | None:
    """What the generation that has just ended came to; nothing if there was no job, None where nobody knows."""
    job, machine = context.book.stage(name).job, context.placement(name).machine
    if job is None:
        return Decimal(0)
    seconds = job.paid_seconds
    if seconds == 0:
        return Decimal(0)
    if seconds is None or machine is None or machine.price is None:
        return None
    return machine.price.cost(seconds)


def _machine_step(context: RunContext, name: str, step: str, words: str, most: timedelta) -> Step:
    machine = context.placement(name).machine
    if machine is None or machine.price is None:
        return Step(id=step, stage=name, words=words, why=_unpriced(machine))
    cost = machine.price.cost(most.total_seconds())
    why = f"at most {money(cost, machine.price.currency)}: {format_duration(most)} of {_priced(machine)}"
    return Step(id=step, stage=name, words=words, cost=cost, currency=machine.price.currency, why=why)


def _priced(machine: Machine) -> str:
    price = machine.price
    told = f" at {price.per_hour.normalize():f} {price.currency} an hour" if price else ""
    return f"{machine.instance or 'its machine'}{told}"


def _unpriced(machine: Machine | None) -> str:
    named = (machine.instance if machine else "") or "its machine"
    return f"what {named} costs is not known: give its price to the worker, see docs/resources.md"


def _count(each: Foreach, inputs: dict[str, Artifact]) -> int | None:
    """How many items there are at most; None where only the run will tell."""
    if each.objects is not None:
        return inputs[each.objects].object_count
    if each.values is not None:
        return len(each.values)
    return len(range(*each.numbers)) if each.numbers is not None else None
