"""The seam between storage activities and a cloud: what one store must be able to do. Adding a store is one `Store`."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from contracts.artifacts import ObjectStat
from contracts.grants import IfExists, Measure, PartGrant, ReadGrant, WriteGrant, WriteIntent
from contracts.storage import ContainerReceipt, ObjectPage

PLAIN = "application/octet-stream"


@dataclass(frozen=True)
class Part:
    """One piece of an object; `contracts.parts` says which bytes it is."""

    index: int
    """From 0."""
    size_bytes: int
    crc32c: int
    sha256: bytes | None = None
    """None where the destination holds the part and keeps no digest of it."""


@dataclass(frozen=True)
class WriteTarget:
    """An object that is about to be written."""

    uri: str
    size_bytes: int
    source_etag: str
    """Pins the source: parts that were kept from another version of it do not match."""
    owner: str
    replace: bool
    """Whether another object at this URI may be replaced; if not, the commit itself must refuse to."""
    media_type: str = PLAIN
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Of the user, as `Store.carriable` let it pass; Causeway's own comes on top."""
    pushed: bool = False
    """Whether the parts come through grants, from somebody who must not be able to touch the target itself."""


@dataclass(frozen=True)
class Sealed:
    """The whole object as it was read: what the commit records as metadata and verifies."""

    crc32c: int
    sha256: str
    """`contracts.parts.digest_of` the parts."""
    parts: Sequence[Part]


class ObjectWriter(Protocol):
    """An upload that can be taken up again by any worker; the destination is the truth about its parts.

    Parts are cut as `contracts.parts` says, and several may be put at once. An upload is found again by target,
    source version and owner, never by the worker that began it.
    """

    def held(self) -> Mapping[int, Part | None]:
        """List the parts that the destination really holds; None where it cannot vouch for the checksum."""

    def put(self, part: Part, content: bytes) -> None:
        """Store one part, verified on arrival by the store itself. Safe across threads; keeps no reference to it."""

    def sign(self, part: Part, life: timedelta) -> PartGrant:
        """Mint a write of exactly this part: its length and checksum are pinned as far as the store can.

        Raises:
            ApplicationError: `UNSUPPORTED` when nobody outside can write here.
        """

    def commit(self, sealed: Sealed) -> ObjectStat:
        """Make exactly these parts the object, with its metadata; it appears whole or not at all.

        What the destination holds is listed again first. Safe to call again when the answer was lost.

        Raises:
            ApplicationError: `TARGET_CONFLICT` if an object came to lie there meanwhile and may not be replaced,
                `CHECKSUM_MISMATCH` if a part or the whole differs from what was read, `UNAVAILABLE` if a part is
                gone.
        """


class Store(Protocol):
    """One connection's object store, reached by the worker's own rights.

    Methods raise the provider's own errors or `contracts.errors.failure`; the caller translates. Every object it
    writes carries `causeway-crc32c` (base64), `causeway-sha256` (hex) and `causeway-owner` as metadata, and `stat`
    and `list` return them (`list` may leave them None where listing does not give metadata), along with the MD5 of
    the whole where the store itself vouches for it. Listings leave out what lies below `HIDDEN` unless asked for it.
    """

    scheme: str
    default_container: str
    """URI ending in `/`."""
    fetches: bool
    """Whether the store can read from a URL by itself."""

    def ensure_container(self, uri: str, *, create: bool) -> ContainerReceipt:
        """See `storage.ensure_container`."""

    def refuses_plain(self, uri: str) -> bool | None:
        """Say whether a container takes no request without TLS; None where the store does not tell this worker."""

    def check_name(self, uri: str) -> None:
        """Pass if the store can hold an object of this name, byte for byte.

        Raises:
            ApplicationError: `INVALID_REQUEST`; says what of the name it cannot hold.
        """

    def carriable(self, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """Return what of a user's metadata the store can hold unchanged."""

    def stat(self, uri: str) -> ObjectStat | None:
        """Describe one object; None when there is none."""

    def list(self, prefix: str, after: str | None, limit: int) -> ObjectPage:
        """List objects below a prefix by name; a prefix that holds nothing is an empty page."""

    def read(self, source: ObjectStat, start: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Stream so many bytes of the object, or all to its end; `SOURCE_CHANGED` if its ETag is another now."""

    def put(self, target: WriteTarget, content: bytes, sha256: str) -> ObjectStat:
        """Store an object of one part at once, verified by the store; `TARGET_CONFLICT` unless it may replace."""

    def writer(self, target: WriteTarget) -> ObjectWriter:
        """Open or find the upload of a larger object."""

    def copy_within(self, source: ObjectStat, target: WriteTarget) -> ObjectStat:
        """Have the store itself copy this version of an object of its own; no byte passes the worker.

        The answer's checksums are those the store vouches for; of Causeway's own metadata it carries what the
        source carries, and the new owner. It appears whole or not at all. Safe to run twice.

        Raises:
            ApplicationError: `SOURCE_CHANGED`, `SOURCE_MISSING`, `TARGET_CONFLICT`.
        """

    def fetch(self, grant: ReadGrant, target: WriteTarget, sha256: str | None) -> ObjectStat | None:
        """Have the store itself read from a grant, and verify the source's MD5 as it does; no byte passes the worker.

        None when it cannot: the source has no MD5 in common with it, is too large for one piece, or cannot be
        reached from where the store is. `sha256` is recorded, where somebody has read the content.
        """

    def abort_uploads(self, prefix: str) -> Sequence[str]:
        """Give up unfinished uploads below a prefix, or of one object; return the URIs they were for."""

    def delete(self, uri: str) -> bool:
        """Remove an object; False when there was none."""

    def sign_read(self, source: ObjectStat, life: timedelta, *, bare: bool = False) -> ReadGrant:
        """Mint a read of exactly this version of the object; a bare one needs no header and pins what it can without."""

    def sign_write(self, intent: WriteIntent, life: timedelta) -> WriteGrant:
        """Mint a write of exactly this length and checksum, with the metadata above."""

    def confirm(self, intent: WriteIntent) -> ObjectStat:
        """Check that what was pushed is what was intended and make it visible; safe to call again."""


def covers(prefix: str, uri: str) -> bool:
    """Whether a URI lies below a prefix that ends in `/`, or is the very object named; siblings never match."""
    return uri.startswith(prefix) if prefix.endswith("/") else uri == prefix


def put_small(store: Store, uri: str, content: bytes, *, owner: str, media_type: str = PLAIN) -> ObjectStat:
    """Store something of Causeway's own, such as a script, whatever lay there before."""
    target = WriteTarget(uri, len(content), "", owner, replace=True, media_type=media_type)
    return store.put(target, content, hashlib.sha256(content).hexdigest())


def same_part(held: Part | None, part: Part) -> bool:
    """Whether the destination holds this very part, as far as it keeps checksums of it."""
    if held is None or (held.size_bytes, held.crc32c) != (part.size_bytes, part.crc32c):
        return False
    return held.sha256 is None or held.sha256 == part.sha256


def may_replace(if_exists: IfExists) -> bool:
    """Whether the author allowed an object with other content to be replaced."""
    return if_exists == "overwrite"


def same_content(held: ObjectStat, measure: Measure) -> bool:
    """Whether a stored object is known to be what was measured: size and a checksum, never the name alone."""
    return held.size_bytes == measure.source.size_bytes and (
        held.sha256 == measure.sha256 or held.crc32c == measure.crc32c
    )
