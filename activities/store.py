"""The seam between storage activities and a cloud: what one store must be able to do. Adding a store is one `Store`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from contracts.artifacts import ObjectStat
from contracts.grants import IfExists, Measure, ReadGrant, WriteGrant, WriteIntent
from contracts.storage import ContainerReceipt, ObjectPage


@dataclass(frozen=True)
class Part:
    """One piece of an object, verified before it is sent."""

    index: int
    """From 0."""
    size_bytes: int
    crc32c: int
    md5: bytes


@dataclass(frozen=True)
class WriteTarget:
    """An object that is about to be written."""

    uri: str
    size_bytes: int
    source_etag: str
    """Pins the source: parts that were kept from another version of it do not match."""
    part_bytes: int
    media_type: str
    owner: str
    replace: bool
    """Whether another object at this URI may be replaced; if not, the commit itself must refuse to."""


@dataclass(frozen=True)
class Sealed:
    """The whole object as it was read: what the commit records as metadata and verifies."""

    crc32c: int
    sha256: str
    parts: Sequence[Part]


class ObjectWriter(Protocol):
    """An upload that can be taken up again by any worker; the destination is the truth about its parts."""

    part_bytes: int
    """The size of each part but the last; at least what the target asked for."""

    def held(self) -> Mapping[int, Part | None]:
        """List the parts that the destination really holds; None where it cannot vouch for the checksum."""

    def put(self, part: Part, content: bytes) -> None:
        """Store one part, verified on arrival by the store itself."""

    def commit(self, sealed: Sealed) -> ObjectStat:
        """Make exactly these parts the object, with its metadata; it appears whole or not at all.

        Raises:
            ApplicationError: `TARGET_CONFLICT` if an object came to lie there meanwhile and may not be replaced,
                `CHECKSUM_MISMATCH` if the store's own checksum of the whole differs.
        """


class Store(Protocol):
    """One connection's object store, reached by the worker's own rights.

    Methods raise the provider's own errors or `contracts.errors.failure`; the caller translates. Every object it
    writes carries `causeway-crc32c` (base64), `causeway-sha256` (hex) and `causeway-owner` as metadata, and `stat`
    and `list` return them (`list` may leave them None where listing does not give metadata).
    """

    scheme: str
    default_container: str
    """URI ending in `/`."""

    def ensure_container(self, uri: str, *, create: bool) -> ContainerReceipt:
        """See `storage.ensure_container`."""

    def stat(self, uri: str) -> ObjectStat | None:
        """Describe one object; None when there is none."""

    def list(self, prefix: str, after: str | None, limit: int) -> ObjectPage:
        """List objects below a prefix by name; a prefix that holds nothing is an empty page."""

    def read(self, source: ObjectStat, start: int = 0) -> Iterator[bytes]:
        """Stream the object from a byte on, in pieces of at most 8 MiB; `SOURCE_CHANGED` if its ETag is another now."""

    def put(
        self, uri: str, content: bytes, *, sha256: str, owner: str, media_type: str, replace: bool
    ) -> ObjectStat:
        """Store a small object (up to 16 MiB) at once, verified by the store; `TARGET_CONFLICT` unless it may replace."""

    def writer(self, target: WriteTarget) -> ObjectWriter:
        """Open or find the upload of a larger object."""

    def abort_uploads(self, prefix: str) -> Sequence[str]:
        """Give up unfinished uploads below a prefix, or of one object; return the URIs they were for."""

    def delete(self, uri: str) -> bool:
        """Remove an object; False when there was none."""

    def sign_read(self, source: ObjectStat, life: timedelta) -> ReadGrant:
        """Mint a read of exactly this version of the object."""

    def sign_write(self, intent: WriteIntent, life: timedelta) -> WriteGrant:
        """Mint a write of exactly this length and checksum, with the metadata above."""

    def confirm(self, intent: WriteIntent) -> ObjectStat:
        """Check that what was pushed is what was intended and make it visible; safe to call again."""


def covers(prefix: str, uri: str) -> bool:
    """Whether a URI lies below a prefix that ends in `/`, or is the very object named; siblings never match."""
    return uri.startswith(prefix) if prefix.endswith("/") else uri == prefix


def may_replace(if_exists: IfExists) -> bool:
    """Whether the author allowed an object with other content to be replaced."""
    return if_exists == "overwrite"


def same_content(held: ObjectStat, measure: Measure) -> bool:
    """Whether a stored object is known to be what was measured: size and a checksum, never the name alone."""
    return held.size_bytes == measure.source.size_bytes and (
        held.sha256 == measure.sha256 or held.crc32c == measure.crc32c
    )
