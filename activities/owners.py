"""Which runs live, as Temporal's visibility tells it: what nobody can say is an error, never a no."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.runs import PIPELINE_WORKFLOW, RUN_UID_KEY, TRANSFER_WORKFLOW, RunStatus
from contracts.sweeps import Owner, OwnerActivities, Owners, OwnersRequest

AT_ONCE = 50
"""Runs in one query, which stays well below what a server takes."""
ANSWER = timedelta(seconds=10)
CUT = timedelta(minutes=10)
"""How long visibility may know that a run's history was cut and not know the execution that goes on with the run."""
STATUS_QUERY = "status"
_MUTE = (
    f"ExecutionStatus = 'Running' AND {RUN_UID_KEY.name} IS NULL "
    f"AND WorkflowType IN ('{PIPELINE_WORKFLOW}', '{TRANSFER_WORKFLOW}')"
)


class TemporalOwners(OwnerActivities):
    """Asks the Temporal server that the worker itself is connected to; it sees its own namespace only."""

    def __init__(self, client: Client, patience: timedelta = ANSWER, cut: timedelta = CUT) -> None:
        """Ask through this client; a run that has not told its mark is given so long to answer.

        An execution whose history was cut longer than `cut` ago says nothing of whether its run lives.
        """
        self._client = client
        self._patience = patience
        self._cut = cut

    @activity.defn(name="sweep.owners")
    async def owners(self, request: OwnersRequest) -> Owners:
        """Say of each run whether it lives; `OwnerActivities.owners` says when nobody can."""
        try:
            told = {uid: Owner(run_uid=uid, live=True, workflow_id=run) async for uid, run in self._mute()}
            wanted = [uid for uid in request.run_uids if uid not in told]
            for start in range(0, len(wanted), AT_ONCE):
                told |= await self._known(wanted[start : start + AT_ONCE])
        except RPCError as error:
            raise _unanswered(error) from None
        unknown = {uid: Owner(run_uid=uid, live=False) for uid in request.run_uids}
        return Owners(owners=tuple((unknown | told)[uid] for uid in request.run_uids))

    async def _known(self, run_uids: Sequence[str]) -> dict[str, Owner]:
        names = ", ".join(f"'{uid}'" for uid in run_uids)
        found: dict[str, Owner] = {}
        async for run in self._client.list_workflows(f"{RUN_UID_KEY.name} IN ({names})"):
            uid = run.typed_search_attributes.get(RUN_UID_KEY) or ""
            found[uid] = _joined(found.get(uid), _owner(uid, run, datetime.now(UTC) - self._cut))
        return found

    async def _mute(self) -> AsyncIterator[tuple[str, str]]:
        """Find live runs that began before runs told their mark, and ask them for it."""
        async for run in self._client.list_workflows(_MUTE):
            # The transfers of a run live no longer than it does, and clean up after themselves.
            if run.parent_id:
                continue
            if run.workflow_type != PIPELINE_WORKFLOW:
                raise _mute(run.id)
            handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
            try:
                status = await handle.query(STATUS_QUERY, result_type=RunStatus, rpc_timeout=self._patience)
            except RPCError:
                raise _mute(run.id) from None
            yield status.run.run_uid, run.id


def _owner(uid: str, run: WorkflowExecution, cut_after: datetime) -> Owner:
    live = run.status is WorkflowExecutionStatus.RUNNING
    if run.status is WorkflowExecutionStatus.CONTINUED_AS_NEW:
        live = run.close_time is None or run.close_time > cut_after
    return Owner(run_uid=uid, live=live, workflow_id=run.id, closed_at=None if live else run.close_time)


def _joined(one: Owner | None, other: Owner) -> Owner:
    """Several executions may carry one mark: a run that was reset, its transfers, a copy that goes on after a failure."""
    if one is None or other.live:
        return other
    if one.live or (one.closed_at and other.closed_at and one.closed_at > other.closed_at):
        return one
    return other


def _mute(run: str) -> Exception:
    told = f"{run} lives and does not tell what it owns; nothing can be called an orphan before it answers or ends"
    return failure(ErrorKind.UNAVAILABLE, told, ErrorDetail(ref=run))


def _unanswered(error: RPCError) -> Exception:
    if error.status is RPCStatusCode.INVALID_ARGUMENT:
        told = (
            f"Temporal does not know the search attribute {RUN_UID_KEY.name}, so nobody can say what is owned; register it: "
            f"temporal operator search-attribute create --name {RUN_UID_KEY.name} --type Keyword"
        )
        return failure(ErrorKind.UNSUPPORTED, told)
    told = f"Temporal did not say which runs live ({error.status.name})"
    return failure(ErrorKind.UNAVAILABLE, told)
