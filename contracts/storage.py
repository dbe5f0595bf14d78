"""Object storage as the workflows see it: listings, copies and receipts. No cloud lives here."""

from typing import Literal

from temporalio import activity

from contracts.artifacts import ObjectStat
from contracts.grants import (
    IfExists,
    MeasureRequest,
    Measures,
    ReadGrant,
    ReadGrantRequest,
    ReadGrants,
    WriteGrant,
    WriteGrantRequest,
    WriteGrants,
    WriteIntent,
)
from contracts.model import Message
from contracts.units import MIB

BATCH_OBJECTS = 100
"""Objects in one grant, copy or push request: about 100 KiB of grants."""
PAGE_OBJECTS = 500

Verified = Literal["end_to_end", "store_checksum", "size_only"]


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


class ObjectPage(Message):
    """Objects below a prefix; `next_after` is None on the last page."""

    objects: tuple[ObjectStat, ...]
    next_after: str | None = None


class CopyItem(Message):
    """One object to pull to the destination."""

    source: ObjectStat
    target: str
    grant: ReadGrant | None = None
    """None when source and destination are one connection: the worker reads by its own rights."""
    expected_sha256: str | None = None


class CopyRequest(Message):
    """A batch of objects for the destination's worker to pull."""

    items: tuple[CopyItem, ...]
    if_exists: IfExists = "skip"
    part_bytes: int = 16 * MIB
    owner: str = ""


class ObjectReceipt(Message):
    """Proof that an object lies at its target."""

    target: ObjectStat
    sha256: str
    bytes_sent: int
    """0 when it was there already."""
    verified: Verified


class CopyReceipt(Message):
    """One receipt for each object asked for, in the same order, and how long it took."""

    objects: tuple[ObjectReceipt, ...]
    seconds: float = 0.0


class CopyProgress(Message):
    """Heartbeat of a copy or a push: for people, never for resuming."""

    objects_done: int = 0
    objects_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0


class PushRequest(Message):
    """A batch of objects for the source's worker to send through write grants."""

    grants: tuple[WriteGrant, ...]


class PushReceipt(Message):
    """What was sent; the destination still has to commit it."""

    bytes_sent: int
    seconds: float


class CommitRequest(Message):
    """Pushed objects for the destination to check and make visible."""

    intents: tuple[WriteIntent, ...]


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
        at all. Heartbeats `CopyProgress`. On cancel, parts in flight land and nothing is aborted.
        Final: `SOURCE_MISSING`, `SOURCE_CHANGED`, `TARGET_CONFLICT`, `ACCESS_DENIED`.
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
        """Check that each pushed object is what was measured, and make it visible.

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
