"""Putting together over any store what the items of a stage left, and telling the objects of a folder apart."""

from functools import partial

from temporalio import activity

from activities.guard import Translate, guarded, translated
from activities.outputs import Collector
from activities.parallel import Stop, for_each
from activities.store import Store, WriteTarget, put_small
from contracts.artifacts import Artifact, ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.fanout import (
    EnumerateRequest,
    GatherActivities,
    Gathered,
    GatherPart,
    GatherRequest,
    ObjectItems,
)

AT_ONCE = 16
"""Small copies in flight: each is a round trip or two, and no byte passes the worker."""


class StoreGatherActivities(GatherActivities):
    """What `contracts.fanout` promises, by one store and the rights of this worker."""

    def __init__(self, store: Store, translate: Translate) -> None:
        self._store = store
        self._translate = translate
        self._collector = Collector(store, translate, "a fan-out")

    @activity.defn(name="storage.gather", no_thread_cancel_exception=True)
    def gather(self, request: GatherRequest) -> Gathered:
        """See the contract."""
        about = next((part.target for part in request.parts), next(iter(request.describe.values()), ""))
        with guarded(self._translate, about):
            for_each(partial(self._copy_part, request.owner), request.parts, at_once=AT_ONCE)
            for uri, text in request.files.items():
                put_small(self._store, uri, text.encode(), owner=request.owner)
            found = {name: self._collector.artifact(name, uri) for name, uri in request.describe.items()}
            return Gathered(artifacts=found)

    @activity.defn(name="storage.enumerate", no_thread_cancel_exception=True)
    def enumerate(self, request: EnumerateRequest) -> ObjectItems:
        """See the contract."""
        with guarded(self._translate, request.prefix):
            found: list[ObjectStat] = []
            for held in self._collector.objects(request.prefix):
                found.append(held)
                if len(found) > request.limit:
                    told = f"{request.prefix} holds more than {request.limit} objects"
                    raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=request.prefix))
            if not found:
                told = f"{request.prefix} holds nothing"
                raise failure(ErrorKind.SOURCE_MISSING, told, ErrorDetail(ref=request.prefix))
            return ObjectItems(objects=tuple(for_each(self._artifact, found, at_once=AT_ONCE)))

    def _copy_part(self, owner: str, part: GatherPart, stop: Stop) -> None:
        for held in self._collector.objects(part.source):
            stop.check()
            uri = part.target + held.uri.removeprefix(part.source)
            with translated(self._translate, held.uri):
                target = WriteTarget(
                    uri, held.size_bytes, held.etag, owner, replace=True, media_type=held.media_type
                )
                self._store.copy_within(held, target)

    def _artifact(self, held: ObjectStat, stop: Stop) -> Artifact:
        stop.check()
        return Artifact(
            uri=held.uri,
            kind="file",
            size_bytes=held.size_bytes,
            object_count=1,
            digest=self._collector.sha256(held, stop),
            crc32c=held.crc32c,
            etag=held.etag,
            media_type=held.media_type,
        )
