"""A receiver of alerts that keeps what it is told."""

from temporalio import activity

from contracts.alerts import Alert, AlertReceipt
from contracts.observed import Observed
from tests.fakes.world import World


class FakeAlerts:
    """What the worker of workflows does with alerts."""

    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn(name="observers.describe")
    async def describe(self) -> Observed:
        return await self.world.play("causeway", "observers.describe", None, lambda: self.world.observed)

    @activity.defn(name="alerts.send")
    async def send(self, alert: Alert) -> AlertReceipt:
        return await self.world.play("causeway", "alerts.send", alert, lambda: self._take(alert))

    def _take(self, alert: Alert) -> AlertReceipt:
        self.world.alerts.append(alert)
        return AlertReceipt(delivered=True)
