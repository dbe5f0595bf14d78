"""Which connections there are, so that a stage may run on any of them: names, and whether a worker serves each."""

from temporalio import activity
from temporalio.client import Client

from activities.queues import TemporalQueues
from contracts.connections import KnownActivities, KnownConnections, KnownRequest
from contracts.places import DEFAULTS
from contracts.plan import QueuesRequest
from contracts.queues import queue_of


class TemporalConnections(KnownActivities):
    """Knows names, and asks the Temporal server that the worker itself is connected to who serves them."""

    def __init__(self, client: Client, names: tuple[str, ...] = DEFAULTS) -> None:
        """Know these connections; without a file that names them the default one of each cloud."""
        self._queues = TemporalQueues(client)
        self._names = names

    @activity.defn(name="connections.known")
    async def known(self, request: KnownRequest) -> KnownConnections:
        """See the contract; heartbeats nothing."""
        queues = {queue_of(name): name for name in self._names}
        said = await self._queues.describe(QueuesRequest(queues=tuple(queues)))
        absent = {
            queues[report.queue]: f"no worker serves {report.queue}"
            for report in said.reports
            if report.absent
        }
        return KnownConnections(
            served=tuple(name for name in self._names if name not in absent), absent=absent
        )
