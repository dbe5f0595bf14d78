"""What each stage costs and takes at each place, in the one currency that is compared."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from activities.placing.terms import UNIT, Here
from activities.prices import PriceBook
from activities.quoting_jobs import FINEST, cost_of, expected, items_of
from contracts.inference import DeployStage
from contracts.machines import Machine
from contracts.places import open_places
from contracts.plan import PlanRequest
from contracts.stage_base import CommandStage, StageBase
from contracts.stages import JobStage, QueryStage


class Costs:
    """The costs of one request."""

    def __init__(self, request: PlanRequest, book: PriceBook) -> None:
        """Find the currency: the one of the budget, else the one that most prices of the request are in."""
        self._request = request
        self._spec = request.spec
        self._book = book
        self.currency = self._spec.budget.currency if self._spec.budget else self._commonest()

    def here(self, name: str, place: str) -> Here:
        """What a stage is at a place."""
        stage = self._spec.stages[name]
        if isinstance(stage, CommandStage):
            return self._job(name, stage, place)
        time = expected(stage.expect, place) if isinstance(stage, StageBase) else None
        seconds = time.total_seconds() if time else 0.0
        if isinstance(stage, QueryStage):
            return self._query(stage, place, seconds)
        return Here(seconds=seconds)

    def _job(self, name: str, stage: CommandStage, place: str) -> Here:
        time, items = expected(stage.expect, place), items_of(stage)
        if isinstance(stage, DeployStage):
            cost, missing = self._priced(self._machine(name, place), time, items)
            return Here(cost=cost, missing=missing)
        time = None if time is None else min(time, self._spec.timeout_of(name))
        cost, missing = self._priced(self._machine(name, place), time, items)
        return Here(cost=cost, missing=missing, seconds=_seconds(stage, time, items))

    def _priced(
        self, machine: Machine | None, time: timedelta | None, items: int | None
    ) -> tuple[int, tuple[str, ...]]:
        price = machine.price if machine else None
        if machine is None or price is None:
            named = (
                f"what {machine.instance} costs" if machine and machine.instance else "what its machine costs"
            )
            return 0, (f"{named} is not known",)
        if price.currency != self.currency:
            return 0, (
                f"its machine is priced in {price.currency}, which is not compared with {self.currency}",
            )
        if machine.spot:
            return 0, ("what spot costs is not known",)
        if time is None:
            return 0, ("how long it runs is not known",)
        if items is None:
            return 0, ("how many items it has is not known",)
        return int(cost_of(price, time * items) * UNIT), ()

    def _query(self, stage: QueryStage, place: str, seconds: float) -> Here:
        price, scanned = self._book.queries(place), stage.expect.scanned
        if price is None or scanned is None or price.currency != self.currency:
            missing = "what queries cost there" if price is None else "how much it reads"
            return Here(missing=(f"{missing} is not known",), seconds=seconds)
        return Here(cost=int(price.cost(scanned) * UNIT), seconds=seconds)

    def _machine(self, name: str, place: str) -> Machine | None:
        report = self._request.connections.get(place)
        return report.machines.get(name) if report else None

    def _commonest(self) -> str:
        counted = Counter(self._currencies())
        return min(counted, key=lambda currency: (-counted[currency], currency), default="USD")

    def _currencies(self) -> Iterator[str]:
        for report in self._request.connections.values():
            yield from (machine.price.currency for machine in report.machines.values() if machine.price)
        used = {
            *self._request.connections,
            *(place for places in open_places(self._spec).values() for place in places),
        }
        for one in used:
            for other in used - {one}:
                price = self._book.quote(one, other).price
                if price:
                    yield price.currency


def money(amount: int) -> Decimal:
    """An amount as the book has it."""
    return (Decimal(amount) / UNIT).quantize(FINEST)


def _seconds(stage: CommandStage, time: timedelta | None, items: int | None) -> float | None:
    """How long all its items take, as many at once as it lets run."""
    if time is None or items is None:
        return None
    at_once = stage.foreach.max_parallel if isinstance(stage, JobStage) and stage.foreach else 1
    return time.total_seconds() * -(-items // at_once)
