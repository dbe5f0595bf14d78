"""Chooses a place for every stage that may run in several, and says of every place why. Code over data."""

from dataclasses import dataclass, field

from activities.placing.costs import money
from activities.placing.gather import Gathering
from activities.placing.options import Options, options_of
from activities.placing.search import Found, search
from activities.placing.terms import Weights
from activities.placing.words import Words, short
from activities.prices import PriceBook
from contracts.candidates import Candidate
from contracts.errors import ErrorKind, failure
from contracts.places import placed
from contracts.plan import PlanRequest
from contracts.policy import Policy, Violation
from contracts.spec import PipelineSpec


@dataclass(frozen=True)
class Placed:
    """The choice."""

    spec: PipelineSpec
    """The pipeline, every stage of it on one connection."""
    candidates: dict[str, tuple[Candidate, ...]] = field(default_factory=dict)
    """By stage that had a choice: every place, in the order in which they were written."""
    words: str = ""
    """How it was chosen."""


def place(request: PlanRequest, book: PriceBook, policy: Policy | None = None) -> Placed:
    """Choose. Same request, same choice.

    Raises:
        ApplicationError: `POLICY_VIOLATION` or `UNSUPPORTED`, a stage can run nowhere, or its data can be brought nowhere
            that it can run; the message says what removed each place.
    """
    options = options_of(request, policy)
    if not options.places:
        return Placed(spec=options.spec)
    gathering = Gathering(request, options, book)
    weights, choose = gathering.weights(), options.spec.choose
    found = search(weights, choose)
    if found.value[0]:
        raise failure(ErrorKind.UNSUPPORTED, _nowhere(weights, found))
    telling = _Telling(weights, found, options, Words(weights, choose, found))
    chosen, candidates = {}, {}
    for choice in range(len(weights.choices)):
        for number, name in enumerate(gathering.stages_of(choice)):
            chosen[name] = weights.places[found.at[choice]]
            if name in options.places:
                candidates[name] = telling.candidates(choice, number, name)
    return Placed(spec=placed(options.spec, chosen), candidates=candidates, words=found.words)


class _Telling:
    """Tells of each place of a stage what came of it."""

    def __init__(self, weights: Weights, found: Found, options: Options, words: Words) -> None:
        self._weights = weights
        self._found = found
        self._options = options
        self._words = words

    def candidates(self, choice: int, number: int, name: str) -> tuple[Candidate, ...]:
        """Every place of a stage, in the order in which they were written."""
        return tuple(
            self._candidate(choice, number, name, connection) for connection in self._options.places[name]
        )

    def _candidate(self, choice: int, number: int, name: str, connection: str) -> Candidate:
        removed = self._options.why_not(name, connection)
        if removed:
            return Candidate(connection=connection, rule=removed.rule, why=removed.why)
        place = self._weights.places.index(connection)
        worth = self._found.with_at(choice, place)
        here = self._weights.here[choice][number][place]
        chosen = place == self._found.at[choice]
        why = self._words.chosen(choice) if chosen else self._words.lost(choice, place)
        return Candidate(
            connection=connection,
            chosen=chosen,
            cost=money(worth.cost) if worth.cost or not worth.unknown else None,
            unknown=worth.unknown,
            currency=self._weights.currency,
            seconds=here.seconds,
            moved_bytes=self._words.moved(worth.at, choice),
            why=why,
            asks=tuple(dict.fromkeys(broken.rule for broken in self._asked(choice, connection))),
        )

    def _asked(self, choice: int, connection: str) -> tuple[Violation, ...]:
        return self._options.asks(self._weights.choices[choice], connection)


def _nowhere(weights: Weights, found: Found) -> str:
    words = Words(weights, "cheapest", found)
    lines = [
        f"stage {weights.choices[choice]}: {', '.join(short(weights.places[place]) for place in weights.options[choice])}"
        for choice in weights.open
    ]
    return "\n".join((f"{words.impossible}; go through a cloud. The places that were left:", *lines))
