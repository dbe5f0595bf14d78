"""What a worker refuses just before it acts: it judges each request by its own policy, never by the workflow's word.

The class of an object follows from where it lies. Leave to do what a rule forbids is believed only when the run itself,
asked by way of Temporal, says who gave it, and only for that run's own data.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit

from activities.acts import Claim, Move, claim_of
from activities.grants import cloud_at, is_loopback
from contracts import rules
from contracts.artifacts import locate
from contracts.classes import classes_at
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.leaves import Leave, Leaves
from contracts.policy import Place, Policy, StoreFacts, Violation, told_of, violation
from contracts.queues import CLOUD_OF_SCHEME, cloud_of, normalise

Facts = dict[str, StoreFacts]
"""By container."""


class Containers(Protocol):
    """Who can ask the worker's own store."""

    def of(self, uri: str, *, tls: bool = False) -> StoreFacts | None:
        """Return how a container is guarded, with regard to TLS only if asked; None where there is none."""


@dataclass(frozen=True)
class Guard:
    """One worker's policy, and where the worker itself stands."""

    policy: Policy
    here: Place
    tables: Place | None = None
    """Where its tables lie, if that is elsewhere."""
    image: str = ""
    """What its jobs run that name no image; empty where jobs run in none."""
    runs_images: bool = True
    containers: Containers | None = None
    """Who says how the containers of its store are guarded; without one nobody does, and nothing of it is judged."""

    @property
    def demands(self) -> bool:
        """Whether the policy demands something of stores."""
        return rules.demands(self._policies)

    @property
    def demands_tls(self) -> bool:
        """Whether the policy demands that stores take no request without TLS."""
        return self.policy.tls is not None

    @property
    def _policies(self) -> tuple[Policy, ...]:
        return (self.policy,)

    async def check(self, request: object, leaves: Leaves) -> None:
        """Pass if the request breaks no rule, or only such as somebody gave leave to break.

        Raises:
            ApplicationError: `POLICY_VIOLATION`, with each rule, the value and who may waive it; `UNAVAILABLE`, nobody
                can say whether leave was given; `ACCESS_DENIED`, a grant is for another object than it is said to be.
        """
        claim = claim_of(request)
        if claim is None:
            return
        self._check_grants(claim)
        facts = await self._facts(claim)
        broken = tuple(self._broken(claim, facts))
        if broken and claim.leave:
            leave = await leaves.given(claim.leave)
            broken = (
                self._unexcused(claim, facts, broken, leave) if leave and _covers(leave, claim) else broken
            )
        if broken:
            raise refusal(broken, _first(claim))
        self._check_ways(claim)

    async def _facts(self, claim: Claim) -> Facts:
        """How the containers are guarded that a request would write to, where the policy demands anything of them."""
        if claim.outward or self.containers is None or not self.demands:
            return {}
        found: dict[str, StoreFacts] = {}
        for uri in dict.fromkeys(_container_of(move.target) for move in claim.moves):
            held = await asyncio.to_thread(self.containers.of, uri, tls=self.demands_tls) if uri else None
            found |= {uri: held} if held else {}
        return found

    def _broken(self, claim: Claim, facts: Facts, *, declassified: bool = False) -> Iterator[Violation]:
        """Yield each rule that is broken, once."""
        found: dict[Violation, None] = {}
        for read, left, target in self._kinds(claim.moves):
            brought = () if declassified and not claim.job else read
            classes = tuple(sorted({*brought, *left}))
            found |= dict.fromkeys(self._misplaced(claim, classes))
            found |= dict.fromkeys(self._unguarded(classes, facts.get(_container_of(target))))
            if target and not declassified:
                found |= dict.fromkeys(rules.write_down(self._policies, read, target))
        if claim.job and self.runs_images:
            image = claim.job.image or self.image
            found |= dict.fromkeys(rules.images(self._policies, image) if image else ())
        yield from found

    def _misplaced(self, claim: Claim, classes: tuple[str, ...]) -> Iterator[Violation]:
        if not claim.outward:
            place = (self.tables or self.here) if claim.tables else self.here
            yield from rules.residence(self._policies, classes, place)
            return
        if not claim.destination:
            yield from self._nowhere(classes)
            return
        connection = normalise(claim.destination)
        place = Place(connection=connection, region=self.policy.places.get(connection, ""))
        place = self.here if connection == self.here.connection else place
        yield from rules.residence(self._policies, classes, place)
        yield from rules.crossing(self._policies, classes, self.here, place)

    def _unguarded(self, classes: tuple[str, ...], facts: StoreFacts | None) -> Iterator[Violation]:
        """Yield what a container lacks that is written to, and where it lies itself, if that is elsewhere."""
        if facts is None:
            return
        if facts.region and facts.region != self.here.region:
            place = self.here.model_copy(update={"region": facts.region})
            yield from rules.residence(self._policies, classes, place)
        yield from rules.guards(self._policies, classes, facts)

    def _nowhere(self, classes: tuple[str, ...]) -> Iterator[Violation]:
        for name in classes:
            held = self.policy.classes.get(name)
            bound = held and (held.clouds is not None or held.regions is not None)
            if bound or name in self.policy.approvals.crossing:
                told = f"data of class {name} may not go just anywhere, and the request does not say where to"
                yield violation(self.policy, "clouds", "", "nowhere named", told)

    def _kinds(self, moves: Iterable[Move]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str]]:
        """Yield the classes read and those of the target, with a target, once for all moves that are alike."""
        seen: set[tuple[tuple[str, ...], tuple[str, ...], str]] = set()
        for move in moves:
            read = {name for uri in move.sources for name in classes_at(uri, self._policies)}
            left = classes_at(move.target, self._policies) if move.target else ()
            kind = tuple(sorted(read)), left, _container_of(move.target)
            if kind not in seen:
                seen.add(kind)
                yield *kind[:2], move.target

    def _unexcused(
        self, claim: Claim, facts: Facts, broken: tuple[Violation, ...], leave: Leave
    ) -> tuple[Violation, ...]:
        if leave.declassified_by and leave.declassified_by in self.policy.waivers.get("declassify", ()):
            broken = tuple(self._broken(claim, facts, declassified=True))
        return tuple(item for item in broken if leave.waived.get(item.rule) not in item.may_waive)

    def _check_grants(self, claim: Claim) -> None:
        if not self.policy.classes:
            return
        for uri, grant in claim.grants:
            if grant.source.uri != uri or not _is_for(grant.url, uri):
                told = f"the grant that comes with {uri} is for another object"
                raise failure(ErrorKind.ACCESS_DENIED, told, ErrorDetail(ref=uri))

    def _check_ways(self, claim: Claim) -> None:
        """Refuse to send anything to another cloud, or as another object, than it is said to go to."""
        if not self.policy.classes or not claim.destination:
            return
        cloud = cloud_of(normalise(claim.destination))
        for target, url in claim.ways:
            goes = CLOUD_OF_SCHEME[locate(target).scheme] if target else cloud
            elsewhere = goes is not cloud or cloud_at(url) not in {None, cloud}
            if elsewhere or (target and not _is_for(url, target)):
                told = f"a grant to write {target or 'parts'} is for elsewhere than {claim.destination}"
                raise failure(ErrorKind.ACCESS_DENIED, told, ErrorDetail(ref=target))


