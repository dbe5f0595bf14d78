"""Object storage as the workflows see it: listings, copies and receipts. No cloud lives here."""

from datetime import timedelta
from typing import Literal

from pydantic import Field
from temporalio import activity

from contracts.artifacts import Artifact, ObjectStat
from contracts.grants import (
    GRANT_LIFE,
    IfExists,
    MeasureRequest,
    Measures,
    PartGrant,
    PartGrants,
    PartSum,
    ReadGrant,
    ReadGrantRequest,
    ReadGrants,
    WriteGrant,
    WriteGrantRequest,
    WriteGrants,
    WriteIntent,
)
from contracts.model import Message
from contracts.packed import Packed

BATCH_OBJECTS = 1000
"""Objects in one grant, copy or push request."""
PAGE_OBJECTS = 1000
HIDDEN = ".causeway/"
"""Below it, in each container, lies what Causeway keeps for itself; a listing of anything else leaves it out."""

Verified = Literal["end_to_end", "store_checksum", "size_only"]
_STRENGTH = ("size_only", "store_checksum", "end_to_end")
LOST_KEPT = 20


class ContainerRequest(Message):
    """A container to look at, or to make."""

    uri: str
    """Of the container, such as `s3://bucket/`."""
    create: bool = False


class ContainerReceipt(Message):
    """A container that exists."""

    uri: str
    created: bool
    encrypted: bool | None = None
    """Whether encryption at rest is on; None where the store does not say."""
    public_access_blocked: bool | None = None


class StatRequest(Message):
    """One object to describe."""

    uri: str


class ListRequest(Message):
    """A page of the objects below a prefix, in the order of their names."""

    prefix: str
    """A URI that ends in `/`; siblings of the prefix never match."""
    after: str | None = None
    """The `next_after` of the page before; opaque."""
    limit: int = PAGE_OBJECTS
    include: tuple[str, ...] = ()
    """Globs of names below the prefix, of which one must match; `*` stays within a folder, `**` does not."""
    exclude: tuple[str, ...] = ()
    """Globs of names below the prefix, of which none may match."""


class ObjectPage(Message):
    """Objects below a prefix; `next_after` is None on the last page."""

    objects: Packed[ObjectStat]
    next_after: str | None = None


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


class PartGrantRequest(Message):
    """Measured parts of one large object to mint exact writes for."""

    source: ObjectStat
    target: str
    parts: Packed[PartSum]
    if_exists: IfExists = "skip"
    owner: str = ""
    life: timedelta = GRANT_LIFE


class PushPartsRequest(Message):
    """Parts for the source's worker to send through write grants."""

    source: ObjectStat
    grants: Packed[PartGrant]
    pace: Pace = Pace()


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


class ManifestRequest(Message):
    """Accounts of batches, to be put together as one manifest."""

    accounts: str
    """URI prefix below which batches left their accounts; it ends in `/`."""
    prefix: str
    """URI of the folder that was filled; names in the manifest are below it."""
    target: str
    """URI where the manifest comes to lie."""
    owner: str = ""


class ManifestReceipt(Message):
    """The folder that a manifest describes."""

    folder: Artifact
    manifest: str


class AbortRequest(Message):
    """Where unfinished uploads are given up."""

    prefix: str
    """A prefix that ends in `/`, or the URI of one object."""


class DeleteRequest(Message):
    """Objects to remove."""

    uris: tuple[str, ...]


class UriList(Message):
    """The URIs an effect touched."""

    uris: tuple[str, ...]


