"""The copy engine: objects are hashed whole on their way, several parts at once, and appear whole or not at all."""

import threading
import time
from functools import partial

from activities.cutting import cut_by
from activities.grant_client import GrantClient
from activities.guard import Translate, translated
from activities.landing import Landing
from activities.pace import Throttle
from activities.parallel import Crew
from activities.progress import Meter
from activities.sources import Source, StoredSource, granted_source
from activities.store import Part, Sealed, Store
from activities.uploading import Upload, Window, as_sum, from_sum, sealed
from contracts.artifacts import ObjectStat
from contracts.copies import (
    Begun,
    CopyItem,
    CopyReceipt,
    CopyRequest,
    ObjectReceipt,
    PartsReceipt,
    PartsRequest,
    SealRequest,
    Tally,
)
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import PartSum, ReadGrant
from contracts.parts import MAX_PARTS, part_size, parts_of
from contracts.units import MIB

RISKED_BYTES = 16 * MIB
"""Up to this size (an object of one part) reading in vain costs less than a look at each target, since it happens once
for each stream: what it meets makes the next ones look first."""


class Copier:
    """Copies into one store, through grants or within the store; one for each worker, since it bounds its memory."""

    def __init__(self, store: Store, client: GrantClient, translate: Translate) -> None:
        self.store = store
        self.client = client
        self.translate = translate
        self.window = Window()

    def copy(self, request: CopyRequest, meter: Meter) -> CopyReceipt:
        """Make each target equal to its source; `storage.copy` states the promise.

        Raises:
            ApplicationError: a final error that any object met, or the first error when nothing was done before it.
        """
        began = time.monotonic()
        batch = Batch(self, request, meter)
        batch.crew.work()
        cut = cut_by(batch.crew.error, progress=bool(batch.receipts) or batch.read_some)
        return CopyReceipt(
            tally=sum((receipt.tally for receipt in batch.receipts.values()), meter.retried),
            objects=tuple(batch.receipts[number] for number in sorted(batch.receipts)),
            remaining=tuple(number for number in range(len(request.items)) if number not in batch.receipts),
            begun=batch.unfinished(),
            cut=cut,
            seconds=time.monotonic() - began,
        )

    def copy_parts(self, request: PartsRequest, meter: Meter) -> PartsReceipt:
        """Have the store hold parts of one large object; `storage.copy_parts` states the promise."""
        began = time.monotonic()
        with translated(self.translate, request.target):
            throttle = Throttle(request.pace.bytes_per_second)
            source = self.source(request.source, request.grant, throttle)
            landing = Landing(self.store, source, request.target, request.if_exists, request.owner)
            kept = landing.kept_by_word()
            if kept:
                return PartsReceipt(parts=(), tally=kept.tally, kept=kept)
            noted = source.noted()
            upload = Upload(source, self.store.writer(landing.prepared(noted)[0]), meter, self.window)
        done, error = self._brought(upload, request)
        return PartsReceipt(
            parts=tuple(as_sum(done[index]) for index in sorted(done)),
            tally=meter.retried
            + Tally(
                size_bytes=sum(part.size_bytes for part in done.values()),
                bytes_sent=sum(upload.sent.values()),
            ),
            source=noted.on(request.source),
            cut=cut_by(error, progress=bool(done)),
            seconds=time.monotonic() - began,
        )

    def seal(self, request: SealRequest) -> ObjectReceipt:
        """Make parts that have arrived the object; `storage.seal` states the promise."""
        source = self.source(request.source, None, Throttle(None))
        with translated(self.translate, request.target):
            whole = sealed(map(from_sum, request.parts))
            _check_complete(request.source, whole)
            if request.expected_sha256 not in {None, whole.sha256}:
                told = f"{request.source.uri} is no longer what its stage left there"
                raise failure(ErrorKind.SOURCE_CHANGED, told, ErrorDetail(ref=request.source.uri))
            landing = Landing(self.store, source, request.target, request.if_exists, request.owner)
            return landing.seal(whole, pushed=request.pushed)

    def source(self, stat: ObjectStat, grant: ReadGrant | None, throttle: Throttle) -> Source:
        """Return where to read an object from; without a grant from the worker's own store."""
        if grant:
            return granted_source(stat, grant, self.client, throttle)
        return StoredSource(stat, self.store, throttle)

    def _brought(self, upload: Upload, request: PartsRequest) -> tuple[dict[int, Part], BaseException | None]:
        done: dict[int, Part] = {}
        crew = Crew(request.pace.streams)

        def bring(index: int) -> None:
            with translated(self.translate, request.target):
                done[index] = upload.bring(index, index)

        crew.add([partial(bring, index) for index in request.parts])
        crew.work()
        return done, crew.error


