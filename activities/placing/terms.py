"""What a placement is weighed by: what each stage costs at each place, what crosses between places, and at which price.

Amounts of money are whole numbers of 10^-18 of the one currency that is compared, so that sums are exact in any order.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from contracts.prices import GB, EgressPrice

UNIT = Decimal(10) ** 18
BYTES_PER_SECOND = 50_000_000
"""What a transfer between clouds is reckoned to bring: about what eight parts in flight reach over the internet."""

At = list[int | None]
"""The place of each choice; None where it has none yet."""
NOWHERE = -1
"""The choice of a stage that takes no place: it waits or decides."""


@dataclass(frozen=True)
class Tariff:
    """The price of what leaves one connection, on top of what left it this month already."""

    source: int
    tiers: tuple[tuple[int | None, int], ...]
    """Bytes of the month up to which a tier goes, and its price for a byte."""
    before: int = 0

    @classmethod
    def of(cls, source: int, price: EgressPrice, before: int) -> "Tariff":
        """Read a price of the book; where there is but one tier it is the same however much was sent."""
        tiers = tuple(
            (None if tier.up_to_gb is None else int(tier.up_to_gb * GB), int(tier.per_gb / GB * UNIT))
            for tier in price.tiers
        )
        return cls(source, tiers, before if len(tiers) > 1 else 0)

    @cached_property
    def free(self) -> bool:
        """Whether it costs nothing however much it is."""
        return not any(price for _, price in self.tiers)

    def cost(self, size_bytes: int) -> int:
        """What so many bytes cost."""
        return self._total(self.before + size_bytes) - self._total(self.before)

    def _total(self, size_bytes: int) -> int:
        total = below = 0
        for end, price in self.tiers:
            upto = size_bytes if end is None else min(size_bytes, end)
            if upto > below:
                total += (upto - below) * price
                below = upto
        return total


@dataclass(frozen=True)
class Way:
    """From one place to another."""

    tariff: int | None = None
    """Which of the tariffs; None where no price is known that could be compared."""
    why: str = ""
    """Why there is none."""
    open: bool = True
    """Whether a transfer can be made at all."""


@dataclass(frozen=True)
class Here:
    """One stage at one place."""

    cost: int = 0
    missing: tuple[str, ...] = ()
    """What of its cost is not known, each a clause for people."""
    seconds: float | None = 0.0
    """How long it takes; None where nobody knows."""


@dataclass(frozen=True)
class Move:
    """Something that is brought to each place where it is read, once to each, unless it is there."""

    artifact: str
    source: int | None
    """The number of the choice where it is made; None where it lies at `origin`, whatever is chosen."""
    origin: int
    takers: tuple[int, ...]
    """The choices where it is read."""
    size: int | None
    counted: bool = True
    """Whether its size was counted to the end, or is expected; otherwise it is at least so much."""
    there: frozenset[int] = frozenset()
    """Places where it lies already."""

    @property
    def maker(self) -> tuple[int, ...]:
        """The choice where it is made; none where it lies at `origin`."""
        return () if self.source is None else (self.source,)


@dataclass(frozen=True)
class Line:
    """A stage, for the time it takes."""

    choice: int
    """The choice that places it; `NOWHERE` where it runs nowhere."""
    number: int
    """Which of the stages of that choice it is."""
    before: tuple[int, ...]
    """Where those that it needs stand in the order."""
    moves: tuple[int, ...]
    """The moves that it waits for."""


@dataclass
class Weights:
    """All there is to weigh. Places and choices are numbered: whoever builds this sorts them, so the same is the same."""

    places: tuple[str, ...]
    choices: tuple[str, ...]
    """Names of the stages that a place is chosen for, with those that go with each; many have but one place."""
    options: tuple[tuple[int, ...], ...]
    """For each choice its places, in the order of the author."""
    here: tuple[tuple[dict[int, Here], ...], ...]
    """For each choice and each of its stages: what it is at each place."""
    moves: tuple[Move, ...]
    ways: dict[tuple[int, int], Way]
    tariffs: tuple[Tariff, ...]
    order: tuple[Line, ...] = ()
    """For the time it takes: every stage, each after all that it needs."""
    currency: str = ""
    asks: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    """By choice and place: what somebody would have to say yes to first, each a clause for people."""
    parts: tuple[tuple[int, ...], ...] = field(init=False)
    """For each choice the numbers of the moves that it has a part in."""
    touching: tuple[tuple[Move, ...], ...] = field(init=False)
    """The same moves."""
    waiting: tuple[tuple[int, ...], ...] = field(init=False)
    """For each choice where those stand in the order that take another time once it is elsewhere."""

    def __post_init__(self) -> None:
        """Know which moves and which times each choice has a part in."""
        parts: list[list[int]] = [[] for _ in self.choices]
        for number, move in enumerate(self.moves):
            for choice in {*move.takers, *move.maker}:
                parts[choice].append(number)
        waiting: list[list[int]] = [[] for _ in self.choices]
        for position, line in enumerate(self.order):
            makers = {maker for number in line.moves for maker in self.moves[number].maker}
            for choice in {line.choice, *makers} if line.choice != NOWHERE else ():
                waiting[choice].append(position)
        self.parts = tuple(tuple(held) for held in parts)
        self.touching = tuple(tuple(self.moves[number] for number in held) for held in self.parts)
        self.waiting = tuple(tuple(held) for held in waiting)

    @property
    def open(self) -> tuple[int, ...]:
        """The choices that there are several places for."""
        return tuple(choice for choice, options in enumerate(self.options) if len(options) > 1)


def flows(move: Move, at: At) -> tuple[int, list[int]]:
    """Return where a move comes from and each place it goes to; nowhere, as long as no place is chosen."""
    source = move.origin if move.source is None else at[move.source]
    if source is None:
        return -1, []
    found: list[int] = []
    for taker in move.takers:
        place = at[taker]
        if place is not None and place != source and place not in found and place not in move.there:
            found.append(place)
    return source, found