class StorageActivities:
    """What every cloud's storage worker can do. The task queue decides which cloud does it."""

    @activity.defn(name="storage.ensure_container")
    def ensure_container(self, request: ContainerRequest) -> ContainerReceipt:
        """Find the container, or create it with encryption at rest on and public access blocked if asked.

        Safe to run twice. Final: `SOURCE_MISSING` (it is absent and `create` is false; the message names the
        command that makes it), `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.stat")
    def stat(self, request: StatRequest) -> ObjectStat:
        """Describe one object. Safe to run twice. Final: `SOURCE_MISSING`, `ACCESS_DENIED`."""
        raise NotImplementedError

    @activity.defn(name="storage.list")
    def list(self, request: ListRequest) -> ObjectPage:
        """List a page of objects below a prefix. Safe to run twice. Final: `SOURCE_MISSING`, `ACCESS_DENIED`."""
        raise NotImplementedError

    @activity.defn(name="storage.measure")
    def measure(self, request: MeasureRequest) -> Measures:
        """Read each object in full and return its checksums.

        Safe to run twice. Heartbeats `CopyProgress`. Final: `SOURCE_MISSING`, `SOURCE_CHANGED`, `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.grant_read")
    def grant_read(self, request: ReadGrantRequest) -> ReadGrants:
        """Mint reads for objects under this worker's own allow-list, for at most `GRANT_LIFE`.

        Safe to run twice. Final: `ACCESS_DENIED` (outside the allow-list, whoever asks), `INVALID_REQUEST`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.grant_write")
    def grant_write(self, request: WriteGrantRequest) -> WriteGrants:
        """Mint exact writes for objects under this worker's own allow-list, for at most `GRANT_LIFE`.

        Safe to run twice. Final: `ACCESS_DENIED`, `TARGET_CONFLICT` (other content lies there), `INVALID_REQUEST`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.copy")
    def copy(self, request: CopyRequest) -> CopyReceipt:
        """Make each target byte-for-byte equal to its source and prove it by a CRC32C of every byte.

        Safe to run twice: what the destination holds already is not sent again. An object appears whole or not
        at all. Heartbeats `CopyProgress`. Ends early as `storage.copy_parts` does; nothing is aborted.
        Final: `SOURCE_MISSING`, `SOURCE_CHANGED`, `TARGET_CONFLICT`, `ACCESS_DENIED`, `DISK_FULL`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.copy_parts")
    def copy_parts(self, request: PartsRequest) -> PartsReceipt:
        """Have the destination hold these parts, each verified on arrival; nothing becomes visible.

        Safe to run twice: what the destination holds already is not sent again. Heartbeats `CopyProgress`. On
        cancel, and when the grant runs out, parts in flight land and the receipt says which are there. An error
        that time may heal is told in the receipt when something was done before it.
        Final: `SOURCE_MISSING`, `SOURCE_CHANGED`, `TARGET_CONFLICT`, `ACCESS_DENIED`, `DISK_FULL`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.seal")
    def seal(self, request: SealRequest) -> ObjectReceipt:
        """Make exactly these parts the object, after listing again what the destination really holds.

        Safe to run twice. Heartbeats nothing but life. Final: `TARGET_CONFLICT`, `ACCESS_DENIED`,
        `SOURCE_CHANGED` (another digest than was expected).
        """
        raise NotImplementedError

    @activity.defn(name="storage.measure_parts")
    def measure_parts(self, request: MeasurePartsRequest) -> PartSums:
        """Read parts of one object and return what they come to.

        Safe to run twice. Heartbeats `CopyProgress`. Final: `SOURCE_MISSING`, `SOURCE_CHANGED`, `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.grant_parts")
    def grant_parts(self, request: PartGrantRequest) -> PartGrants:
        """Mint exact writes of the parts that the destination does not hold, under this worker's own allow-list.

        Safe to run twice. Final: `ACCESS_DENIED`, `TARGET_CONFLICT` (other content lies there), `INVALID_REQUEST`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.push_parts")
    def push_parts(self, request: PushPartsRequest) -> PushPartsReceipt:
        """Send each part through its write grant; it neither lists nor commits at the destination.

        Safe to run twice. Heartbeats `CopyProgress`. Ends early as `storage.copy_parts` does.
        Final: `SOURCE_MISSING`, `SOURCE_CHANGED`, `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.publish_manifest")
    def publish_manifest(self, request: ManifestRequest) -> ManifestReceipt:
        """Put the batches' accounts together as one object, and return the folder they describe.

        Its lines are those of `contracts.artifacts.folder_digest`, in its order. Safe to run twice; the accounts
        are removed afterwards. Final: `SOURCE_MISSING` (there are no accounts), `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.push")
    def push(self, request: PushRequest) -> PushReceipt:
        """Send each object through its write grant; it neither lists nor commits at the destination.

        Safe to run twice. Heartbeats `CopyProgress`. Final: `SOURCE_MISSING`, `SOURCE_CHANGED`, `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.commit")
    def commit(self, request: CommitRequest) -> CopyReceipt:
        """Check that each pushed object is what was measured, and make it visible; `bytes_sent` is the push's to tell.

        Safe to run twice. Final: `SOURCE_MISSING` (it was not pushed), `TARGET_CONFLICT`, `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.abort_upload")
    def abort_upload(self, request: AbortRequest) -> UriList:
        """Give up unfinished uploads below a prefix, or of one object, and say which.

        Safe to run twice. Final: `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="storage.delete")
    def delete(self, request: DeleteRequest) -> UriList:
        """Remove objects and say which were there. Safe to run twice. Final: `ACCESS_DENIED`."""
        raise NotImplementedError
