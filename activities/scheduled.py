"""Whether a schedule has started a run of this name before, as Temporal's visibility tells it."""

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.errors import ErrorKind, failure
from contracts.runs import STATUS_MEMO, RunPhase, RunStatus
from contracts.scheduled import Earlier, EarlierRequest, ScheduledActivities


class TemporalRuns(ScheduledActivities):
    """Asks the Temporal server that the worker itself is connected to; it sees its own namespace only."""

    def __init__(self, client: Client) -> None:
        """Ask through this client."""
        self._client = client

    @activity.defn(name="runs.earlier")
    async def earlier(self, request: EarlierRequest) -> Earlier:
        """See the contract."""
        # No quote comes in: a run's id is a pipeline, a key and a time.
        asked = f"WorkflowId = '{request.workflow_id}' AND ExecutionStatus = 'Completed'"
        try:
            async for run in self._client.list_workflows(asked):
                status = await run.memo_value(STATUS_MEMO, None, type_hint=RunStatus)
                if status is not None and status.phase is RunPhase.SUCCEEDED:
                    return Earlier(succeeded=status)
        except RPCError as error:
            told = f"Temporal did not say whether the run was there before ({error.status.name})"
            raise failure(ErrorKind.UNAVAILABLE, told) from None
        return Earlier()
