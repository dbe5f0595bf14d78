"""Builds what a placement is weighed by from a request to plan, the price book, and the places that are left.

What is assumed: a stage that may be skipped is counted as if it ran; an output of several weighs an equal share of what
they are expected to weigh together; of a pick each stage that it may pick is counted with its share of one transfer.
"""

from collections.abc import Iterator

from activities.placing.costs import Costs
from activities.placing.options import Options
from activities.placing.terms import NOWHERE, Line, Move, Tariff, Way, Weights
from activities.prices import PriceBook
from activities.quoting_transfers import Size, size_of
from contracts.artifacts import locate
from contracts.choices import leaves
from contracts.graph import needs, order, resolve
from contracts.places import leader_of
from contracts.plan import PlanRequest
from contracts.policy import Violation, listed
from contracts.queues import CLOUD_OF_SCHEME, normalise
from contracts.stage_base import StageBase
from contracts.stages import CopyStage, PickStage, inputs_of


class Gathering:
    """One request, numbered: places by their names, choices in an order that respects needs."""

    def __init__(self, request: PlanRequest, options: Options, book: PriceBook) -> None:
        """Number everything by name, so that what came in another order is the same."""
        stages = options.spec.stages
        self._spec = options.spec.model_copy(
            update={"stages": {name: stages[name] for name in sorted(stages)}}
        )
        self._request = request.model_copy(update={"spec": self._spec})
        self._options = options
        self._book = book
        self._order = order(self._spec)
        self._where = {name: self._places_of(name) for name in self._order}
        self._leaders = tuple(
            name for name in self._order if self._where[name] and leader_of(self._spec, name) == name
        )
        self._members: dict[str, tuple[str, ...]] = dict.fromkeys(self._leaders, ())
        for name in self._order:
            if self._where[name]:
                self._members[leader_of(self._spec, name)] += (name,)
        named = {place for places in self._where.values() for place in places}
        self._places = tuple(sorted(named | {*self._origins()}))
        self._number = {place: number for number, place in enumerate(self._places)}
        self._choice = {
            name: number for number, leader in enumerate(self._leaders) for name in self._members[leader]
        }
        self._tariffs: dict[Tariff, int] = {}
        self._costs = Costs(self._request, book)

    def weights(self) -> Weights:
        """Return all there is to weigh."""
        moves, wanted = self._moves()
        position = {name: number for number, name in enumerate(self._order)}
        ways = {
            (one, other): self._way(one, other)
            for one in range(len(self._places))
            for other in range(len(self._places))
            if one != other
        }
        return Weights(
            places=self._places,
            choices=self._leaders,
            options=tuple(
                tuple(self._number[place] for place in self._where[leader]) for leader in self._leaders
            ),
            here=tuple(
                tuple(
                    {self._number[place]: self._costs.here(name, place) for place in self._where[leader]}
                    for name in self._members[leader]
                )
                for leader in self._leaders
            ),
            moves=tuple(moves),
            ways=ways,
            tariffs=tuple(self._tariffs),
            order=tuple(self._line(name, wanted.get(name, ()), position) for name in self._order),
            currency=self._costs.currency,
            asks={
                (self._choice[leader], self._number[place]): tuple(map(_question, broken))
                for leader in self._leaders
                for place in self._where[leader]
                if (broken := self._options.asks(leader, place))
            },
        )

    def stages_of(self, choice: int) -> tuple[str, ...]:
        """The stages that are placed by a choice, the one that gives it its name first."""
        leader = self._leaders[choice]
        return (leader, *(name for name in self._members[leader] if name != leader))

    def _places_of(self, name: str) -> tuple[str, ...]:
        leader = leader_of(self._spec, name)
        stage = self._spec.stages[leader]
        if not isinstance(stage, StageBase):
            return ()
        return self._options.left.get(leader, stage.places)

    def _origins(self) -> Iterator[str]:
        """Where what copies read lies."""
        for stage in self._spec.stages.values():
            if isinstance(stage, CopyStage) and stage.source:
                yield _owner(stage)

    def _line(self, name: str, moves: tuple[int, ...], position: dict[str, int]) -> Line:
        before = tuple(sorted(position[other] for other in needs(self._spec, name)))
        if name not in self._choice:
            return Line(NOWHERE, 0, before, moves)
        members = self._members[leader_of(self._spec, name)]
        return Line(self._choice[name], members.index(name), before, moves)

    def _moves(self) -> tuple[list[Move], dict[str, tuple[int, ...]]]:
        """Every movement that may come to be, and which of them each stage waits for."""
        takers: dict[tuple[str, str], list[str]] = {}
        for name in self._order:
            for key in self._brought(name):
                takers.setdefault(key, []).append(name)
        moves = [self._move(artifact, maker, names) for (artifact, maker), names in takers.items()]
        wanted: dict[str, list[int]] = {}
        for number, names in enumerate(takers.values()):
            for name in names:
                wanted.setdefault(name, []).append(number)
        return moves, {name: tuple(numbers) for name, numbers in wanted.items()}

    def _brought(self, name: str) -> Iterator[tuple[str, str]]:
        """What is brought to where a stage runs: `stage.output`, and the stage or connection that it comes from."""
        stage = self._spec.stages[name]
        if isinstance(stage, CopyStage) and stage.source:
            yield f"{name}.data", _owner(stage)
            return
        for written in dict.fromkeys(inputs_of(stage).values()):
            item = resolve(self._spec, written)
            artifact = f"{name}.data" if isinstance(stage, CopyStage) else item.text
            picked = isinstance(self._spec.stages[item.stage], PickStage)
            for maker in leaves(self._spec, item.stage) if picked else (item.stage,):
                yield artifact, maker

    def _move(self, artifact: str, maker: str, takers: list[str]) -> Move:
        size = size_of(self._request, artifact)
        lies = maker in self._number
        if not lies:
            size = self._share(artifact, size, takers)
        there = self._request.standing.lies.get(artifact, ())
        return Move(
            artifact=artifact,
            source=None if lies else self._choice[maker],
            origin=self._number[maker] if lies else -1,
            takers=tuple(sorted({self._choice[name] for name in takers})),
            size=size.size_bytes if size else None,
            counted=size is not None and not size.more,
            there=frozenset(self._number[place] for place in there if place in self._number),
        )

    def _share(self, artifact: str, size: Size | None, takers: list[str]) -> Size | None:
        """Of what a pick may pick, each counts as often as one of all is brought."""
        inputs = {written for name in takers for written in inputs_of(self._spec.stages[name]).values()}
        named = {resolve(self._spec, written) for written in inputs}
        producer = artifact.partition(".")[0]
        if isinstance(self._spec.stages[producer], CopyStage):
            item = next(iter(named))
        else:
            item = next(found for found in named if found.text == artifact)
        if size is None or not isinstance(self._spec.stages[item.stage], PickStage):
            return size
        return Size(size.size_bytes // len(leaves(self._spec, item.stage)), size.certain, size.more)

    def _way(self, one: int, other: int) -> Way:
        source, destination = self._places[one], self._places[other]
        reports = self._request.connections
        held, to = reports.get(source), reports.get(destination)
        opened = not held or not to or held.readable_from_outside or to.readable_from_outside
        regions = (held.region if held else "", to.region if to else "")
        quote = self._book.quote(source, destination, *regions)
        if quote.price is None:
            return Way(why=quote.why, open=opened)
        if quote.price.currency != self._costs.currency and any(tier.per_gb for tier in quote.price.tiers):
            why = f"it is priced in {quote.price.currency}, which is not compared with {self._costs.currency}"
            return Way(why=why, open=opened)
        month = self._request.month
        tariff = Tariff.of(one, quote.price, month.before(source) if month else 0)
        return Way(tariff=self._tariffs.setdefault(tariff, len(self._tariffs)), open=opened)


def _question(broken: Violation) -> str:
    return f"rule {broken.rule}: {broken.message} ({listed(broken.may_waive)} may waive it)"


def _owner(stage: CopyStage) -> str:
    return stage.source_on or normalise(CLOUD_OF_SCHEME[locate(str(stage.source)).scheme])
