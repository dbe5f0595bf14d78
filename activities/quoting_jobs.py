"""What a job, or an endpoint, is expected to cost: seconds of its machine. Code over data."""

from datetime import timedelta
from decimal import Decimal

from contracts.foreach import Foreach
from contracts.inference import DeployStage
from contracts.machines import HourPrice, Machine
from contracts.plan import Placement
from contracts.quotes import CostKind, QuoteLine
from contracts.spec import PipelineSpec
from contracts.stage_base import CommandStage, Expect
from contracts.stages import JobStage
from contracts.units import format_duration

HOUR = Decimal(3600)
FINEST = Decimal("1e-9")
"""So much of a currency is told apart."""
STAYS = "until you remove it: it stays when the run has ended, and the run counts it until then"


def job_line(spec: PipelineSpec, name: str, placement: Placement, region: str) -> QuoteLine:
    """Return what a stage's jobs, or the endpoint that it deploys, cost on the machine that the plan chose."""
    stage, machine = spec.stages[name], placement.machine
    assert isinstance(stage, CommandStage)  # noqa: S101 - nothing else has a machine
    kind: CostKind = "endpoint" if isinstance(stage, DeployStage) else "compute"
    line = QuoteLine(kind=kind, name=name, connection=placement.connection, unit="s")
    if machine is None or machine.price is None:
        return line.model_copy(update={"why": _unpriced(machine, placement.connection)})
    told = _told(machine, machine.price, region)
    line = line.model_copy(update={"low": Decimal(0), "currency": machine.price.currency})
    expectation = expected(stage.expect, line.connection)
    if isinstance(stage, DeployStage):
        missing = "" if expectation else "how long it stands is not known: give expect.duration; "
        ends = "until it is retired" if stage.temporary else STAYS
        why = f"{missing}{told} {ends}"
        return _likely(line, machine, expectation, why)
    items, longest = items_of(stage), spec.timeout_of(name)
    if items is None:
        most = cost_of(machine.price, longest * (1 + spec.retries_of(name)))
        each = f"each costs at most {most.normalize():f} {line.currency}"
        why = f"how many items there are is not known, {each}; {told}"
        return line.model_copy(update={"why": why})
    bound = longest * (1 + spec.retries_of(name)) * items
    line = line.model_copy(update={"high": cost_of(machine.price, bound)})
    missing = "" if expectation else "how long it runs is not known: give expect.duration; "
    stopped = _stopped(items, longest, spec.retries_of(name))
    why = f"{missing}{_each(items, expectation)}{told}; {stopped}"
    return _likely(line, machine, min(expectation, longest) * items if expectation else None, why)


def expected(expect: Expect, connection: str) -> timedelta | None:
    """How long the author expects a job to run on a connection; None where nobody said."""
    if isinstance(expect.duration, dict):
        return expect.duration.get(connection)
    return expect.duration


def items_of(stage: CommandStage) -> int | None:
    """How many jobs a stage runs; None where only the run will tell."""
    each: Foreach | None = stage.foreach if isinstance(stage, JobStage) else None
    if each is None:
        return 1
    if each.values is not None:
        return len(each.values)
    return len(range(*each.numbers)) if each.numbers is not None else None


def cost_of(price: HourPrice, time: timedelta) -> Decimal:
    """Return what a machine costs for a time."""
    return (price.per_hour * Decimal(str(time.total_seconds())) / HOUR).quantize(FINEST)


def _likely(line: QuoteLine, machine: Machine, time: timedelta | None, why: str) -> QuoteLine:
    assert machine.price is not None  # noqa: S101 - asked before
    seconds = None if time is None else time.total_seconds()
    if machine.spot:
        # The price of what may be taken away is a bound: nobody here knows how much less it costs.
        return line.model_copy(update={"quantity": seconds, "why": why})
    likely = None if time is None else cost_of(machine.price, time)
    return line.model_copy(update={"quantity": seconds, "likely": likely, "why": why})


def _told(machine: Machine, price: HourPrice, region: str) -> str:
    """The price of an hour in words, and that it is another region's where it is."""
    where = f"in {price.region}" if price.region else ""
    if region and price.region and region != price.region:
        where += f", not in {region} where the job runs: there it may be another"
    cost = f"{price.per_hour.normalize():f} {price.currency} an hour"
    spot = "; spot costs less, how much is not known" if machine.spot else ""
    source = ", ".join(part for part in (where, f"as of {price.as_of}", price.source) if part)
    return f"{machine.instance or 'the machine'} at {cost} ({source}){spot}"


def _unpriced(machine: Machine | None, connection: str) -> str:
    if machine is None:
        return "which machine it gets is not known"
    named = machine.instance or "a machine of the vendor's choice"
    cloud = connection.partition("/")[0]
    setting = "CAUSEWAY_ONPREM_PRICE" if cloud == "onprem" else "its price in the file of CAUSEWAY_MACHINES"
    return f"what {named} costs is not known: give {setting} to the worker of {connection}"


def _each(items: int, time: timedelta | None) -> str:
    times = f"{items} times " if items != 1 else ""
    return f"{times}{format_duration(time)} of " if time else times and f"{times}on "


def _stopped(items: int, longest: timedelta, retries: int) -> str:
    again = f" and tried again {retries} times" if retries > 1 else " and tried again once" if retries else ""
    each = "each is" if items != 1 else "it is"
    return f"{each} stopped after {format_duration(longest)}{again} at most"
