"""Finds the best placement: by comparing all, where they are few, else by bettering several one choice at a time.

No chance and no clock: the same weights give the same placement.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from activities.placing.state import State, Value
from activities.placing.terms import Weights
from contracts.spec import Choose

EXACT_LIMIT = 5000
"""Placements that are all compared; 6 stages with 4 places each are 4096."""
SWEEPS = 12
"""How often all choices are gone through to better a placement: it has long stood still by then."""

At = tuple[int, ...]
Change = dict[int, int]
"""Choices, and where they are to be."""


@dataclass(frozen=True)
class Worth:
    """A placement, and what it comes to."""

    value: Value
    at: At
    cost: int
    unknown: int


@dataclass
class Found:
    """The best placement, and the best with each choice at each of its places."""

    best_of_all: Worth
    best: dict[tuple[int, int], Worth] = field(default_factory=dict)
    """By choice and place. After a comparison of all, others are at their best; else as in the placement that was found."""
    words: str = ""
    """How it was found."""

    @property
    def at(self) -> At:
        """The place of each choice."""
        return self.best_of_all.at

    @property
    def value(self) -> Value:
        """What it is worth."""
        return self.best_of_all.value

    def with_at(self, choice: int, place: int) -> Worth:
        """The best with a choice at a place."""
        return self.best.get((choice, place), self.best_of_all)


def search(weights: Weights, choose: Choose) -> Found:
    """Return the best placement that is found; of equals the one whose places come first for their authors."""
    state = State(weights, choose)
    if prod(len(weights.options[choice]) for choice in weights.open) <= EXACT_LIMIT:
        return _compared(weights, state)
    return _bettered(weights, state)


def _compared(weights: Weights, state: State) -> Found:
    top: Worth | None = None
    count = 0
    best: dict[tuple[int, int], Worth] = {}
    for _ in _all(weights, state, 0):
        count += 1
        here = _worth(state)
        top = here if top is None or here.value < top.value else top
        for choice in weights.open:
            key = choice, here.at[choice]
            if key not in best or here.value < best[key].value:
                best[key] = here
    assert top is not None  # noqa: S101 - a choice without a place was refused before
    return Found(top, best, f"all {count} placements were compared" if count > 1 else "")


def _all(weights: Weights, state: State, depth: int) -> Iterator[None]:
    """Have the state be at every placement, one after the other."""
    if depth == len(weights.open):
        yield
        return
    choice = weights.open[depth]
    for place in weights.options[choice]:
        state.put(choice, place)
        yield from _all(weights, state, depth + 1)
    state.put(choice, None)


def _worth(state: State) -> Worth:
    at = tuple(place for place in state.at if place is not None)
    return Worth(state.value, at, state.cost, state.unknown)


def _bettered(weights: Weights, state: State) -> Found:
    starts = tuple(_starts(weights, state))
    # Of equals the first.
    best = min((_better(weights, start) for start in starts), key=lambda held: held.value)
    beside = {
        (choice, place): _worth(_with(best, {choice: place}))
        for choice in weights.open
        for place in weights.options[choice]
    }
    many = len(str(prod(len(options) for options in weights.options))) - 1
    words = (
        f"{len(starts)} of about 10^{many} placements were bettered choice by choice; one may be better still"
    )
    return Found(_worth(best), beside, words)


def _with(state: State, change: Change) -> State:
    """Return a copy in which choices are elsewhere."""
    other = state.copy()
    for choice, place in change.items():
        other.put(choice, place)
    return other


def _starts(weights: Weights, state: State) -> Iterator[State]:
    """Placements to better: one built choice by choice, what authors wrote first, and all at the best one place."""
    built = state
    for choice in weights.open:
        tried = [_with(built, {choice: place}) for place in weights.options[choice]]
        built = min(tried, key=lambda held: held.value)
    yield built
    yield _with(state, {choice: options[0] for choice, options in enumerate(weights.options)})
    together = [
        {choice: place if place in options else options[0] for choice, options in enumerate(weights.options)}
        for place in range(len(weights.places))
    ]
    yield min((_with(state, change) for change in together), key=lambda held: held.value)


def _better(weights: Weights, state: State) -> State:
    """Change choices as long as that makes the placement better: one alone, or one with those it passes data to."""
    for _ in range(SWEEPS):
        before = state.value
        for choice in weights.open:
            for place in weights.options[choice]:
                state = _try(state, {choice: place})
        if state.value == before:
            state = _better_together(weights, state)
        if state.value == before:
            break
    return state


def _better_together(weights: Weights, state: State) -> State:
    """Change a choice with all that it passes data to, where that is better."""
    # Many that take from one stage are the same together.
    tried: set[tuple[int, ...]] = set()
    for choice in weights.open:
        for place in weights.options[choice]:
            change = _beside(weights, choice, place)
            if state.at[choice] == place or (place, *change) in tried:
                continue
            before, state = state, _try(state, change)
            if state is not before:
                tried.clear()
            tried.add((place, *change))
    return state


def _beside(weights: Weights, choice: int, place: int) -> Change:
    """A choice and all that it passes data to or takes data from, and that may be there, at one place."""
    others = {
        other
        for move in weights.touching[choice]
        for other in (move.source, *move.takers)
        if other is not None and place in weights.options[other]
    }
    return dict.fromkeys(sorted({choice, *others}), place)


def _try(state: State, change: Change) -> State:
    """Return the placement with a change, or as it was unless it is the better for it."""
    if all(state.at[choice] == place for choice, place in change.items()):
        return state
    other = _with(state, change)
    return other if other.value < state.value else state
