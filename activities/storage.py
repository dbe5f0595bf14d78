"""The storage activities over any store; a room only brings its `Store` and its `translate`."""

from collections.abc import Sequence
from functools import partial

from temporalio import activity

from activities.checksums import Hashes, to_base64
from activities.copying import Copier
from activities.grant_client import GrantClient
from activities.granting import Minter
from activities.grants import AllowList
from activities.guard import Translate, guarded, translated
from activities.manifests import Manifests
from activities.parallel import Stop, for_each
from activities.progress import Meter
from activities.pushing import Pusher
from activities.selection import selected_page
from activities.sources import StoredSource
from activities.store import Store
from activities.uploading import as_sum
from contracts.artifacts import ObjectStat
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
    Tally,
)
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import (
    Measure,
    MeasureRequest,
    Measures,
    PartGrants,
    PartSum,
    ReadGrantRequest,
    ReadGrants,
    WriteGrantRequest,
    WriteGrants,
    WriteIntent,
)
from contracts.parts import part_size
from contracts.storage import (
    PAGE_OBJECTS,
    AbortRequest,
    ContainerReceipt,
    ContainerRequest,
    DeleteRequest,
    ListRequest,
    ManifestReceipt,
    ManifestRequest,
    ObjectPage,
    StatRequest,
    StorageActivities,
    UriList,
)


