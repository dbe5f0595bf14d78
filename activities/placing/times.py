"""How long a placement takes: when each stage ends, after all that it needs and what is brought to it first."""

from collections.abc import Callable
from operator import itemgetter

from activities.placing.terms import BYTES_PER_SECOND, At, Line, Move, Weights


class Times:
    """When every stage ends. A change is reckoned from the first stage that it makes longer or shorter."""

    def __init__(self, weights: Weights) -> None:
        """Begin with stages that are nowhere yet, and take no time."""
        self._weights = weights
        self._lengths = [0.0] * len(weights.order)
        self._known: tuple[dict[object, float], ...] = tuple({} for _ in weights.order)
        """For each stage its length, by the places that it hangs on; copies share what one has reckoned."""
        self._hangs_on = tuple(_hangs_on(weights, line) for line in weights.order)
        self._ends: list[float] = []
        """Of as many stages as are reckoned; never changed in place, so that copies share it."""
        self._reckoned = 0

    def copy(self) -> "Times":
        """Return the same, to be changed without changing this."""
        other = Times.__new__(Times)
        other.__dict__.update(self.__dict__)
        other._lengths = self._lengths[:]
        return other

    def moved(self, choice: int, at: At) -> None:
        """Know that a choice has another place: its stages, and those that wait for what it leaves, take another time."""
        for position in self._weights.waiting[choice]:
            length = self._length(position, at)
            if length != self._lengths[position]:
                self._lengths[position] = length
                self._reckoned = min(self._reckoned, position)

    @property
    def last(self) -> float:
        """When the last stage has ended."""
        order, lengths, done = self._weights.order, self._lengths, self._reckoned
        if done < len(order):
            ends = self._ends[:done]
            for line, length in zip(order[done:], lengths[done:], strict=True):
                begun = 0.0
                for other in line.before:
                    if ends[other] > begun:
                        begun = ends[other]
                ends.append(begun + length)
            self._ends, self._reckoned = ends, len(order)
        return round(max(self._ends, default=0.0), 6)

    def _length(self, position: int, at: At) -> float:
        known, places = self._known[position], self._hangs_on[position](at)
        length = known.get(places)
        if length is None:
            length = known[places] = self._length_of(self._weights.order[position], at)
        return length

    def _length_of(self, line: Line, at: At) -> float:
        place = at[line.choice]
        if place is None:
            return 0.0
        moves = (self._weights.moves[number] for number in line.moves)
        brought = max((_bringing(move, place, at) for move in moves), default=0.0)
        return brought + (self._weights.here[line.choice][line.number][place].seconds or 0.0)


def _hangs_on(weights: Weights, line: Line) -> Callable[[At], object]:
    """Return what reads the places that the length of a stage hangs on, as a key."""
    return itemgetter(line.choice, *(maker for number in line.moves for maker in weights.moves[number].maker))


def _bringing(move: Move, place: int, at: At) -> float:
    """How long it takes to bring something to a place; nothing where it is there."""
    source = move.origin if move.source is None else at[move.source]
    if source is None or source == place or place in move.there:
        return 0.0
    return (move.size or 0) / BYTES_PER_SECOND
