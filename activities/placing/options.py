"""Which places are left for each stage that may run in several, and what removed the others."""

from dataclasses import dataclass

from contracts.connections import ConnectionReport
from contracts.errors import ErrorKind, failure
from contracts.judging import Judge
from contracts.places import leader_of, narrowed, open_places, unfit
from contracts.plan import PlanRequest
from contracts.policy import Policy, Violation
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
    places: dict[str, tuple[str, ...]]
    """By stage that may run in several: its places, as they are written."""
    groups: dict[str, tuple[str, ...]]
    """The stages that are placed together: those about an endpoint, by the stage that deploys it; any other alone."""
    left: dict[str, tuple[str, ...]]
    """By the first of a group: its places, in the order in which they were written."""
    removed: dict[str, dict[str, Removed]]
    """By stage: the places that it cannot have, each with the reason."""
    asked: dict[str, dict[str, tuple[Violation, ...]]]
    """By stage: the places that it may have with somebody's yes, each with the rules that have to be waived."""

    def asks(self, leader: str, connection: str) -> tuple[Violation, ...]:
        """The rules that have to be waived before a group of stages runs somewhere."""
        return tuple(
            broken for name in self.groups.get(leader, ()) for broken in self.asked[name].get(connection, ())
        )

    def why_not(self, name: str, connection: str) -> Removed | None:
        """Why a stage cannot be somewhere, or why one cannot that has to be where it is; None where it can."""
        own = self.removed[name].get(connection)
        if own:
            return own
        group = self.groups[leader_of(self.spec, name)]
        other = next((one for one in group if connection in self.removed[one]), None)
        if other is None:
            return None
        held = self.removed[other][connection]
        return Removed(f"{other}, which is where it is, cannot be there: {held.why}", held.rule)


def options_of(request: PlanRequest, policy: Policy | None = None) -> Options:
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
    sieve = _Sieve(request, spec, policy)
    removed = {name: sieve.removed(name) for name in places}
    left = {
        leader: _left(places.get(leader) or (spec.stages[leader].on,), members, removed)
        for leader, members in groups.items()
    }
    asked = {name: sieve.asked(name) for name in places}
    found = Options(spec=spec, places=places, groups=groups, left=left, removed=removed, asked=asked)
    _check(found)
    return found


def _left(
    places: tuple[str, ...], members: tuple[str, ...], removed: dict[str, dict[str, Removed]]
) -> tuple[str, ...]:
    return tuple(place for place in places if not any(place in removed[name] for name in members))


class _Sieve:
    """Finds what stands against places."""

    def __init__(self, request: PlanRequest, spec: PipelineSpec, policy: Policy | None) -> None:
        self._request = request
        self._spec = spec
        self._judge = Judge(spec, policy, request.connections)
        self._open = open_places(spec)

    def removed(self, name: str) -> dict[str, Removed]:
        """The places that a stage cannot have, each with the first reason against it."""
        found = {connection: self._why_not(name, connection) for connection in self._open[name]}
        return {connection: why for connection, why in found.items() if why}

    def asked(self, name: str) -> dict[str, tuple[Violation, ...]]:
        """The rules that have to be waived before a stage runs at a place, of each place that has such."""
        found = {connection: self._waivable(name, connection) for connection in self._open[name]}
        return {connection: broken for connection, broken in found.items() if broken}

    def _waivable(self, name: str, connection: str) -> tuple[Violation, ...]:
        return tuple(broken for broken in self._judge.at(name, connection) if broken.may_waive)

    def _why_not(self, name: str, connection: str) -> Removed | None:
        standing = self._request.standing
        fixed = standing.fixed.get(name)
        if fixed is not None:
            return None if fixed == connection else Removed(f"it began on {fixed}")
        tried = standing.excluded.get(name, {}).get(connection)
        if tried is not None:
            return Removed(tried)
        leader = self._spec.stages[leader_of(self._spec, name)]
        if isinstance(leader, StageBase) and connection not in leader.places:
            return Removed(f"its endpoint is never there, but on {leader.where}")
        wrong = unfit(self._spec.stages[name], connection)
        if wrong:
            return Removed(wrong[1])
        report = self._request.connections.get(connection)
        # A rule is told before a worker that is away: to start that would not help.
        broken = self._rule(name, connection, report)
        if broken:
            return broken
        if report is None:
            return Removed(self._request.refused.get(connection, "it did not answer"))
        declined = report.declined.get(name)
        return Removed(declined) if declined else None

    def _rule(self, name: str, connection: str, report: ConnectionReport | None) -> Removed | None:
        """The first rule that the stage would break there and nobody may waive; of regions none, where that is unknown."""
        for broken in self._judge.at(name, connection):
            if not broken.may_waive and (report is not None or broken.rule != "regions"):
                return Removed(broken.message, broken.rule)
        return None


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