class Batch:
    """The objects of one request on their way."""

    def __init__(self, copier: Copier, request: CopyRequest, meter: Meter) -> None:
        """Have every object begun; `crew.work` does the rest."""
        self.copier = copier
        self.request = request
        self.meter = meter
        self.receipts: dict[int, ObjectReceipt] = {}
        self._begun: dict[int, _Whole] = {}
        self._free = False
        """Whether the target that was seen last held nothing."""
        self.throttle = Throttle(request.pace.bytes_per_second)
        self.crew = Crew(request.pace.streams)
        self.crew.add([partial(self._begin, number) for number in range(len(request.items))])

    def done(self, number: int, receipt: ObjectReceipt) -> None:
        """Keep the proof of an object."""
        self.receipts[number] = receipt
        self.meter.add(objects=1)

    @property
    def read_some(self) -> bool:
        """Whether any part was read: what an earlier round had done is no progress."""
        return any(whole.read_some for whole in self._begun.values())

    def unfinished(self) -> tuple[Begun, ...]:
        """Return the parts of objects that are not whole yet."""
        return tuple(
            Begun(position=number, parts=whole.parts)
            for number, whole in sorted(self._begun.items())
            if number not in self.receipts and whole.parts
        )

    def _begin(self, number: int) -> None:
        item = self.request.items[number]
        with translated(self.copier.translate, item.target):
            landing = self._landing(item)
            receipt = self._at_once(landing, number) if self._risks(item) else self._looked(landing, number)
        self._free = not landing.occupied
        if receipt:
            self.done(number, receipt)

    def _risks(self, item: CopyItem) -> bool:
        """Whether to read a small object before asking what lies at its target: if the target seen last was free."""
        streamed = item.grant is not None and not self.request.server_side
        return self._free and streamed and item.source.size_bytes <= RISKED_BYTES

    def _looked(self, landing: Landing, number: int) -> ObjectReceipt | None:
        size = landing.source.stat.size_bytes
        receipt = self._without_reading(landing, self.request.items[number].grant)
        if receipt:
            self.meter.add(size_bytes=size)
            return receipt
        if parts_of(size) == 1:
            return self._at_once(landing, number)
        self._in_parts(landing, number)
        return None

    def _landing(self, item: CopyItem) -> Landing:
        source = self.copier.source(item.source, item.grant, self.throttle)
        request = self.request
        return Landing(
            self.copier.store, source, item.target, request.if_exists, request.owner, item.expected_sha256
        )

    def _without_reading(self, landing: Landing, grant: ReadGrant | None) -> ObjectReceipt | None:
        kept = landing.kept(self.crew.stop)
        if kept:
            # Of a copy that a store makes by itself, the store's word is all there ever was.
            return kept if grant else kept.model_copy(update={"verified": "store_checksum"})
        if grant is None:
            return landing.within(self.crew.stop)
        return landing.fetched(grant) if self.request.server_side else None

    def _at_once(self, landing: Landing, number: int) -> ObjectReceipt:
        size = landing.source.stat.size_bytes
        with self.copier.window.room(size), self.meter.sending(number * MAX_PARTS, size):
            receipt = landing.put(landing.source.bring(0))
        self.meter.add(size_bytes=size)
        return receipt

    def _in_parts(self, landing: Landing, number: int) -> None:
        target, lost = landing.prepared(landing.source.noted())
        writer = self.copier.store.writer(target)
        known = self.request.items[number].known
        upload = Upload(landing.source, writer, self.meter, self.copier.window, known)
        whole = self._begun[number] = _Whole(self, landing, upload, number, lost)
        self.crew.add([partial(whole.bring, index) for index in range(whole.count)])


class _Whole:
    """An object in parts; whoever brings the last of them makes it whole."""

    def __init__(
        self, batch: Batch, landing: Landing, upload: Upload, number: int, lost: tuple[str, ...]
    ) -> None:
        self.count = parts_of(landing.source.stat.size_bytes)
        self._batch = batch
        self._landing = landing
        self._upload = upload
        self._number = number
        self._lost = lost
        self._parts: list[Part] = []
        self._lock = threading.Lock()

    @property
    def read_some(self) -> bool:
        """Whether any part was read in this attempt."""
        return bool(self._upload.read)

    @property
    def parts(self) -> tuple[PartSum, ...]:
        """Those that are there."""
        with self._lock:
            return tuple(as_sum(part) for part in self._parts)

    def bring(self, index: int) -> None:
        """Bring one part."""
        batch = self._batch
        with translated(batch.copier.translate, self._landing.target):
            part = self._upload.bring(index, self._number * MAX_PARTS + index)
            with self._lock:
                self._parts.append(part)
                last = len(self._parts) == self.count
            if last:
                sent = sum(self._upload.sent.values())
                whole = sealed(self._parts)
                batch.done(self._number, self._landing.commit(self._upload.writer, whole, sent, self._lost))


def _check_complete(source: ObjectStat, whole: Sealed) -> None:
    sizes = [part_size(source.size_bytes, index) for index in range(parts_of(source.size_bytes))]
    if [(part.index, part.size_bytes) for part in whole.parts] != list(enumerate(sizes)):
        told = f"{len(whole.parts)} of {len(sizes)} parts of {source.uri} are there; it cannot be made whole"
        raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=source.uri))
