"""A ledger without a server: its months count as the real one's do."""

from datetime import datetime

from temporalio import activity

from contracts.ledger import (
    MonthQuery,
    MonthState,
    Posted,
    PostRequest,
    Released,
    ReleaseRequest,
    Reserved,
    ReserveRequest,
    month_of,
)
from contracts.months import MonthRequest
from tests.fakes.world import World
from workflows.month import Month


class FakeLedger:
    """`ledger.*` under their wire names, over the months of the world."""

    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn(name="ledger.post")
    async def post(self, request: PostRequest) -> Posted:
        return await self.world.play("causeway", "ledger.post", request, lambda: self._post(request))

    def _post(self, request: PostRequest) -> Posted:
        entered = tuple(self._month(charge.month).enter(charge) for charge in request.charges)
        months = sorted({charge.month for charge in request.charges})
        return Posted(months=tuple(months), entered=entered)

    @activity.defn(name="ledger.month")
    async def month(self, query: MonthQuery) -> MonthState:
        now = await self.world.now()
        month = query.month or month_of(now)
        return await self.world.play("causeway", "ledger.month", query, lambda: self._month(month).state)

    @activity.defn(name="ledger.reserve")
    async def reserve(self, request: ReserveRequest) -> Reserved:
        now = await self.world.now()
        return await self.world.play(
            "causeway", "ledger.reserve", request, lambda: self._reserve(request, now)
        )

    def _reserve(self, request: ReserveRequest, now: datetime) -> Reserved:
        return self._month(request.month or month_of(now)).reserve(request, now)

    @activity.defn(name="ledger.release")
    async def release(self, request: ReleaseRequest) -> Released:
        return await self.world.play("causeway", "ledger.release", request, lambda: self._release(request))

    def _release(self, request: ReleaseRequest) -> Released:
        held = self.world.months.values()
        return Released(size_bytes=sum(month.release(request.run_uid, request.id) for month in held))

    def _month(self, month: str) -> Month:
        return self.world.months.setdefault(month, Month(MonthRequest(month=month)))
