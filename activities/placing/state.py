"""A placement in the making, and what it comes to: one choice is changed without reckoning all others again."""

from activities.placing.terms import BYTES_PER_SECOND, Move, Weights, flows
from contracts.spec import Choose

Value = tuple[float, ...]
"""What placements are compared by; the smaller is the better, and what comes first decides first."""


class State:
    """Every choice at its place, or at none yet."""

    def __init__(self, weights: Weights, choose: Choose) -> None:
        """Begin with no place chosen but those that are the only ones."""
        self._weights = weights
        self._choose = choose
        self.at: list[int | None] = [None] * len(weights.choices)
        self.impossible = self.unknown = self.cost = self.moved = self.unsized = self.rank = 0
        self._sent = [0] * len(weights.tariffs)
        for choice, options in enumerate(weights.options):
            if len(options) == 1:
                self.put(choice, options[0])

    def put(self, choice: int, place: int | None) -> None:
        """Have a choice be at a place, or at none."""
        if self.at[choice] == place:
            return
        for move in self._weights.touching[choice]:
            self._count(move, -1)
        self._stay(choice, -1)
        self.at[choice] = place
        self._stay(choice, 1)
        for move in self._weights.touching[choice]:
            self._count(move, 1)

    @property
    def value(self) -> Value:
        """What this placement is worth by what its author wants."""
        money = (self.unknown, self.cost)
        if self._choose == "fastest":
            return (self.impossible, *self.seconds, *money, self.moved, self.rank)
        if self._choose == "near_data":
            return (self.impossible, self.unsized, self.moved, *money, self.rank)
        return (self.impossible, *money, self.moved, self.rank)

    @property
    def seconds(self) -> tuple[int, float]:
        """How many stages take nobody knows how long, and when the last of the others has ended."""
        weights, ends, unknown = self._weights, list[float](), 0
        for choice, number, before, moves in weights.order:
            place = self.at[choice]
            held = weights.here[choice][number].get(place) if place is not None else None
            unknown += held is not None and held.seconds is None
            brought = max((self._brought(weights.moves[move], place) for move in moves), default=0.0)
            begun = max((ends[other] for other in before), default=0.0)
            ends.append(begun + brought + ((held.seconds or 0.0) if held else 0.0))
        return unknown, round(max(ends, default=0.0), 6)

    def _brought(self, move: Move, place: int | None) -> float:
        _, places = flows(move, self.at)
        return (move.size or 0) / BYTES_PER_SECOND if place in places else 0.0

    def _stay(self, choice: int, sign: int) -> None:
        place = self.at[choice]
        if place is None:
            return
        self.rank += sign * self._weights.options[choice].index(place)
        for stage in self._weights.here[choice]:
            held = stage.get(place)
            if held:
                self.cost += sign * held.cost
                self.unknown += sign * len(held.missing)

    def _count(self, move: Move, sign: int) -> None:
        source, places = flows(move, self.at)
        for place in places:
            way = self._weights.ways[source, place]
            self.impossible += 0 if way.open else sign
            self.moved += sign * (move.size or 0)
            self.unsized += sign * (move.size is None or not move.counted)
            if way.tariff is None:
                self.unknown += sign
                continue
            tariff = self._weights.tariffs[way.tariff]
            if not tariff.free and (move.size is None or not move.counted):
                self.unknown += sign
            if move.size:
                held = self._sent[way.tariff]
                self._sent[way.tariff] = held + sign * move.size
                self.cost += tariff.cost(self._sent[way.tariff]) - tariff.cost(held)
