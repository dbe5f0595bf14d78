"""What runs left in a fake world, and what Temporal would say of its runs."""

from temporalio import activity

from contracts.sweeps import (
    Owner,
    Owners,
    OwnersRequest,
    SweepEnd,
    SweepEnds,
    SweepFindRequest,
    SweepPage,
    SweepStopRequest,
)
from tests.fakes.connection import FakeConnection
from tests.fakes.world import World


class FakeSweeps(FakeConnection):
    """`sweep.*` of one connection under their wire names; a page holds two things."""

    @activity.defn(name="sweep.find")
    async def find_left(self, request: SweepFindRequest) -> SweepPage:
        def effect() -> SweepPage:
            held = self.world.left.get(self.connection, [])
            mine = [item for item in held if request.run_uid in {None, item.run_uid}]
            at = int(request.after or 0)
            following = str(at + 2) if at + 2 < len(mine) else None
            return SweepPage(items=tuple(mine[at : at + 2]), younger=self.world.young, next_after=following)

        return await self._play("sweep.find", request, effect)

    @activity.defn(name="sweep.stop")
    async def stop_left(self, request: SweepStopRequest) -> SweepEnds:
        def effect() -> SweepEnds:
            self.world.swept += [(self.connection, item.id) for item in request.items]
            ends = [
                SweepEnd(
                    kind=item.kind,
                    id=item.id,
                    stopped=item.id not in self.world.stubborn,
                    message=self.world.stubborn.get(item.id, ""),
                )
                for item in request.items
            ]
            return SweepEnds(ends=tuple(ends))

        return await self._play("sweep.stop", request, effect)


class FakeOwners:
    """What Temporal would say of runs."""

    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn(name="sweep.owners")
    async def owners(self, request: OwnersRequest) -> Owners:
        told = [self.world.owners.get(uid) or Owner(run_uid=uid, live=False) for uid in request.run_uids]
        answer = Owners(owners=tuple(told))
        return await self.world.play("causeway", "sweep.owners", request, lambda: answer)
