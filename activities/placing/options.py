"""Which places are left for each stage that may run in several, and what removed the others."""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.errors import ErrorKind, failure
from contracts.places import leader_of, narrowed, open_places, unfit
from contracts.plan import PlanRequest
from contracts.spec import PipelineSpec
from contracts.stage_base import StageBase


@dataclass(frozen=True)
class Removed:
    """Why a place is none for a stage."""

    why: str
    rule: str = ""
    """The rule of the policy that removed it."""


@dataclass(frozen=True)
class Options:
    """What may be chosen."""

    spec: PipelineSpec
    """The pipeline, with names of connections for `any`."""
    groups: dict[str, tuple[str, ...]]
    """The stages that are placed together: those about an endpoint, by the stage that deploys it; any other alone."""
    left: dict[str, tuple[str, ...]]
    """By the first of a group: its places, in the order in which they were written."""
    removed: dict[str, dict[str, Removed]]
    """By stage: the places that it cannot have, each with the reason."""


def options_of(request: PlanRequest) -> Options:
    """Return what may be chosen for a request.

    Raises:
        ApplicationError: nothing is left for a stage; `POLICY_VIOLATION` where a rule removed the last, else `UNSUPPORTED`.
    """
    known = tuple(sorted({*request.connections, *request.refused}))
    spec = narrowed(request.spec, known)
    places = open_places(spec)
    groups: dict[str, tuple[str, ...]] = {}
    for name in places:
        leader = leader_of(spec, name)
        groups[leader] = (*groups.get(leader, ()), name)
    removed = {name: dict(_removed(request, spec, name)) for name in places}
    left = {leader: _left(spec, leader, members, removed) for leader, members in groups.items()}
    found = Options(spec=spec, groups=groups, left=left, removed=removed)
    _check(found)
    return found


def _left(
    spec: PipelineSpec, leader: str, members: tuple[str, ...], removed: dict[str, dict[str, Removed]]
) -> tuple[str, ...]:
    stage = spec.stages[leader]
    places = open_places(spec).get(leader) or (stage.on,)
    return tuple(place for place in places if not any(place in removed[name] for name in members))


def _removed(request: PlanRequest, spec: PipelineSpec, name: str) -> Iterator[tuple[str, Removed]]:
    for connection in open_places(spec)[name]:
        why = _why_not(request, spec, name, connection)
        if why:
            yield connection, why


def _why_not(request: PlanRequest, spec: PipelineSpec, name: str, connection: str) -> Removed | None:
    """Return the first reason against a place; None when there is none."""
    fixed = request.standing.fixed.get(name)
    if fixed is not None:
        return None if fixed == connection else Removed(f"it began on {fixed}")
    tried = request.standing.excluded.get(name, {}).get(connection)
    if tried is not None:
        return Removed(tried)
    leader = spec.stages[leader_of(spec, name)]
    if isinstance(leader, StageBase) and connection not in leader.places:
        return Removed(f"its endpoint is never there, but on {leader.where}")
    wrong = unfit(spec.stages[name], connection)
    if wrong:
        return Removed(wrong[1])
    report = request.connections.get(connection)
    if report is None:
        unknown = "it did not answer"
        return Removed(request.refused.get(connection, unknown))
    declined = report.declined.get(name)
    return Removed(declined) if declined else None


def _check(found: Options) -> None:
    for leader, left in found.left.items():
        if left:
            continue
        against = {
            connection: why
            for name in found.groups[leader]
            for connection, why in found.removed[name].items()
        }
        lines = [f"{connection}: {_told(why)}" for connection, why in sorted(against.items())]
        by_rule = any(why.rule for why in against.values())
        kind = ErrorKind.POLICY_VIOLATION if by_rule else ErrorKind.UNSUPPORTED
        raise failure(kind, "\n".join((f"stage {leader} can run nowhere:", *lines)))


def _told(why: Removed) -> str:
    return f"rule {why.rule}: {why.why}" if why.rule else why.why
