"""What a request would do to data, whatever it says of itself: which objects it reads, where they would come to lie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts.copies import (
    CommitRequest,
    CopyRequest,
    PartGrantRequest,
    PartsRequest,
    PushPartsRequest,
    PushRequest,
    SealRequest,
)
from contracts.endpoints import InvokeRequest
from contracts.fanout import GatherRequest
from contracts.grants import ReadGrant, ReadGrantRequest, WriteGrantRequest, WriteIntent
from contracts.jobs import JobRequest
from contracts.leaves import LeaveRef
from contracts.tables import LoadRequest


@dataclass(frozen=True)
class Move:
    """Objects or folders that are read, and where that comes to lie; the target is empty where nobody says."""

    sources: tuple[str, ...]
    target: str = ""


@dataclass(frozen=True)
class Claim:
    """What one request would do."""

    moves: tuple[Move, ...]
    leave: LeaveRef | None = None
    outward: bool = False
    """Whether the data leave this connection."""
    destination: str = ""
    """Where they would go; empty where the request does not say."""
    job: JobRequest | None = None
    tables: bool = False
    """Whether the data come to lie where the connection's tables do."""
    grants: tuple[tuple[str, ReadGrant], ...] = ()
    """What a grant is said to be for, and the grant."""
    ways: tuple[tuple[str, str], ...] = ()
    """Of what is sent: the object that it is said to become, empty where nobody says, and the URL that it goes to."""


def claim_of(request: object) -> Claim | None:
    """Return what a request would do; None for one that moves no data."""
    read = _CLAIMS.get(type(request))
    return read(request) if read else None


def _reads(request: ReadGrantRequest) -> Claim:
    moves = tuple(Move((source.uri,)) for source in request.objects)
    return Claim(moves, request.leave, outward=True, destination=request.destination)


def _intended(intents: tuple[WriteIntent, ...]) -> tuple[Move, ...]:
    return tuple(Move((intent.measure.source.uri,), intent.target) for intent in intents)


def _copied(request: CopyRequest) -> Claim:
    moves = tuple(Move((item.source.uri,), item.target) for item in request.items)
    grants = tuple((item.source.uri, item.grant) for item in request.items if item.grant)
    return Claim(moves, request.leave, grants=grants)


def _parts(request: PartsRequest) -> Claim:
    moves = (Move((request.source.uri,), request.target),)
    return Claim(moves, request.leave, grants=((request.source.uri, request.grant),))


def _one(request: SealRequest | PartGrantRequest) -> Claim:
    return Claim((Move((request.source.uri,), request.target),), request.leave)


def _pushed(request: PushRequest) -> Claim:
    moves = _intended(tuple(grant.intent for grant in request.grants))
    ways = tuple((grant.intent.target, grant.url) for grant in request.grants if grant.url)
    return Claim(moves, request.leave, outward=True, destination=request.destination, ways=ways)


def _pushed_parts(request: PushPartsRequest) -> Claim:
    ways = tuple(("", grant.url) for grant in request.grants)
    moves = (Move((request.source.uri,)),)
    return Claim(moves, request.leave, outward=True, destination=request.destination, ways=ways)


def _gathered(request: GatherRequest) -> Claim:
    return Claim(tuple(Move((part.source,), part.target) for part in request.parts), request.leave)


def _job(request: JobRequest) -> Claim:
    inputs = tuple(artifact.uri for artifact in request.inputs.values())
    targets = tuple(request.outputs.values()) or ("",)
    return Claim(tuple(Move(inputs, target) for target in targets), request.leave, job=request)


_CLAIMS: dict[type, Callable[[Any], Claim]] = {
    ReadGrantRequest: _reads,
    WriteGrantRequest: lambda request: Claim(_intended(request.intents), request.leave),
    CommitRequest: lambda request: Claim(_intended(request.intents), request.leave),
    PartGrantRequest: _one,
    SealRequest: _one,
    CopyRequest: _copied,
    PartsRequest: _parts,
    PushRequest: _pushed,
    PushPartsRequest: _pushed_parts,
    GatherRequest: _gathered,
    JobRequest: _job,
    InvokeRequest: lambda request: Claim((Move((request.data.uri,), request.target),), request.leave),
    LoadRequest: lambda request: Claim((Move((request.files.uri,)),), request.leave, tables=True),
}
