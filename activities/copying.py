"""The copy engine: each object is read in order, hashed whole, and appears at its target whole or not at all.

Several objects are in flight at once, but the parts of one follow each other.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial

from temporalio.exceptions import ApplicationError

from activities.checksums import Hashes, crc32c, md5_digest
from activities.existing import decide
from activities.grant_client import GrantClient
from activities.guard import Translate, translated
from activities.known import Known
from activities.parallel import Stop, for_each
from activities.progress import Meter
from activities.store import Part, Sealed, Store, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.storage import CopyItem, CopyReceipt, CopyRequest, ObjectReceipt
from contracts.units import MIB

PUT_LIMIT_BYTES = 16 * MIB
"""The largest object `Store.put` takes at once."""


class Copier:
    """Copies batches into one store, through grants or from the same store."""

    def __init__(self, store: Store, client: GrantClient, translate: Translate) -> None:
        self.store = store
        self.client = client
        self.translate = translate

    def copy(self, request: CopyRequest, meter: Meter) -> CopyReceipt:
        """Make each target equal to its source; `storage.copy` states the promise.

        Raises:
            ApplicationError: the first that any object met; the others have stopped.
            CancelledError: the activity was cancelled; parts in flight have landed and nothing was aborted.
        """
        started = time.monotonic()
        receipts = for_each(partial(self._copy_one, request, meter), request.items)
        return CopyReceipt(objects=tuple(receipts), seconds=time.monotonic() - started)

    def _copy_one(self, request: CopyRequest, meter: Meter, item: CopyItem, stop: Stop) -> ObjectReceipt:
        with translated(self.translate, item.target):
            receipt = _ObjectCopy(self, request, item, stop, meter).run()
        meter.add(objects=1)
        return receipt


@dataclass
class _ObjectCopy:
    """One object on its way."""

    copier: Copier
    request: CopyRequest
    item: CopyItem
    stop: Stop
    meter: Meter
    hashes: Hashes = field(default_factory=Hashes)

    def run(self) -> ObjectReceipt:
        held = self.store.stat(self.item.target)
        decision = decide(held, self._lies_there, self.request.if_exists, self.request.owner)
        if held and decision == "keep":
            self.meter.add(size_bytes=held.size_bytes)
            return self._kept(held)
        try:
            stat, sent = self._send(replace=decision == "replace")
        except ApplicationError as error:
            return self._met(error)
        return self._sent(stat, sent)

    @property
    def store(self) -> Store:
        return self.copier.store

    @cached_property
    def expected(self) -> Known:
        return Known.of(self.item.source, self.item.expected_sha256)

    def _lies_there(self, held: ObjectStat) -> bool:
        answer = self.expected.matches(Known.of(held))
        if answer is not None:
            return answer
        # No checksum in common: only the bytes can tell, and the source may be as silent as the target.
        source = Known.read(self._source(Hashes()))
        answer = source.matches(Known.of(held))
        if answer is not None:
            return answer
        return bool(source.matches(self._read_target(held)))

    def _read_target(self, held: ObjectStat) -> Known:
        return Known.read(self._watched(self.store.read(held)))

    def _kept(self, held: ObjectStat) -> ObjectReceipt:
        sha256 = held.sha256 or self.expected.sha256 or self._read_target(held).sha256 or ""
        # What this owner wrote was hashed whole before it was committed; of others we have only the checksum.
        own = bool(self.request.owner) and held.owner == self.request.owner
        verified = "end_to_end" if own else "store_checksum"
        return ObjectReceipt.model_validate(
            {"target": held, "sha256": sha256, "bytes_sent": 0, "verified": verified}
        )

    def _sent(self, stat: ObjectStat, sent: int) -> ObjectReceipt:
        if Known.of(stat).matches(Known.hashed(self.hashes)) is False:
            raise self._damaged(f"{stat.uri} is not what was sent to it")
        return ObjectReceipt(target=stat, sha256=self.hashes.sha256, bytes_sent=sent, verified="end_to_end")

    def _met(self, error: ApplicationError) -> ObjectReceipt:
        """Settle a conflict at the commit: an earlier attempt that was thought dead may have won the race."""
        held = self.store.stat(self.item.target) if error.type == ErrorKind.TARGET_CONFLICT else None
        own = held and self.request.owner and held.owner == self.request.owner
        may_share = own or self.request.if_exists != "fail"
        if held and may_share and Known.of(held).matches(Known.hashed(self.hashes)):
            return self._kept(held)
        raise error

    def _send(self, *, replace: bool) -> tuple[ObjectStat, int]:
        if self.item.source.size_bytes <= min(self.request.part_bytes, PUT_LIMIT_BYTES):
            return self._send_at_once(replace=replace)
        return self._send_in_parts(replace=replace)

    def _send_at_once(self, *, replace: bool) -> tuple[ObjectStat, int]:
        content = b"".join(self._source(self.hashes))
        self._verify()
        stat = self.store.put(
            self.item.target,
            content,
            sha256=self.hashes.sha256,
            owner=self.request.owner,
            media_type=self.item.source.media_type,
            replace=replace,
        )
        self.meter.add(size_bytes=len(content))
        return stat, len(content)

    def _send_in_parts(self, *, replace: bool) -> tuple[ObjectStat, int]:
        writer = self.store.writer(self._target(replace=replace))
        held = writer.held()
        parts, sent = [], 0
        for index, content in enumerate(_cut(self._source(self.hashes), writer.part_bytes)):
            part = Part(index, len(content), crc32c(content), md5_digest(content))
            if not _holds(held, part):
                self.stop.check()
                writer.put(part, content)
                sent += len(content)
            parts.append(part)
            self.meter.add(size_bytes=len(content))
        self._verify()
        return writer.commit(Sealed(self.hashes.crc32c, self.hashes.sha256, parts)), sent

    def _target(self, *, replace: bool) -> WriteTarget:
        source = self.item.source
        return WriteTarget(
            uri=self.item.target,
            size_bytes=source.size_bytes,
            source_etag=source.etag,
            part_bytes=max(1, self.request.part_bytes),
            media_type=source.media_type,
            owner=self.request.owner,
            replace=replace,
        )

    def _source(self, hashes: Hashes) -> Iterator[bytes]:
        source = self.item.source
        with translated(self.copier.translate, source.uri):
            for piece in self._watched(self._opened()):
                hashes.feed(piece)
                yield piece
            if hashes.size_bytes != source.size_bytes:
                told = f"{source.uri} came to {hashes.size_bytes} bytes instead of {source.size_bytes}"
                raise failure(ErrorKind.SOURCE_CHANGED, told, ErrorDetail(ref=source.uri))

    def _opened(self) -> Iterator[bytes]:
        grant, source = self.item.grant, self.item.source
        if grant is None:
            return self.store.read(source)
        if (grant.source.uri, grant.source.etag) != (source.uri, source.etag):
            told = f"the grant is for another version of {source.uri} than the one to be copied"
            raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=source.uri))
        return self.copier.client.read(grant)

    def _watched(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.stop.check()
            yield piece

    def _verify(self) -> None:
        if self.expected.matches(Known.hashed(self.hashes)) is False:
            raise self._damaged(f"{self.item.source.uri} does not have the checksum it was listed with")

    def _damaged(self, told: str) -> ApplicationError:
        return failure(ErrorKind.CHECKSUM_MISMATCH, told, ErrorDetail(ref=self.item.source.uri))


def _holds(held: Mapping[int, Part | None], part: Part) -> bool:
    found = held.get(part.index)
    return found is not None and (found.size_bytes, found.crc32c) == (part.size_bytes, part.crc32c)


def _cut(pieces: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """Regroup a stream into parts of one size; only the last may be smaller."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        while len(gathered) >= size_bytes:
            with memoryview(gathered) as view, view[:size_bytes] as part:
                content = bytes(part)
            yield content
            del gathered[:size_bytes]
    if gathered:
        yield bytes(gathered)
