"""Copies as the workflows see them: batches and parts that are brought or pushed, and the proof of it."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from contracts.artifacts import ObjectStat
from contracts.grants import GRANT_LIFE, IfExists, PartGrant, PartSum, ReadGrant, WriteGrant, WriteIntent
from contracts.leaves import LeaveRef
from contracts.model import Message
from contracts.packed import Packed

Verified = Literal["end_to_end", "store_checksum", "size_only"]
_STRENGTH = ("size_only", "store_checksum", "end_to_end")
LOST_KEPT = 20


class CopyItem(Message):
    """One object to bring to the destination."""

    source: ObjectStat
    target: str
    grant: ReadGrant | None = None
    """None when source and destination are one connection: the store itself copies."""
    expected_sha256: str | None = None
    known: Packed[PartSum] = ()
    """Parts that an earlier round had read; those that the destination still holds so need not be read again."""


class Pace(Message):
    """How much a copy may take."""

    streams: int = Field(default=4, ge=1, le=64)
    """Parts or small objects in flight at once."""
    bytes_per_second: int | None = Field(default=None, gt=0)


class CopyRequest(Message):
    """A batch of objects for the destination's worker to bring, each of at most one span."""

    items: Packed[CopyItem]
    if_exists: IfExists = "skip"
    owner: str = ""
    pace: Pace = Pace()
    server_side: bool = False
    """Whether the destination's store may fetch by itself what both stores have a checksum in common for."""
    manifest: str | None = None
    """URI prefix below which an account of each object is left; without one the receipt has an `ObjectReceipt` each."""
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class Tally(Message):
    """What moving objects came to, added up."""

    objects: int = 0
    size_bytes: int = 0
    bytes_sent: int = 0
    """Without what lay there already."""
    retried_parts: int = 0
    """Sent again after an attempt that ended while they were in flight, as its last heartbeat told."""
    bytes_sent_twice: int = 0
    verified: Verified = "end_to_end"
    """The weakest of all."""
    lost: tuple[str, ...] = ()
    """What sources had noted and the destination cannot keep, each once, the first `LOST_KEPT`."""

    def __add__(self, other: "Tally") -> "Tally":
        """Return both together."""
        return Tally(
            objects=self.objects + other.objects,
            size_bytes=self.size_bytes + other.size_bytes,
            bytes_sent=self.bytes_sent + other.bytes_sent,
            retried_parts=self.retried_parts + other.retried_parts,
            bytes_sent_twice=self.bytes_sent_twice + other.bytes_sent_twice,
            verified=min(self.verified, other.verified, key=_STRENGTH.index),
            lost=tuple(dict.fromkeys((*self.lost, *other.lost)))[:LOST_KEPT],
        )


class ObjectReceipt(Message):
    """Proof that an object lies at its target."""

    target: ObjectStat
    sha256: str
    bytes_sent: int
    """0 when it was there already."""
    verified: Verified
    lost: tuple[str, ...] = ()
    """What the source had noted and the destination cannot keep, such as names of metadata."""

    @property
    def tally(self) -> Tally:
        """This object alone."""
        return Tally(
            objects=1,
            size_bytes=self.target.size_bytes,
            bytes_sent=self.bytes_sent,
            verified=self.verified,
            lost=self.lost,
        )


class Cut(Message):
    """Why a copy ended before all was done, though something was: what has landed stays."""

    kind: str
    """`EXPIRED` (its grants), `STOPPED` (it was asked to), or an `ErrorKind` that time may heal."""
    message: str = ""
    retry_after: timedelta | None = None


class Begun(Message):
    """An object of a batch that is not whole yet."""

    position: int
    parts: Packed[PartSum]


class CopyReceipt(Message):
    """What of a batch lies at its targets now."""

    tally: Tally
    objects: Packed[ObjectReceipt] = ()
    """Of what is done, in the order of the request; empty when there is a manifest."""
    remaining: tuple[int, ...] = ()
    """Positions in the request of what is not done."""
    begun: tuple[Begun, ...] = ()
    """Of these, what is there in parts."""
    cut: Cut | None = None
    """None exactly when nothing remains."""
    seconds: float = 0.0


class PartsRequest(Message):
    """Parts of one large object for the destination's worker to bring."""

    source: ObjectStat
    target: str
    parts: tuple[int, ...]
    """Indices; see `contracts.parts`."""
    grant: ReadGrant
    if_exists: IfExists = "skip"
    owner: str = ""
    pace: Pace = Pace()
    manifest: str | None = None
    """As of `CopyRequest`, for an object that lies there already."""
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class PartsReceipt(Message):
    """Which of the parts the destination holds now; they are no object yet."""

    parts: Packed[PartSum]
    tally: Tally
    """`objects` is 0."""
    source: ObjectStat | None = None
    """The source with its media type and metadata, as its store told on the way; `storage.seal` needs it so."""
    cut: Cut | None = None
    """None exactly when every part asked for is there."""
    kept: ObjectReceipt | None = None
    """The whole object lies at the target already, with the same checksum; no part was needed."""
    seconds: float = 0.0


class SealRequest(Message):
    """A large object whose parts have all arrived, for the destination to make visible."""

    source: ObjectStat
    target: str
    parts: Packed[PartSum]
    if_exists: IfExists = "skip"
    owner: str = ""
    pushed: bool = False
    """Whether the parts came through write grants."""
    expected_sha256: str | None = None
    manifest: str | None = None
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class CopyProgress(Message):
    """Heartbeat of a copy or a push: for people and for telemetry, never for resuming."""

    objects_done: int = 0
    objects_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    in_flight: tuple[int, ...] = ()
    """Indices of the parts that are under way."""


class MeasurePartsRequest(Message):
    """Parts of one object to read where it lies, so that exact writes can be minted for them."""

    source: ObjectStat
    parts: tuple[int, ...]


class PartSums(Message):
    """What the parts asked for came to, in the same order."""

    parts: Packed[PartSum]
    source: ObjectStat | None = None
    """The source with its media type and metadata, which its listing may have left out."""


class PartGrantRequest(Message):
    """Measured parts of one large object to mint exact writes for."""

    source: ObjectStat
    target: str
    parts: Packed[PartSum]
    if_exists: IfExists = "skip"
    owner: str = ""
    life: timedelta = GRANT_LIFE
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class PushPartsRequest(Message):
    """Parts for the source's worker to send through write grants."""

    source: ObjectStat
    grants: Packed[PartGrant]
    pace: Pace = Pace()
    destination: str = ""
    """The connection that the bytes go to; a policy may forbid it, or demand that it is named."""
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class PushPartsReceipt(Message):
    """Which parts were sent; the destination still looks what it holds."""

    sent: tuple[int, ...]
    tally: Tally
    cut: Cut | None = None
    seconds: float = 0.0


class PushRequest(Message):
    """A batch of objects for the source's worker to send through write grants."""

    grants: Packed[WriteGrant]
    pace: Pace = Pace()
    destination: str = ""
    """The connection that the bytes go to; a policy may forbid it, or demand that it is named."""
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class PushReceipt(Message):
    """What was sent; the destination still has to commit it."""

    tally: Tally
    remaining: tuple[int, ...] = ()
    """Positions in the request of what was not sent."""
    cut: Cut | None = None
    seconds: float = 0.0


class CommitRequest(Message):
    """Pushed objects for the destination to check and make visible."""

    intents: Packed[WriteIntent]
    manifest: str | None = None
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""
