"""Asks runs what leave people have given in them, by way of the Temporal server that the worker is connected to."""

from datetime import timedelta

from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.leaves import LEAVE_QUERY, Leave, LeaveRef
from contracts.queues import WORKFLOW_QUEUE

ANSWER = timedelta(seconds=10)


class TemporalLeaves:
    """Believes a run alone, as the workers of workflows know it: not what somebody else's worker says of it."""

    def __init__(self, client: Client, patience: timedelta = ANSWER) -> None:
        """Ask through this client; a run is given so long to answer."""
        self._client = client
        self._patience = patience

    async def given(self, ref: LeaveRef) -> Leave | None:
        """See `Leaves.given`."""
        handle = self._client.get_workflow_handle(ref.run)
        try:
            described = await handle.describe(rpc_timeout=self._patience)
            if described.task_queue != WORKFLOW_QUEUE:
                return None
            found: Leave = await handle.query(
                LEAVE_QUERY, ref.about, result_type=Leave, rpc_timeout=self._patience
            )
            return found
        except (WorkflowQueryFailedError, WorkflowQueryRejectedError):
            return None
        except RPCError as error:
            if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
                return None
            told = f"run {ref.run} does not say now what leave was given in it ({error.status.name})"
            raise failure(ErrorKind.UNAVAILABLE, told, ErrorDetail(ref=ref.run)) from None