class StoreActivities(StorageActivities):
    """What `contracts.storage` promises, by one store and the rights of this worker."""

    def __init__(self, store: Store, translate: Translate, allowed: AllowList, client: GrantClient) -> None:
        self._store = store
        self._translate = translate
        self._minter = Minter(store, allowed)
        self._copier = Copier(store, client, translate)
        self._pusher = Pusher(store, client, translate)
        self._manifests = Manifests(store)

    @activity.defn(name="storage.ensure_container", no_thread_cancel_exception=True)
    def ensure_container(self, request: ContainerRequest) -> ContainerReceipt:
        """See the contract."""
        with guarded(self._translate, request.uri):
            return self._store.ensure_container(request.uri, create=request.create)

    @activity.defn(name="storage.stat", no_thread_cancel_exception=True)
    def stat(self, request: StatRequest) -> ObjectStat:
        """See the contract."""
        with guarded(self._translate, request.uri):
            found = self._store.stat(request.uri)
            if found is None:
                raise failure(
                    ErrorKind.SOURCE_MISSING, f"{request.uri} does not exist", ErrorDetail(ref=request.uri)
                )
            return found

    @activity.defn(name="storage.list", no_thread_cancel_exception=True)
    def list(self, request: ListRequest) -> ObjectPage:
        """See the contract."""
        with guarded(self._translate, request.prefix):
            _check_prefix(request.prefix)
            limit = max(1, min(request.limit, PAGE_OBJECTS))
            return selected_page(self._store, request.model_copy(update={"limit": limit}))

    @activity.defn(name="storage.measure", no_thread_cancel_exception=True)
    def measure(self, request: MeasureRequest) -> Measures:
        """See the contract."""
        meter = _meter(request.objects)
        with guarded(self._translate, _summary(request.objects), meter.told):
            return Measures(measures=tuple(for_each(partial(self._measure_one, meter), request.objects)))

    @activity.defn(name="storage.grant_read", no_thread_cancel_exception=True)
    def grant_read(self, request: ReadGrantRequest) -> ReadGrants:
        """See the contract."""
        with guarded(self._translate, _summary(request.objects)):
            return self._minter.reads(request.objects, request.life, bare=request.bare)

    @activity.defn(name="storage.grant_write", no_thread_cancel_exception=True)
    def grant_write(self, request: WriteGrantRequest) -> WriteGrants:
        """See the contract."""
        with guarded(self._translate, _summary([intent.measure.source for intent in request.intents])):
            return self._minter.writes(request.intents, request.life)

    @activity.defn(name="storage.copy", no_thread_cancel_exception=True)
    def copy(self, request: CopyRequest) -> CopyReceipt:
        """See the contract."""
        sources = [item.source for item in request.items]
        meter = _meter(sources)
        with guarded(self._translate, _summary(sources), meter.told):
            return self._accounted(request.manifest, self._copier.copy(request, meter))

    @activity.defn(name="storage.copy_parts", no_thread_cancel_exception=True)
    def copy_parts(self, request: PartsRequest) -> PartsReceipt:
        """See the contract."""
        meter = _part_meter(request.source, request.parts)
        with guarded(self._translate, request.target, meter.told):
            receipt = self._copier.copy_parts(request, meter)
            self._account(request.manifest, [receipt.kept] if receipt.kept else [])
            return receipt

    @activity.defn(name="storage.seal", no_thread_cancel_exception=True)
    def seal(self, request: SealRequest) -> ObjectReceipt:
        """See the contract."""
        with guarded(self._translate, request.target):
            receipt = self._copier.seal(request)
            self._account(request.manifest, [receipt])
            return receipt

    @activity.defn(name="storage.measure_parts", no_thread_cancel_exception=True)
    def measure_parts(self, request: MeasurePartsRequest) -> PartSums:
        """See the contract."""
        meter = _part_meter(request.source, request.parts)
        with guarded(self._translate, request.source.uri, meter.told):
            parts = for_each(partial(self._measure_part, meter, request.source), request.parts)
            return PartSums(parts=tuple(parts), source=self._noted(request.source))

    @activity.defn(name="storage.grant_parts", no_thread_cancel_exception=True)
    def grant_parts(self, request: PartGrantRequest) -> PartGrants:
        """See the contract."""
        with guarded(self._translate, request.target):
            return self._minter.parts(request)

    @activity.defn(name="storage.push_parts", no_thread_cancel_exception=True)
    def push_parts(self, request: PushPartsRequest) -> PushPartsReceipt:
        """See the contract."""
        meter = _part_meter(request.source, [grant.part.index for grant in request.grants])
        with guarded(self._translate, request.source.uri, meter.told):
            return self._pusher.push_parts(request, meter)

    @activity.defn(name="storage.push", no_thread_cancel_exception=True)
    def push(self, request: PushRequest) -> PushReceipt:
        """See the contract."""
        sources = [grant.intent.measure.source for grant in request.grants]
        meter = _meter(sources)
        with guarded(self._translate, _summary(sources), meter.told):
            return self._pusher.push(request, meter)

    @activity.defn(name="storage.commit", no_thread_cancel_exception=True)
    def commit(self, request: CommitRequest) -> CopyReceipt:
        """See the contract."""
        with guarded(self._translate, _summary([intent.measure.source for intent in request.intents])):
            receipts = tuple(for_each(self._commit_one, request.intents))
            tally = sum((receipt.tally for receipt in receipts), Tally())
            return self._accounted(request.manifest, CopyReceipt(tally=tally, objects=receipts))

    @activity.defn(name="storage.publish_manifest", no_thread_cancel_exception=True)
    def publish_manifest(self, request: ManifestRequest) -> ManifestReceipt:
        """See the contract."""
        with guarded(self._translate, request.target):
            return self._manifests.publish(request)

    @activity.defn(name="storage.abort_upload", no_thread_cancel_exception=True)
    def abort_upload(self, request: AbortRequest) -> UriList:
        """See the contract."""
        with guarded(self._translate, request.prefix):
            return UriList(uris=tuple(self._store.abort_uploads(request.prefix)))

    @activity.defn(name="storage.delete", no_thread_cancel_exception=True)
    def delete(self, request: DeleteRequest) -> UriList:
        """See the contract."""
        with guarded(self._translate, ", ".join(request.uris[:1])):
            removed = for_each(self._delete_one, request.uris)
            return UriList(
                uris=tuple(uri for uri, was_there in zip(request.uris, removed, strict=True) if was_there)
            )

    def _measure_one(self, meter: Meter, source: ObjectStat, stop: Stop) -> Measure:
        hashes = Hashes(source.size_bytes, md5=True)
        with translated(self._translate, source.uri):
            for piece in self._store.read(source):
                stop.check()
                hashes.feed(piece)
                meter.add(size_bytes=len(piece))
            source = self._noted(source)
        meter.add(objects=1)
        return Measure(source=source, crc32c=to_base64(hashes.crc32c), md5=hashes.md5, sha256=hashes.sha256)

    def _noted(self, source: ObjectStat) -> ObjectStat:
        """Return the source with its media type and metadata, which a listing may have left out."""
        held = self._store.stat(source.uri)
        if held is None or held.etag.strip('"') != source.etag.strip('"'):
            # Whoever reads it next is told.
            return source
        return source.model_copy(update={"media_type": held.media_type, "metadata": held.metadata})

    def _measure_part(self, meter: Meter, source: ObjectStat, index: int, stop: Stop) -> PartSum:
        stop.check()
        with translated(self._translate, source.uri):
            part = StoredSource(source, self._store).bring(index).part
        meter.add(size_bytes=part.size_bytes)
        return as_sum(part)

    def _commit_one(self, intent: WriteIntent, stop: Stop) -> ObjectReceipt:
        stop.check()
        with translated(self._translate, intent.target):
            stat = self._store.confirm(intent)
            kept = self._store.carriable(intent.measure.source.metadata)
        lost = tuple(name for name in intent.measure.source.metadata if name not in kept)
        # What was sent is told by the push.
        return ObjectReceipt(
            target=stat, sha256=intent.measure.sha256, bytes_sent=0, verified="end_to_end", lost=lost
        )

    def _accounted(self, manifest: str | None, receipt: CopyReceipt) -> CopyReceipt:
        """Leave an account of what is done instead of telling it, when asked to."""
        if manifest is None:
            return receipt
        self._account(manifest, receipt.objects)
        return receipt.model_copy(update={"objects": ()})

    def _account(self, manifest: str | None, receipts: Sequence[ObjectReceipt]) -> None:
        if manifest and receipts:
            self._manifests.leave(manifest, receipts)

    def _delete_one(self, uri: str, stop: Stop) -> bool:
        stop.check()
        with translated(self._translate, uri):
            return self._store.delete(uri)


def _meter(objects: Sequence[ObjectStat]) -> Meter:
    return Meter(len(objects), sum(source.size_bytes for source in objects))


def _part_meter(source: ObjectStat, parts: Sequence[int]) -> Meter:
    return Meter(0, sum(part_size(source.size_bytes, index) for index in parts))


def _summary(objects: Sequence[ObjectStat]) -> str:
    if not objects:
        return "no objects"
    more = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
    return objects[0].uri + more


def _check_prefix(prefix: str) -> None:
    if not prefix.endswith("/"):
        told = f"{prefix} is no prefix; a prefix ends in '/'"
        raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=prefix))
