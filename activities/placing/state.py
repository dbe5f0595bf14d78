"""A placement in the making, and what it comes to: one choice is changed without reckoning all others again."""

from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple

from activities.placing.terms import At, Move, Weights, flows
from activities.placing.times import Times
from contracts.spec import Choose

Value = tuple[float, ...]
"""What placements are compared by; the smaller is the better, and what comes first decides first."""


class Brought(NamedTuple):
    """What a move comes to, with its ends at certain places."""

    impossible: int = 0
    unknown: int = 0
    moved: int = 0
    unsized: int = 0
    sent: tuple[tuple[int, int], ...] = ()
    """By tariff: how much it sends."""


class Stay(NamedTuple):
    """What the stages of a choice come to at a place."""

    rank: int = 0
    asked: int = 0
    cost: int = 0
    unknown: int = 0
    untimed: int = 0


NOTHING = Stay()


class State:
    """Every choice at its place, or at none yet."""

    def __init__(self, weights: Weights, choose: Choose) -> None:
        """Begin with no place chosen but those that are the only ones."""
        self._weights = weights
        self._choose = choose
        self.at: At = [None] * len(weights.choices)
        self.impossible = self.asked = self.unknown = self.moved = self.unsized = self.untimed = self.rank = 0
        self._machines = 0
        self._stays = tuple(_stays(weights, choice) for choice in range(len(weights.choices)))
        self._sent = [0] * len(weights.tariffs)
        self._brought = [Brought()] * len(weights.moves)
        self._known: tuple[dict[object, Brought], ...] = tuple({} for _ in weights.moves)
        """For each move what it comes to, by the places of its ends; copies share what one has reckoned."""
        self._ends = tuple(_ends(move) for move in weights.moves)
        self._times = Times(weights) if choose == "fastest" else None
        self._value: Value | None = None
        for choice, options in enumerate(weights.options):
            if len(options) == 1:
                self.put(choice, options[0])

    def copy(self) -> "State":
        """Return the same, to be changed without changing this."""
        other = State.__new__(State)
        other.__dict__.update(self.__dict__)
        other.at, other._sent, other._brought = self.at[:], self._sent[:], self._brought[:]
        other._times = self._times and self._times.copy()
        return other

    def put(self, choice: int, place: int | None) -> None:
        """Have a choice be at a place, or at none."""
        if self.at[choice] == place:
            return
        self._value = None
        self._stay(choice, self.at[choice], place)
        self.at[choice] = place
        for number in self._weights.parts[choice]:
            self._bring(number)
        if self._times:
            self._times.moved(choice, self.at)

    @property
    def cost(self) -> int:
        """What is known of what it costs."""
        sent = zip(self._weights.tariffs, self._sent, strict=True)
        return self._machines + sum(tariff.cost(size) for tariff, size in sent if size)

    @property
    def value(self) -> Value:
        """What this placement is worth by what its author wants."""
        if self._value is None:
            self._value = self._worth()
        return self._value

    def _worth(self) -> Value:
        money = (self.unknown, self.cost)
        may = (self.impossible, self.asked)
        if self._times:
            return (*may, self.untimed, self._times.last, *money, self.moved, self.rank)
        if self._choose == "near_data":
            return (*may, self.unsized, self.moved, *money, self.rank)
        return (*may, *money, self.moved, self.rank)

    def _stay(self, choice: int, old: int | None, new: int | None) -> None:
        """Count what a choice comes to at a place, in that of what it came to at another."""
        before, now = self._stays[choice].get(old, NOTHING), self._stays[choice].get(new, NOTHING)
        self.rank += now.rank - before.rank
        self.asked += now.asked - before.asked
        self._machines += now.cost - before.cost
        self.unknown += now.unknown - before.unknown
        self.untimed += now.untimed - before.untimed

    def _bring(self, number: int) -> None:
        """Count what a move comes to now, in the place of what it came to before."""
        known, ends, old = self._known[number], self._ends[number](self.at), self._brought[number]
        new = known.get(ends)
        if new is None:
            new = known[ends] = self._reckoned(self._weights.moves[number])
        if new == old:
            return
        self._brought[number] = new
        self.impossible += new.impossible - old.impossible
        self.unknown += new.unknown - old.unknown
        self.moved += new.moved - old.moved
        self.unsized += new.unsized - old.unsized
        for tariff, size in old.sent:
            self._sent[tariff] -= size
        for tariff, size in new.sent:
            self._sent[tariff] += size

    def _reckoned(self, move: Move) -> Brought:
        source, places = flows(move, self.at)
        size = move.size or 0
        surely = move.size is not None and move.counted
        ways = [self._weights.ways[source, place] for place in places]
        tariffs = [way.tariff for way in ways if way.tariff is not None]
        unsure = [] if surely else [tariff for tariff in tariffs if not self._weights.tariffs[tariff].free]
        return Brought(
            impossible=sum(not way.open for way in ways),
            unknown=len(ways) - len(tariffs) + len(unsure),
            moved=size * len(ways),
            unsized=0 if surely else len(ways),
            sent=tuple((tariff, size) for tariff in tariffs),
        )


def _stays(weights: Weights, choice: int) -> dict[int | None, Stay]:
    """What a choice comes to by itself, at each of its places."""
    found: dict[int | None, Stay] = {}
    for rank, place in enumerate(weights.options[choice]):
        held = [stage[place] for stage in weights.here[choice] if place in stage]
        found[place] = Stay(
            rank=rank,
            asked=len(weights.asks.get((choice, place), ())),
            cost=sum(here.cost for here in held),
            unknown=sum(len(here.missing) for here in held),
            untimed=sum(here.seconds is None for here in held),
        )
    return found


def _ends(move: Move) -> Callable[[At], object]:
    """Return what reads the places of all that a move is from or to, as a key."""
    return itemgetter(*move.maker, *move.takers)
