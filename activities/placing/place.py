"""Chooses a place for every stage that may run in several."""

from dataclasses import dataclass

from activities.placing.options import Options, options_of
from contracts.candidates import Candidate
from contracts.places import open_places, placed
from contracts.plan import PlanRequest
from contracts.spec import PipelineSpec


@dataclass(frozen=True)
class Placed:
    """The choice."""

    spec: PipelineSpec
    """The pipeline, every stage of it on one connection."""
    candidates: dict[str, tuple[Candidate, ...]]
    """By stage that had a choice: every place, in the order in which they were written."""


def place(request: PlanRequest) -> Placed:
    """Choose. Same request, same choice.

    Raises:
        ApplicationError: see `options_of`.
    """
    options = options_of(request)
    chosen = {name: options.left[leader][0] for leader, group in options.groups.items() for name in group}
    candidates = {
        name: tuple(_candidate(options, name, connection, chosen[name]) for connection in places)
        for name, places in open_places(options.spec).items()
    }
    return Placed(spec=placed(options.spec, chosen), candidates=candidates)


def _candidate(options: Options, name: str, connection: str, chosen: str) -> Candidate:
    removed = options.removed[name].get(connection)
    if removed:
        return Candidate(connection=connection, rule=removed.rule, why=removed.why)
    why = "the first that can run it" if connection == chosen else f"{chosen} comes first"
    return Candidate(connection=connection, chosen=connection == chosen, why=why)
