"""A receiver of alerts and of lineage that keeps what it is told."""

from temporalio import activity

from contracts.alerts import Alert, AlertReceipt
from contracts.lineage import LineageBatch, LineageReceipt
from contracts.observed import Observed
from tests.fakes.world import World


class FakeAlerts:
    """What the worker of workflows does with alerts and lineage."""

    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn(name="observers.describe")
    async def describe(self) -> Observed:
        return await self.world.play("causeway", "observers.describe", None, lambda: self.world.observed)

    @activity.defn(name="alerts.send")
    async def send(self, alert: Alert) -> AlertReceipt:
        return await self.world.play("causeway", "alerts.send", alert, lambda: self._take(alert))

    @activity.defn(name="lineage.emit")
    async def emit(self, batch: LineageBatch) -> LineageReceipt:
        return await self.world.play("causeway", "lineage.emit", batch, lambda: self._write(batch))

    def _write(self, batch: LineageBatch) -> LineageReceipt:
        self.world.lineage.append(batch)
        return LineageReceipt(sent=len(batch.events))

    def _take(self, alert: Alert) -> AlertReceipt:
        self.world.alerts.append(alert)
        return AlertReceipt(delivered=True)
