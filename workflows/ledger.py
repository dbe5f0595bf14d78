"""The workflow `ledger`: one for each month, which outlives the runs that write into it."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.ledger import (
    COSTS_QUERY,
    LEDGER_WORKFLOW,
    MONTH_QUERY,
    POST_UPDATE,
    RELEASE_UPDATE,
    RESERVE_UPDATE,
    MonthCosts,
    MonthState,
    Posted,
    PostRequest,
    Released,
    ReleaseRequest,
    Reserved,
    ReserveRequest,
)
from contracts.months import MonthRequest
from contracts.queues import WORKFLOW_QUEUE
from contracts.sweeps import OwnerActivities, OwnersRequest
from workflows.month import Month

HISTORY_EVENTS = 3_000
"""An update takes five; a server takes 2 000 updates in one execution."""
HISTORY_BYTES = 8 * 1024 * 1024
LOOK = timedelta(hours=1)
"""Between two looks at whether runs still live that have something reserved."""
SEEN = timedelta(minutes=10)
"""What was reserved later is let be: Temporal's visibility may not know its run yet."""


@workflow.defn(name=LEDGER_WORKFLOW)
class LedgerWorkflow:
    """Holds a month. It never ends: Temporal forgets workflows that have ended, and keeps those that live."""

    @workflow.init
    def __init__(self, request: MonthRequest) -> None:
        """Begin a month, or go on with one."""
        self.month = Month(request)

    @workflow.run
    async def run(self, request: MonthRequest) -> None:
        """Keep the books until this execution's history is long enough, and go on in another."""
        while not self._long:
            await workflow.wait_condition(lambda: self._long or self.month.reserved)
            try:
                await workflow.wait_condition(
                    lambda: self._long, timeout=LOOK, timeout_summary="do the runs that reserved still live?"
                )
            except TimeoutError:
                await self._let_go()
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(request.model_copy(update={"progress": self.month.progress}))

    @workflow.update(name=POST_UPDATE, description="Write charges down, each once")
    def post(self, request: PostRequest) -> Posted:
        """Write charges down, each once; say what each costs."""
        entered = tuple(self.month.enter(charge) for charge in request.charges)
        self._show()
        return Posted(months=(self.month.name,), entered=entered)

    @workflow.update(name=RESERVE_UPDATE, description="Count bytes as sent until their transfer is charged")
    def reserve(self, request: ReserveRequest) -> Reserved:
        """Count bytes as sent until their transfer is charged, or let go."""
        return self.month.reserve(request, workflow.now())

    @workflow.update(name=RELEASE_UPDATE, description="Let reservations go")
    def release(self, request: ReleaseRequest) -> Released:
        """Let reservations go."""
        return Released(size_bytes=self.month.release(request.run_uid, request.id))

    @workflow.query(name=MONTH_QUERY)
    def state(self) -> MonthState:
        """Say what the month has come to."""
        return self.month.state

    @workflow.query(name=COSTS_QUERY)
    def costs(self) -> MonthCosts:
        """Say it line by line."""
        return self.month.costs

    @property
    def _long(self) -> bool:
        info = workflow.info()
        return (
            info.is_continue_as_new_suggested()
            or info.get_current_history_length() > HISTORY_EVENTS
            or info.get_current_history_size() > HISTORY_BYTES
        )

    async def _let_go(self) -> None:
        """Let go what runs reserved that are over; while nobody can say which are, all of it stays."""
        runs = self.month.reserving(workflow.now() - SEEN)
        if not runs:
            return
        try:
            known = await workflow.execute_activity_method(
                OwnerActivities.owners,
                OwnersRequest(run_uids=runs),
                task_queue=WORKFLOW_QUEUE,
                summary="which of them still live?",
                **presets.local(),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return
        for owner in known.owners:
            if not owner.live:
                self.month.release(owner.run_uid)

    def _show(self) -> None:
        state = self.month.state
        totals = (
            ", ".join(f"{one.cost:.2f} {one.currency}" for one in state.totals) or "nothing that is known"
        )
        unknown = f"; {state.unknown} charges of unknown cost" if state.unknown else ""
        workflow.set_current_details(
            f"**{state.month}**: {totals}{unknown}. At a terminal: `python -m starter costs --month {state.month}`"
        )


@workflow.defn(name=LEDGER_WORKFLOW, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class UpgradedLedgerWorkflow(LedgerWorkflow):
    """The same for workers that say which build they are: a month outlives builds, so it is never pinned to one.

    A server refuses this of workers without a build.
    """

    @workflow.init
    def __init__(self, request: MonthRequest) -> None:
        """See `LedgerWorkflow`."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: MonthRequest) -> None:
        """See `LedgerWorkflow`."""
        await super().run(request)
