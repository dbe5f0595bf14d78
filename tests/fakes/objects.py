"""Fake storage: objects that come to lie whole, and what a transfer accounts for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity

from activities.selection import Selection
from contracts.artifacts import ManifestEntry, folder_artifact
from contracts.copies import (
    CommitRequest,
    CopyReceipt,
    CopyRequest,
    Cut,
    ObjectReceipt,
    PushReceipt,
    PushRequest,
    Tally,
)
from contracts.errors import ErrorKind, failure
from contracts.grants import (
    Measure,
    MeasureRequest,
    Measures,
    ReadGrant,
    ReadGrantRequest,
    ReadGrants,
    WriteGrant,
    WriteGrantRequest,
    WriteGrants,
)
from contracts.storage import (
    AbortRequest,
    ListRequest,
    ManifestReceipt,
    ManifestRequest,
    ObjectPage,
    StatRequest,
    UriList,
)
from tests.fakes.connection import FakeConnection

GRANT_LIFE = timedelta(minutes=15)


class FakeObjects(FakeConnection):
    """`storage.*` of whole objects under their wire names."""

    @activity.defn(name="storage.stat")
    async def stat(self, request: StatRequest) -> Any:
        return await self._play("storage.stat", request, lambda: self.world.stat(self._own(request.uri)))

    @activity.defn(name="storage.list")
    async def list(self, request: ListRequest) -> ObjectPage:
        return await self._play("storage.list", request, lambda: self._list(request))

    def _list(self, request: ListRequest) -> ObjectPage:
        size, meant = self.world.page, Selection(request.include, request.exclude)
        held = [
            stat
            for stat in self.world.below(self._own(request.prefix))
            if stat.uri > (request.after or "") and meant(stat.uri.removeprefix(request.prefix))
        ]
        more = len(held) > size
        return ObjectPage(objects=tuple(held[:size]), next_after=held[size - 1].uri if more else None)

    @activity.defn(name="storage.measure")
    async def measure(self, request: MeasureRequest) -> Measures:
        def effect() -> Measures:
            return Measures(
                measures=tuple(
                    Measure(source=stat, crc32c="AAAAAA==", md5="", sha256=str(stat.sha256))
                    for stat in request.objects
                )
            )

        return await self._play("storage.measure", request, effect)

    @activity.defn(name="storage.grant_read")
    async def grant_read(self, request: ReadGrantRequest) -> ReadGrants:
        expires = await self.world.now() + GRANT_LIFE
        grants = tuple(
            ReadGrant(
                source=stat, url=f"https://store.invalid/{stat.uri.split('//', 1)[1]}", expires_at=expires
            )
            for stat in request.objects[: self.world.grants_at_once]
        )
        return await self._play("storage.grant_read", request, lambda: ReadGrants(grants=grants))

    @activity.defn(name="storage.grant_write")
    async def grant_write(self, request: WriteGrantRequest) -> WriteGrants:
        expires = await self.world.now() + GRANT_LIFE
        grants = tuple(
            WriteGrant(intent=intent, url="https://store.invalid/write", expires_at=expires)
            for intent in request.intents[: self.world.grants_at_once]
        )
        return await self._play("storage.grant_write", request, lambda: WriteGrants(grants=grants))

    @activity.defn(name="storage.copy")
    async def copy(self, request: CopyRequest) -> CopyReceipt:
        now = await self.world.now()
        return await self._play("storage.copy", request, lambda: self._copy(request, now))

    def _copy(self, request: CopyRequest, now: datetime) -> CopyReceipt:
        stale = [item for item in request.items if item.grant and item.grant.expires_at < now]
        if stale:
            raise failure(ErrorKind.UNAVAILABLE, "the grant has expired")
        done = request.items[: self.world.objects_at_once]
        receipts = [self._land(item.source.uri, self._own(item.target)) for item in done]
        left = tuple(range(len(done), len(request.items)))
        return self._accounted(request.manifest, receipts, left)

    def _accounted(
        self, manifest: str | None, receipts: Sequence[ObjectReceipt], left: tuple[int, ...] = ()
    ) -> CopyReceipt:
        if manifest:
            self.world.accounts.setdefault(manifest, []).extend(receipts)
        return CopyReceipt(
            tally=sum((receipt.tally for receipt in receipts), Tally()),
            objects=() if manifest else tuple(receipts),
            remaining=left,
            cut=Cut(kind=self.world.cut) if left else None,
        )

    @activity.defn(name="storage.publish_manifest")
    async def publish_manifest(self, request: ManifestRequest) -> ManifestReceipt:
        def effect() -> ManifestReceipt:
            entries = {
                receipt.target.uri: ManifestEntry(
                    name=receipt.target.uri.removeprefix(request.prefix),
                    size_bytes=receipt.target.size_bytes,
                    sha256=receipt.sha256,
                )
                for receipt in self.world.accounts[request.accounts]
            }
            folder = folder_artifact(request.prefix, entries.values())
            return ManifestReceipt(folder=folder, manifest=request.target)

        return await self._play("storage.publish_manifest", request, effect)

    @activity.defn(name="storage.push")
    async def push(self, request: PushRequest) -> PushReceipt:
        def effect() -> PushReceipt:
            done = request.grants[: self.world.objects_at_once]
            sizes = sum(grant.intent.measure.source.size_bytes for grant in done)
            left = tuple(range(len(done), len(request.grants)))
            return PushReceipt(
                tally=Tally(bytes_sent=sizes),
                remaining=left,
                cut=Cut(kind=self.world.cut) if left else None,
            )

        return await self._play("storage.push", request, effect)

    @activity.defn(name="storage.commit")
    async def commit(self, request: CommitRequest) -> CopyReceipt:
        def effect() -> CopyReceipt:
            pairs = [(intent.measure.source.uri, self._own(intent.target)) for intent in request.intents]
            landed = [self._land(source, target) for source, target in pairs]
            return self._accounted(
                request.manifest, [receipt.model_copy(update={"bytes_sent": 0}) for receipt in landed]
            )

        return await self._play("storage.commit", request, effect)

    @activity.defn(name="storage.abort_upload")
    async def abort_upload(self, request: AbortRequest) -> UriList:
        return await self._play("storage.abort_upload", request, lambda: self._abort(request.prefix))

    def _abort(self, prefix: str) -> UriList:
        given_up = [
            uri
            for uri in self.world.parts
            if (uri.startswith(prefix) if prefix.endswith("/") else uri == prefix)
        ]
        for uri in given_up:
            del self.world.parts[uri]
        return UriList(uris=tuple(given_up))

    def _land(self, source: str, target: str) -> ObjectReceipt:
        content = self.world.objects[source]
        there = self.world.objects.get(target) == content
        self.world.put(target, content)
        stat = self.world.stat(target)
        return ObjectReceipt(
            target=stat,
            sha256=str(stat.sha256),
            bytes_sent=0 if there else stat.size_bytes,
            verified="end_to_end",
        )
