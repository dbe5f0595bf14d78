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
        self.impossible = self.asked = self.unknown = self.moved = self.unsized = self.untimed = self.rank = (
            self._stays
        ) = 0
        self._sent = [0] * len(weights.tariffs)
        self._ends = [0.0] * len(weights.order)
        self._stale = 0
        """From which stage on the ends are no longer what they were."""
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
        self._stale = min(self._stale, self._weights.first[choice])
        self._stay(choice, 1)
        for move in self._weights.touching[choice]:
            self._count(move, 1)

    @property
    def cost(self) -> int:
        """What is known of what it costs."""
        sent = zip(self._weights.tariffs, self._sent, strict=True)
        return self._stays + sum(tariff.cost(size) for tariff, size in sent if size)

    @property
    def value(self) -> Value:
        """What this placement is worth by what its author wants."""
        money = (self.unknown, self.cost)
        may = (self.impossible, self.asked)
        if self._choose == "fastest":
            return (*may, *self.seconds, *money, self.moved, self.rank)
        if self._choose == "near_data":
            return (*may, self.unsized, self.moved, *money, self.rank)
        return (*may, *money, self.moved, self.rank)

    @property
    def seconds(self) -> tuple[int, float]:
        """How many stages take nobody knows how long, and when the last of the others has ended."""
        weights, ends, at = self._weights, self._ends, self.at
        for position in range(self._stale, len(weights.order)):
            choice, number, before, moves = weights.order[position]
            begun = brought = 0.0
            for other in before:
                begun = max(begun, ends[other])
            place = at[choice] if choice >= 0 else None
            if place is not None:
                for which in moves:
                    brought = max(brought, self._bringing(weights.moves[which], place))
                begun += brought + (weights.here[choice][number][place].seconds or 0.0)
            ends[position] = begun
        self._stale = len(weights.order)
        return self.untimed, round(max(ends, default=0.0), 6)

    def _bringing(self, move: Move, place: int) -> float:
        """How long it takes to bring something to a place; nothing where it is there."""
        source = move.origin if move.source is None else self.at[move.source]
        if source is None or source == place or place in move.there:
            return 0.0
        return (move.size or 0) / BYTES_PER_SECOND

    def _stay(self, choice: int, sign: int) -> None:
        place = self.at[choice]
        if place is None:
            return
        self.rank += sign * self._weights.options[choice].index(place)
        self.asked += sign * len(self._weights.asks.get((choice, place), ()))
        for stage in self._weights.here[choice]:
            held = stage.get(place)
            if held:
                self._stays += sign * held.cost
                self.unknown += sign * len(held.missing)
                self.untimed += sign * (held.seconds is None)

    def _count(self, move: Move, sign: int) -> None:
        source, places = flows(move, self.at)
        size = move.size or 0
        surely = move.size is not None and move.counted
        for place in places:
            way = self._weights.ways[source, place]
            if not way.open:
                self.impossible += sign
            self.moved += sign * size
            if not surely:
                self.unsized += sign
            if way.tariff is None:
                self.unknown += sign
                continue
            self._sent[way.tariff] += sign * size
            if not surely and not self._weights.tariffs[way.tariff].free:
                self.unknown += sign
