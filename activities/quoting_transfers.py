"""What the transfers of a plan are expected to cost: bytes by the tiers of the month, in the order they are planned in."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from activities.quoting_jobs import items_of
from contracts.choices import leaves
from contracts.graph import OutputName, resolve
from contracts.plan import Plan, PlanRequest, TransferPlan, picked_key
from contracts.prices import EgressPrice
from contracts.queues import Cloud, cloud_of
from contracts.quotes import QuoteLine
from contracts.stage_base import CommandStage, StageBase
from contracts.stages import CopyStage, PickStage, inputs_of, outputs_of
from contracts.units import format_size


@dataclass(frozen=True)
class Size:
    """What something is known, or expected, to weigh."""

    size_bytes: int
    certain: bool = False
    """Measured, and to its end."""
    more: bool = False
    """Measured, and not to its end: it weighs at least so much."""


@dataclass(frozen=True)
class _Told:
    """Where a price is from, and how many stages there are of which one is picked; one where nothing is picked."""

    source: str
    others: int


class TransferQuotes:
    """The transfers of one plan; each costs what it does on top of those before it from the same connection."""

    def __init__(self, request: PlanRequest, plan: Plan) -> None:
        """Quote these."""
        self._request = request
        self._spec = request.spec
        self._plan = plan
        self._sent: dict[tuple[str, EgressPrice], int] = defaultdict(int)

    def lines(self) -> Iterator[QuoteLine]:
        """A line for each transfer that leaves a connection; one that stays costs nothing and has none."""
        for key, transfer in self._plan.transfers.items():
            if transfer.method != "local":
                yield self._line(key, transfer)

    def _line(self, key: str, transfer: TransferPlan) -> QuoteLine:
        origin, leaf = self._origin(key, transfer)
        size = (
            _picked(self._request, leaf, origin.output) if leaf else size_of(self._request, transfer.artifact)
        )
        line = QuoteLine(
            kind="transfer",
            name=key,
            connection=transfer.source,
            quantity=size.size_bytes if size and not size.more else None,
            unit="B",
        )
        price = transfer.price
        if price is None:
            return line.model_copy(update={"why": _unpriced(transfer)})
        told = f"{price.source}, as of {price.as_of}"
        line = line.model_copy(update={"low": Decimal(0), "currency": price.currency})
        if not any(tier.per_gb for tier in price.tiers):
            nothing = {"likely": Decimal(0), "high": Decimal(0), "why": f"nothing is billed for it ({told})"}
            return line.model_copy(update=nothing)
        if size is None:
            return line.model_copy(update={"why": self._unweighed(leaf or origin.stage)})
        others = len(leaves(self._spec, origin.stage)) if leaf else 1
        return self._priced(line, transfer, size, _Told(told, others))

    def _unweighed(self, name: str) -> str:
        stage = self._spec.stages[name]
        if isinstance(stage, CommandStage) and items_of(stage) is None and stage.expect.output_size:
            return f"one item of {name} is moved, and how many there are is not known"
        return f"what it weighs is not known: give expect.output_size of {name}"

    def _origin(self, key: str, transfer: TransferPlan) -> tuple[OutputName, str]:
        """Return the output that is moved, and of a pick's the stage that may have left it; empty where there is no pick.

        A copy of what a stage left moves that under its own name.
        """
        spec = self._spec
        stage, _, output = transfer.artifact.partition(".")
        origin = OutputName(stage=stage, output=output)
        copied = spec.stages[stage]
        while isinstance(copied, CopyStage) and copied.inputs:
            origin = resolve(spec, next(iter(copied.inputs.values())))
            copied = spec.stages[origin.stage]
        picked = leaves(spec, origin.stage) if isinstance(copied, PickStage) else ()
        keys = {picked_key(transfer.artifact, leaf, transfer.destination): leaf for leaf in picked}
        return origin, keys.get(key, "")

    def _priced(self, line: QuoteLine, transfer: TransferPlan, size: Size, told: "_Told") -> QuoteLine:
        price = transfer.price
        assert price is not None  # noqa: S101 - asked before
        before = self._before(transfer, price)
        cost = price.cost(size.size_bytes, before)
        self._sent[(transfer.source, price)] += size.size_bytes
        on_top = f" on top of {format_size(before)} of this month" if before else ""
        weighs = "at least " if size.more else "" if size.certain else "about "
        one_of = f"one of {told.others} that may be picked; " if told.others > 1 else ""
        why = f"{one_of}{weighs}{format_size(size.size_bytes)}{on_top} ({told.source})"
        sure = told.others == 1 and self._sure(transfer)
        if size.more:
            return line.model_copy(update={"low": cost if sure else Decimal(0), "why": why})
        found = {
            "likely": cost / told.others,
            "low": cost if size.certain and sure else Decimal(0),
            "high": cost if size.certain else None,
            "why": why,
        }
        return line.model_copy(update=found)

    def _before(self, transfer: TransferPlan, price: EgressPrice) -> int:
        """What counts as sent already this month. A price without tiers is the same however much was sent."""
        month = self._request.month
        earlier = month.before(transfer.source) if month and len(price.tiers) > 1 else 0
        return earlier + self._sent[(transfer.source, price)]

    def _sure(self, transfer: TransferPlan) -> bool:
        """Whether a run that reaches its end has done it: no stage on the way may be skipped, nothing lie there already."""
        takers = [
            name
            for name, placement in self._plan.placements.items()
            if any(self._plan.transfers[key] is transfer for key in placement.transfers)
        ]
        fresh = all(
            not isinstance(stage, CopyStage) or stage.target is None
            for stage in map(self._spec.stages.__getitem__, takers)
        )
        return fresh and any(map(self._certain, takers))

    def _certain(self, name: str) -> bool:
        on_the_way, found = [name], set[str]()
        while on_the_way:
            one = on_the_way.pop()
            if one not in found:
                found.add(one)
                on_the_way += self._plan.placements[one].needs
        stages = self._spec.stages
        return all(stages[one].when is None and self._spec.on_failure_of(one) != "skip" for one in found)


def size_of(request: PlanRequest, artifact: str) -> Size | None:
    """Return what `stage.output` weighs: as measured, else as its author expects; None where nobody knows.

    Of a stage with several outputs each counts as an equal share of what they are expected to weigh together, and of a
    pick the heaviest that it may come to pick.
    """
    name, _, output = artifact.partition(".")
    spec = request.spec
    stage = spec.stages[name]
    source = stage.source if isinstance(stage, CopyStage) else None
    for known in (artifact, source):
        if known and known in request.sizes:
            more = known in request.at_least
            return Size(request.sizes[known], certain=not more, more=more)
    if isinstance(stage, CopyStage) and stage.inputs:
        return size_of(request, resolve(spec, next(iter(inputs_of(stage).values()))).text)
    if isinstance(stage, PickStage):
        found = [_picked(request, leaf, output) for leaf in leaves(spec, name)]
        known_all = [size for size in found if size]
        return max(known_all, key=lambda size: size.size_bytes) if len(known_all) == len(found) else None
    whole = stage.expect.output_size if isinstance(stage, StageBase) else None
    return Size(whole // max(1, len(outputs_of(stage)))) if whole else None


def _picked(request: PlanRequest, leaf: str, output: str) -> Size | None:
    """What a pick takes of a stage: of one that runs over items what one of them left, an equal share of it all."""
    size, stage = size_of(request, f"{leaf}.{output}"), request.spec.stages[leaf]
    items = items_of(stage) if isinstance(stage, CommandStage) else 1
    if items is None or size is None:
        return None
    return Size(size.size_bytes // items, more=size.more) if items > 1 else size


def _unpriced(transfer: TransferPlan) -> str:
    source, destination = transfer.source, transfer.destination
    if cloud_of(source) is Cloud.ONPREM:
        what = "what a line out of your own premises costs is not known"
    else:
        what = f"what bytes from {source} to {destination} cost is not known"
    return f"{what}: give an entry `from: {source}, to: {destination}` in the file of CAUSEWAY_PRICES"
