"""What a connection answers to stages that might run on it, or elsewhere: nothing that stands in their way is an error."""

from collections.abc import Callable
from dataclasses import dataclass, field

from activities.choosing import Machines
from activities.refusals import Refusals
from contracts.connections import PreflightRequest, Wish
from contracts.machines import Machine

Look = Callable[[PreflightRequest, Refusals], object]
"""Looks whether a connection has what is asked, and keeps what it has not."""


@dataclass
class Answers:
    """By stage: the machine it would get, or why it cannot run here."""

    machines: dict[str, Machine] = field(default_factory=dict)
    declined: dict[str, str] = field(default_factory=dict)


def answers_to(request: PreflightRequest, look: Look, machines: Machines) -> Answers:
    """Answer every wish of a request; wishes that ask the same of the connection are looked at once.

    Raises:
        ApplicationError: something that passes by itself, or that no look would survive.
    """
    found, seen = Answers(), dict[str, str]()
    for stage, wish in sorted(request.wishes.items()):
        asked = PreflightRequest(
            connection=request.connection,
            needs=wish.needs,
            containers=wish.containers,
            create=request.create,
            image_given=wish.image_given,
        )
        key = asked.model_dump_json()
        if key not in seen:
            seen[key] = _looked(look, asked)
        why = seen[key] or _choose(found, stage, wish, machines)
        if why:
            found.declined[stage] = why
    return found


def _looked(look: Look, asked: PreflightRequest) -> str:
    refusals = Refusals()
    look(asked, refusals)
    return refusals.words


def _choose(found: Answers, stage: str, wish: Wish, machines: Machines) -> str:
    """Find the machine of a stage; say why there is none, or nothing."""
    if wish.machine is None:
        return ""
    refusals = Refusals()
    with refusals.kept():
        found.machines[stage] = machines.choose(wish.machine.kind, wish.machine.resources)
    return refusals.words
