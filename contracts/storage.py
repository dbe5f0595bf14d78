"""Object storage as the workflows see it: listings, copies and receipts. No cloud lives here."""

from temporalio import activity

from contracts.artifacts import Artifact, ObjectStat
from contracts.copies import (
    CommitRequest,
    CopyReceipt,
    CopyRequest,
    MeasurePartsRequest,
    ObjectReceipt,
    PartGrantRequest,
    PartsReceipt,
    PartsRequest,
    PartSums,
    PushPartsReceipt,
    PushPartsRequest,
    PushReceipt,
    PushRequest,
    SealRequest,
)
from contracts.grants import (
    MeasureRequest,
    Measures,
    PartGrants,
    ReadGrantRequest,
    ReadGrants,
    WriteGrantRequest,
    WriteGrants,
)
from contracts.model import Message
from contracts.packed import Packed
from contracts.policy import Encryption

BATCH_OBJECTS = 1000
"""Objects in one grant, copy or push request."""
PAGE_OBJECTS = 1000
HIDDEN = ".causeway/"
"""Below it, in each container, lies what Causeway keeps for itself; a listing of anything else leaves it out."""


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
    encryption: Encryption | None = None
    """By whose key what lies there is encrypted, where the store says that it is."""
    region: str = ""
    """Where it lies, as its vendor writes it; empty where the store does not say."""


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
