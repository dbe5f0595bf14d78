"""Fake storage of large objects: their parts, brought one by one and sealed."""

import hashlib

from temporalio import activity

from contracts.artifacts import ObjectStat
from contracts.copies import (
    Cut,
    MeasurePartsRequest,
    ObjectReceipt,
    PartGrantRequest,
    PartsReceipt,
    PartsRequest,
    PartSums,
    PushPartsReceipt,
    PushPartsRequest,
    SealRequest,
    Tally,
)
from contracts.errors import ErrorKind, failure
from contracts.grants import (
    PartGrant,
    PartGrants,
    PartSum,
)
from contracts.parts import part_size, parts_of
from tests.fakes.objects import GRANT_LIFE, FakeObjects


class FakeParts(FakeObjects):
    """`storage.*` of parts under their wire names."""

    @activity.defn(name="storage.copy_parts")
    async def copy_parts(self, request: PartsRequest) -> PartsReceipt:
        def effect() -> PartsReceipt:
            held = self.world.parts.setdefault(self._own(request.target), set())
            wanted = [index for index in request.parts if index not in held][: self.world.parts_at_once]
            self.world.parts_sent += [(request.target, index) for index in wanted]
            held.update(wanted)
            done = [index for index in request.parts if index in held]
            sums = tuple(part_sum(request.source, index) for index in done)
            sent = sum(part_size(request.source.size_bytes, index) for index in wanted)
            return PartsReceipt(
                parts=sums,
                tally=Tally(size_bytes=sum(part.size_bytes for part in sums), bytes_sent=sent),
                source=request.source,
                cut=Cut(kind=self.world.cut) if len(done) < len(request.parts) else None,
            )

        return await self._play("storage.copy_parts", request, effect)

    @activity.defn(name="storage.seal")
    async def seal(self, request: SealRequest) -> ObjectReceipt:
        def effect() -> ObjectReceipt:
            assert [part.index for part in request.parts] == list(range(parts_of(request.source.size_bytes)))
            if self.world.parts.pop(self._own(request.target), set()) != set(range(len(request.parts))):
                raise failure(ErrorKind.UNAVAILABLE, "a part is gone")
            receipt = self._land(request.source.uri, request.target)
            self._accounted(request.manifest, [receipt])
            return receipt

        return await self._play("storage.seal", request, effect)

    @activity.defn(name="storage.measure_parts")
    async def measure_parts(self, request: MeasurePartsRequest) -> PartSums:
        sums = PartSums(parts=tuple(part_sum(request.source, index) for index in request.parts))
        return await self._play("storage.measure_parts", request, lambda: sums)

    @activity.defn(name="storage.grant_parts")
    async def grant_parts(self, request: PartGrantRequest) -> PartGrants:
        expires = await self.world.now() + GRANT_LIFE

        def effect() -> PartGrants:
            held = self.world.parts.setdefault(self._own(request.target), set())
            needed = [part for part in request.parts if part.index not in held][: self.world.grants_at_once]
            self.world.pushed_to = request.target
            return PartGrants(
                grants=tuple(
                    PartGrant(part=part, url="https://store.invalid/part", expires_at=expires)
                    for part in needed
                ),
                held=tuple(part.index for part in request.parts if part.index in held),
            )

        return await self._play("storage.grant_parts", request, effect)

    @activity.defn(name="storage.push_parts")
    async def push_parts(self, request: PushPartsRequest) -> PushPartsReceipt:
        def effect() -> PushPartsReceipt:
            sent = [grant.part for grant in request.grants][: self.world.parts_at_once]
            self.world.parts[self.world.pushed_to] |= {part.index for part in sent}
            self.world.parts_sent += [(self.world.pushed_to, part.index) for part in sent]
            return PushPartsReceipt(
                sent=tuple(part.index for part in sent),
                tally=Tally(bytes_sent=sum(part.size_bytes for part in sent)),
                cut=Cut(kind=self.world.cut) if len(sent) < len(request.grants) else None,
            )

        return await self._play("storage.push_parts", request, effect)


def part_sum(source: ObjectStat, index: int) -> PartSum:
    return PartSum(
        index=index,
        size_bytes=part_size(source.size_bytes, index),
        crc32c="AAAAAA==",
        sha256=hashlib.sha256(f"{source.uri} {index}".encode()).hexdigest(),
    )
