"""What Temporal says of task queues: whether a worker serves them."""

from datetime import UTC, datetime

from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client

from contracts.observed import Observed
from contracts.plan import QueueActivities, QueueReport, QueueReports, QueuesRequest

LONG_POLL_SECONDS = 70
"""A live worker asks for work at least this often: Temporal's long poll lasts a minute."""
STALE_SECONDS = 10
"""A task that has waited this long without any poll since it came has no worker."""


class TemporalQueues(QueueActivities):
    """Asks the Temporal server that the worker itself is connected to."""

    def __init__(self, client: Client, observed: Observed | None = None) -> None:
        """Ask through this client, and say who else wants to know."""
        self._client = client
        self._observed = observed or Observed()

    @activity.defn(name="queues.describe")
    async def describe(self, request: QueuesRequest) -> QueueReports:
        """Say for each queue whether a worker serves it. Safe to run twice; heartbeats nothing, nothing is final."""
        reports = tuple([await self._one(queue) for queue in request.queues])
        return QueueReports(reports=reports, observed=self._observed)

    async def _one(self, queue: str) -> QueueReport:
        answer = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
                report_stats=True,
            )
        )
        return report_of(queue, answer, datetime.now(UTC))


def report_of(queue: str, answer: DescribeTaskQueueResponse, now: datetime) -> QueueReport:
    """Judge a queue: a worker is absent when nobody has polled since the oldest task came, or at all."""
    polls = [poller.last_access_time.ToDatetime(tzinfo=UTC) for poller in answer.pollers]
    polled_at = max(polls, default=None)
    oldest = answer.stats.approximate_backlog_age.ToTimedelta().total_seconds()
    waiting = answer.stats.approximate_backlog_count
    silent = (now - polled_at).total_seconds() if polled_at else float("inf")
    unserved = waiting > 0 and oldest > STALE_SECONDS and silent > oldest
    return QueueReport(
        queue=queue,
        polled_at=polled_at,
        waiting=waiting,
        oldest_seconds=oldest,
        absent=silent > LONG_POLL_SECONDS or unserved,
    )