def refusal(broken: Iterable[Violation], ref: str = "", before: str = "") -> Exception:
    """The error that tells which rules are broken and who may waive them."""
    return failure(ErrorKind.POLICY_VIOLATION, before + "; ".join(map(told_of, broken)), ErrorDetail(ref=ref))


def _container_of(uri: str) -> str:
    """The container that an object is in; empty where a URI names none, which whoever carries the request out refuses."""
    try:
        return locate(uri).model_copy(update={"name": ""}).uri if uri else ""
    except ValueError:
        return ""


def _first(claim: Claim) -> str:
    return next((uri for move in claim.moves for uri in move.sources), "")


def _covers(leave: Leave, claim: Claim) -> bool:
    """Whether leave was given for all that a request touches, and nothing else."""
    sources = (uri for move in claim.moves for uri in move.sources)
    targets = (move.target for move in claim.moves if move.target)
    return (
        all(_is_among(uri, leave.sources) for uri in sources)
        and all(_is_among(uri, leave.targets) for uri in targets)
        and (not claim.destination or normalise(claim.destination) in leave.connections)
    )


def _is_among(uri: str, held: tuple[str, ...]) -> bool:
    if {".", ".."} & set(uri.split("/")):
        return False
    return any(uri == one or (one.endswith("/") and uri.startswith(one)) for one in held)


def _is_for(url: str, uri: str) -> bool:
    """Whether a URL plainly names the object: `/container/name`, or `/name` on a host that begins with the container."""
    parsed, object_ = urlsplit(url), locate(uri)
    path, host = unquote(parsed.path), parsed.hostname or ""
    if path == f"/{object_.container}/{object_.name}":
        return True
    if path == f"/{object_.name}" and host.startswith(f"{object_.container.lower()}."):
        return True
    # A local Azure has its account in the path.
    account, _, rest = path.removeprefix("/").partition("/")
    return (
        object_.scheme == "az"
        and is_loopback(host)
        and bool(account)
        and rest == f"{object_.container}/{object_.name}"
    )
