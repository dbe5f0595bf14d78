"""Why a place was chosen or lost, in a clause that a person understands."""

from collections.abc import Iterator
from decimal import Decimal

from activities.placing.costs import money
from activities.placing.search import At, Found
from activities.placing.terms import Move, Weights, flows
from contracts.queues import DEFAULT_CONNECTION
from contracts.spec import Choose
from contracts.units import format_size

_PARTS: dict[Choose, tuple[str, ...]] = {
    "cheapest": ("impossible", "asked", "unknown", "cost", "moved", "rank"),
    "fastest": ("impossible", "asked", "untimed", "seconds", "unknown", "cost", "moved", "rank"),
    "near_data": ("impossible", "asked", "unsized", "moved", "unknown", "cost", "rank"),
}
"""What the numbers of `State.value` are, in their order."""

_LOST = {
    "untimed": "how long it takes there is not known",
    "unsized": "what would be brought there is of unknown size",
}
_CHOSEN = {
    "impossible": "its data cannot be brought to {}",
    "asked": "fewer rules have to be waived than on {}",
    "unknown": "more of its cost is known than on {}",
    "untimed": "how long it takes on {} is not known",
    "unsized": "what would be brought to {} is of unknown size",
    "rank": "as good as {}, and written first",
}


class Words:
    """Tells placements of one search apart."""

    def __init__(self, weights: Weights, choose: Choose, found: Found) -> None:
        """Tell every other placement from this one."""
        self._weights = weights
        self._choose = choose
        self._found = found

    def lost(self, choice: int, place: int) -> str:
        """Why a choice is not at a place, by the first in which the best placement with it there is the worse."""
        worth = self._found.with_at(choice, place)
        part, more = self._first(worth.value)
        if part == "impossible":
            return self._impossible(worth.at)
        if part == "asked":
            return self._asked(choice, place)
        if part == "unknown":
            return self._unknown(worth.at, choice)
        if part == "cost":
            return f"{self._money(more)} dearer{self._because(worth.at, choice)}"
        if part == "seconds":
            return f"{_time(more)} later{self._brought(worth.at, choice)}"
        if part == "moved":
            return f"{self._as_good}{format_size(int(more))} more would be moved"
        return _LOST.get(part) or self._equal(choice)

    def chosen(self, choice: int) -> str:
        """Why a choice is where it is, and whose yes that takes."""
        why, asked = self._chosen(choice), self._weights.asks.get((choice, self._found.at[choice]))
        rules = dict.fromkeys(told.partition(":")[0] for told in asked or ())
        return f"{why}; only with a yes ({', '.join(rules)})" if rules else why

    def _asked(self, choice: int, place: int) -> str:
        told = self._weights.asks.get((choice, place))
        return f"only with a yes: {'; '.join(told)}" if told else "other stages would need a yes"

    def _chosen(self, choice: int) -> str:
        """By what it is better than the best that is elsewhere."""
        others = [
            (self._found.with_at(choice, place).value, index)
            for index, place in enumerate(self._weights.options[choice])
            if place != self._found.at[choice]
        ]
        if not others:
            return "the only place that is left"
        value, index = min(others)
        second = short(self._weights.places[self._weights.options[choice][index]])
        part, more = self._first(value)
        if part == "cost":
            return f"{self._money(more)} cheaper than {second}"
        if part == "seconds":
            return f"{_time(more)} sooner than on {second}"
        if part == "moved":
            return f"{format_size(int(more))} less are moved than to {second}"
        return _CHOSEN[part].format(second)

    @property
    def impossible(self) -> str:
        """What could not be brought where it is needed, in the placement that was found."""
        return self._impossible(self._found.at)

    def _money(self, more: float) -> str:
        known = "as far as is known, " if self._found.best_of_all.unknown else ""
        return f"{known}{amount(more)} {self._weights.currency}"

    @property
    def _as_good(self) -> str:
        return "as cheap, but " if self._choose == "cheapest" else ""

    def _first(self, value: tuple[float, ...]) -> tuple[str, float]:
        for part, one, other in zip(_PARTS[self._choose], value, self._found.value, strict=True):
            if one != other:
                return part, one - other
        return "rank", 0

    def _equal(self, choice: int) -> str:
        return f"as good as {short(self._weights.places[self._found.at[choice]])}, which is written first"

    def _impossible(self, at: At) -> str:
        for move in self._weights.moves:
            source, places = flows(move, list(at))
            for place in places:
                if not self._weights.ways[source, place].open:
                    ends = f"{short(self._weights.places[source])} nor {short(self._weights.places[place])}"
                    return f"neither {ends} can be reached from outside, so that {move.artifact} could not be brought"
        return "its data could not be brought there"

    def _unknown(self, at: At, choice: int) -> str:
        """What nobody knows there, and knows in the placement that was found."""
        for stage in self._weights.here[choice]:
            mine, other = stage.get(at[choice]), stage.get(self._found.at[choice])
            new = [why for why in (mine.missing if mine else ()) if other is None or why not in other.missing]
            if new:
                return new[0]
        moves = self._differing(at)
        held = dict(self._unpriced(self._found.at, moves))
        for key, why in self._unpriced(at, moves):
            if key not in held:
                return why
        return "less of the cost is known"

    def _differing(self, at: At) -> tuple[Move, ...]:
        """The moves that may be others than in the placement that was found."""
        others = [choice for choice, place in enumerate(at) if place != self._found.at[choice]]
        return tuple(dict.fromkeys(move for choice in others for move in self._weights.touching[choice]))

    def _unpriced(self, at: At, moves: tuple[Move, ...]) -> Iterator[tuple[tuple[str, int, int], str]]:
        for move in moves:
            source, places = flows(move, list(at))
            for place in places:
                way = self._weights.ways[source, place]
                ends = f"from {short(self._weights.places[source])} to {short(self._weights.places[place])}"
                if way.tariff is None:
                    yield (
                        (move.artifact, source, place),
                        f"what {move.artifact} {ends} costs is not known: {way.why}",
                    )
                elif move.size is None and not self._weights.tariffs[way.tariff].free:
                    yield (
                        (move.artifact, source, place),
                        f"{move.artifact} would go {ends}, and what it weighs is not known",
                    )

    def _because(self, at: At, choice: int) -> str:
        """The larger part of the difference: bytes that leave a place, or the machine."""
        own = sum(
            (stage[at[choice]].cost - stage[self._found.at[choice]].cost)
            for stage in self._weights.here[choice]
            if at[choice] in stage and self._found.at[choice] in stage
        )
        moves = self._differing(at)
        left, less = self._leaving(at, moves), self._leaving(self._found.at, moves)
        more = {source: left[source] - less.get(source, 0) for source in left}
        most = max(sorted(more), key=lambda source: more[source], default=None)
        if most is None or more[most] <= 0 or self._paid(at, moves) - self._paid(self._found.at, moves) < own:
            return ": its machine costs more there" if own > 0 else ""
        word = " more" if less.get(most) else ""
        return f": {format_size(more[most])}{word} would leave {short(self._weights.places[most])}"

    def _paid(self, at: At, moves: tuple[Move, ...]) -> int:
        """What these moves cost by themselves."""
        sent: dict[int, int] = {}
        for move in moves:
            origin, places = flows(move, list(at))
            for place in places:
                tariff = self._weights.ways[origin, place].tariff
                if tariff is not None and move.size:
                    sent[tariff] = sent.get(tariff, 0) + move.size
        return sum(self._weights.tariffs[tariff].cost(size) for tariff, size in sent.items())

    def _leaving(self, at: At, moves: tuple[Move, ...]) -> dict[int, int]:
        found: dict[int, int] = {}
        for move in moves:
            source, places = flows(move, list(at))
            if places and move.size:
                found[source] = found.get(source, 0) + move.size * len(places)
        return found

    def _brought(self, at: At, choice: int) -> str:
        more = self.moved(at, choice)
        return f": {format_size(more)} would be brought there first" if more else ""

    def moved(self, at: At, choice: int) -> int | None:
        """What crosses to where a choice is, for it; None where a size is not known."""
        total = 0
        for move in self._weights.touching[choice]:
            _, places = flows(move, list(at))
            if choice in move.takers and at[choice] in places:
                if move.size is None:
                    return None
                total += move.size
        return total


def amount(units: float) -> str:
    """Money to its first digits that say something."""
    value = money(int(units))
    for digits in (2, 4, 6):
        rounded = round(value, digits)
        if rounded >= Decimal(10) ** (1 - digits):
            return f"{rounded:f}"
    return f"{value.normalize():f}"


def short(connection: str) -> str:
    """A connection as people write it."""
    return connection.removesuffix(f"/{DEFAULT_CONNECTION}")


def _time(seconds: float) -> str:
    """A time as people say it, to the minute where it has some."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return " ".join(filter(None, (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "")))
