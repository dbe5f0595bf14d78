"""One object's target: what lies there already, what is written there, and the proof of it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from temporalio.exceptions import ApplicationError

from activities.checksums import to_base64
from activities.existing import Decision, decide
from activities.known import Known
from activities.noted import Noted
from activities.parallel import Stop
from activities.sources import Brought, Source
from activities.store import ObjectWriter, Sealed, Store, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.copies import ObjectReceipt, Verified
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import IfExists, ReadGrant


@dataclass
class Landing:
    """Where one object of a source comes to lie in a store.

    Raises:
        ApplicationError: `INVALID_REQUEST`, the store can hold no object of this name.
    """

    store: Store
    source: Source
    target: str
    if_exists: IfExists
    owner: str
    expected_sha256: str | None = None
    occupied: bool = field(default=False, init=False)
    """Whether something was seen at the target."""
    _seen: bool = field(default=False, init=False)
    _there: ObjectStat | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.store.check_name(self.target)

    def kept(self, stop: Stop) -> ObjectReceipt | None:
        """Return the proof that the content lies there already, read in full where no checksum tells.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, other content lies there.
        """
        held = self._held
        if held is None or self._decided(held, lambda: self._same(held, stop)) == "replace":
            return None
        return self._kept(held)

    def kept_by_word(self) -> ObjectReceipt | None:
        """Return the proof as far as the stores' own words give it; what they leave open is settled by `seal`."""
        held = self._held
        if held is None:
            return None
        told = self.expected.matches(Known.of(held))
        if told is None or self._decided(held, lambda: bool(told)) == "replace":
            return None
        return self._kept(held)

    def within(self, stop: Stop) -> ObjectReceipt:
        """Have the store copy an object of its own."""
        try:
            stat = self.store.copy_within(self.source.stat, self.write_target(Noted()))
        except ApplicationError as error:
            return self._overtaken(error, stop)
        sha256 = self.expected.sha256 or stat.sha256 or self._read(stat, stop).sha256 or ""
        return self._receipt(stat, sha256, self.source.stat.size_bytes, "store_checksum")

    def fetched(self, grant: ReadGrant) -> ObjectReceipt | None:
        """Have the store read from the grant by itself; None when it cannot."""
        md5 = grant.source.md5
        # An MD5 says what lies there now; whether that is what was expected, only a SHA-256 can say.
        unproven = self.expected_sha256 not in {None, self.source.stat.sha256}
        if not self.store.fetches or md5 is None or unproven:
            return None
        target, lost = self.prepared(self.source.noted())
        # What nobody has read has no SHA-256: noted as one, it would refuse whoever streams the object on.
        try:
            stat = self.store.fetch(grant, target, self.expected.sha256)
        except ApplicationError as error:
            return self._overtaken(error, Stop())
        if stat is None:
            return None
        sha256 = self.expected.sha256 or vouched_digest(md5, target.size_bytes)
        return self._receipt(stat, sha256, target.size_bytes, "store_checksum", lost)

    def prepared(self, noted: Noted) -> tuple[WriteTarget, tuple[str, ...]]:
        """Return what is to be written, and the names of what the store cannot keep."""
        kept = self.store.carriable(noted.metadata)
        lost = sorted(name for name in noted.metadata if kept.get(name) != noted.metadata[name])
        bare = Noted(noted.media_type, kept)
        return self.write_target(bare), (*lost, *noted.other)

    def put(self, brought: Brought) -> ObjectReceipt:
        """Write an object of one part. What lies at a target that nobody looked at is only looked at if it is in the way.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, other content lies there.
        """
        part, seen = brought.part, self._seen
        whole = Sealed(part.crc32c, (part.sha256 or b"").hex(), (part,))
        self._check_read(whole)
        target, lost = self.prepared(brought.noted)
        try:
            stat = self.store.put(target, brought.content, whole.sha256)
        except ApplicationError as error:
            if seen or error.type != ErrorKind.TARGET_CONFLICT:
                return self._met(error, whole)
            return self.holding(whole) or self.put(brought)
        return self._proven(stat, whole, part.size_bytes, lost)

    def commit(self, writer: ObjectWriter, whole: Sealed, sent: int, lost: tuple[str, ...]) -> ObjectReceipt:
        """Make the parts that were brought the object.

        Raises:
            ApplicationError: `CHECKSUM_MISMATCH`, and no part is kept: one is wrong, and none says which.
        """
        try:
            self._check_read(whole)
            stat = writer.commit(whole)
        except ApplicationError as error:
            if error.type == ErrorKind.CHECKSUM_MISMATCH:
                self.store.abort_uploads(self.target)
            return self._met(error, whole)
        return self._proven(stat, whole, sent, lost)

    def seal(self, whole: Sealed, *, pushed: bool) -> ObjectReceipt:
        """Make parts that any worker brought the object, or keep the same content that lies there already."""
        kept = self.holding(whole)
        if kept:
            self.store.abort_uploads(self.target)
            return kept
        noted = Noted(self.source.stat.media_type, self.source.stat.metadata)
        target, lost = self.prepared(noted)
        return self.commit(self.store.writer(replace(target, pushed=pushed)), whole, 0, lost)

    def write_target(self, noted: Noted) -> WriteTarget:
        """Return what the store is told of the object."""
        return WriteTarget(
            uri=self.target,
            size_bytes=self.source.stat.size_bytes,
            source_etag=self.source.stat.etag,
            owner=self.owner,
            replace=self.may_replace,
            media_type=noted.media_type,
            metadata=noted.metadata,
        )

    @property
    def expected(self) -> Known:
        """What is known of the source before it is read."""
        return Known.of(self.source.stat, self.expected_sha256)

    @property
    def may_replace(self) -> bool:
        """Whether what was seen at the target may be replaced: it is this owner's, or the author said so."""
        own = self._there is not None and bool(self.owner) and self._there.owner == self.owner
        return own or (self._seen and self.if_exists == "overwrite")

    @property
    def _held(self) -> ObjectStat | None:
        """What lies at the target, as it was first seen."""
        if not self._seen:
            self._there = self.store.stat(self.target)
            self._seen, self.occupied = True, self._there is not None
        return self._there

    def holding(self, whole: Sealed) -> ObjectReceipt | None:
        """Return the proof that what was read lies at the target already.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, other content lies there.
        """
        held = self._held
        if held is None or self._decided(held, partial(self._holds, held, whole)) == "replace":
            return None
        return self._kept(held, whole.sha256)

    def _holds(self, held: ObjectStat, whole: Sealed) -> bool:
        read = self._known(whole)
        told = read.matches(Known.of(held))
        return bool(read.matches(self._read(held, Stop())) if told is None else told)

    def _decided(self, held: ObjectStat, same: Callable[[], bool]) -> Decision:
        return decide(held, lambda _: same(), self.if_exists, self.owner)

    def _same(self, held: ObjectStat, stop: Stop) -> bool:
        told = self.expected.matches(Known.of(held))
        if told is None:
            # No checksum in common: only the bytes can tell, and the source may be as silent as the target.
            source = Known.read(self.source.stat.size_bytes, self.source.pieces(stop))
            told = source.matches(Known.of(held))
            if told is None:
                told = source.matches(self._read(held, stop))
        return bool(told)

    def _read(self, held: ObjectStat, stop: Stop) -> Known:
        return Known.read(held.size_bytes, _watched(self.store.read(held), stop))

    def _kept(self, held: ObjectStat, read: str | None = None) -> ObjectReceipt:
        sha256 = held.sha256 or read or self.expected.sha256 or self._read(held, Stop()).sha256 or ""
        # What this owner wrote with its SHA-256 was hashed whole before; of others we have only the checksum.
        own = bool(self.owner) and held.owner == self.owner and held.sha256 is not None
        return self._receipt(held, sha256, 0, "end_to_end" if own else "store_checksum")

    def _overtaken(self, error: ApplicationError, stop: Stop) -> ObjectReceipt:
        """Settle a conflict where the store copies: an earlier attempt that was thought dead may have won the race."""
        self._seen = False
        kept = self.kept(stop) if error.type == ErrorKind.TARGET_CONFLICT else None
        if kept is None:
            raise error
        return kept

    def _met(self, error: ApplicationError, whole: Sealed) -> ObjectReceipt:
        """Settle a conflict at the commit: an earlier attempt that was thought dead may have won the race."""
        held = self.store.stat(self.target) if error.type == ErrorKind.TARGET_CONFLICT else None
        own = held and self.owner and held.owner == self.owner
        may_share = own or self.if_exists != "fail"
        if held and may_share and Known.of(held).matches(self._known(whole)):
            return self._kept(held)
        raise error

    def _proven(self, stat: ObjectStat, whole: Sealed, sent: int, lost: tuple[str, ...]) -> ObjectReceipt:
        if Known.of(stat).matches(self._known(whole)) is False:
            raise self._damaged(f"{stat.uri} is not what was sent to it")
        return self._receipt(stat, whole.sha256, sent, "end_to_end", lost)

    def _check_read(self, whole: Sealed) -> None:
        if self.expected.matches(self._known(whole)) is False:
            raise self._damaged(f"{self.source.stat.uri} does not have the checksum it was listed with")

    def _known(self, whole: Sealed) -> Known:
        return Known(self.source.stat.size_bytes, to_base64(whole.crc32c), whole.sha256)

    def _receipt(
        self, stat: ObjectStat, sha256: str, sent: int, verified: Verified, lost: tuple[str, ...] = ()
    ) -> ObjectReceipt:
        return ObjectReceipt(target=stat, sha256=sha256, bytes_sent=sent, verified=verified, lost=lost)

    def _damaged(self, told: str) -> ApplicationError:
        return failure(ErrorKind.CHECKSUM_MISMATCH, told, ErrorDetail(ref=self.source.stat.uri))


def _watched(pieces: Iterator[bytes], stop: Stop) -> Iterator[bytes]:
    for piece in pieces:
        stop.check()
        yield piece


def vouched_digest(md5: str, size_bytes: int) -> str:
    """Return the identity of an object that only its store has read: no better than its MD5, and no content's own."""
    return hashlib.sha256(f"md5 {md5} {size_bytes}".encode()).hexdigest()
