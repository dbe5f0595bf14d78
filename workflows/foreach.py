"""The workflow `foreach`: one job for each item of a stage, so many at once, with a history that stays short."""

import asyncio
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts.accounts import Charged, add_up
from contracts.fanout import (
    FANOUT_WORKFLOW,
    FanoutNews,
    FanoutProgress,
    FanoutRequest,
    FanoutResult,
    ItemRequest,
    ItemState,
)
from contracts.foreach import Item
from contracts.ledger import Spent
from contracts.results import FanoutStatus
from contracts.transfers import Drained
from workflows.charging import Charging, tell
from workflows.checkpoint import Checkpoint
from workflows.effects import Effects
from workflows.failures import stage_error
from workflows.finishing import to_the_end
from workflows.harvest import Harvest
from workflows.items import Items
from workflows.outcomes import StageFailed
from workflows.shortage import Shortage
from workflows.transfer import DRAINED_SIGNAL

NEWS_SIGNAL = "fanout_news"
HISTORY_EVENTS = 4_000
"""After which no item starts; a hundred that are under way may add as much again."""
CHARGES_TOGETHER = 50
NEWS_GROWTH = 1.1
LONGEST_NEWS_SECONDS = 300.0
"""Between two words to the run: about a tenth of what has passed. A week of items costs its history 2 000 signals, of five
events each, since a run is not cut while a stage is under way."""


def key_of(stage: str) -> str:
    """The end of the workflow's id, and its name among the children of a run."""
    return f"foreach/{stage}"


@workflow.defn(name=FANOUT_WORKFLOW)
class FanoutWorkflow:
    """Runs the items in lanes; each lane takes the next one when its own has ended."""

    @workflow.init
    def __init__(self, request: FanoutRequest) -> None:
        """Begin, or go on where the execution before this one stopped, between two items."""
        before = request.progress
        self.request = request
        pause, paused = (before.pause, before.paused_seconds) if before else (request.pause, 0.0)
        self.checkpoint = Checkpoint.resumed(pause, paused)
        self.effects = Effects(self.checkpoint)
        self.spent: tuple[Spent, ...] = before.spent if before else ()
        self.spoken = False
        """Whether the run was told what the items cost."""
        self.charging = Charging(self.effects, self._enter, self._note, together=CHARGES_TOGETHER)
        self.items = Items(request, self.checkpoint, self.effects, self.charging)
        self.harvest = Harvest(request, self.items.stage, self.items.each, self.effects)
        self.shortage = Shortage(request, lambda: self.harvest.status, lambda: self.items.jobs)
        self.items.shortage = self.shortage
        self.again = list(before.short) if before else []
        """Items that had found no machine, and come first."""
        self.next = before.next if before else 0
        self.told = FanoutStatus()
        self.taken = 0
        """Items that lanes are at."""
        self.news_seconds = before.news_seconds if before else 1.0

    @workflow.run
    async def run(self, request: FanoutRequest) -> FanoutResult:
        """Run every item; say what they came to, or why that is not enough.

        Raises:
            ActivityError: the items could not be listed, or what they left could not be put together.
        """
        keepers = [asyncio.create_task(keeping) for keeping in (self._report(), self._report_drained())]
        try:
            await self.items.find()
            self.harvest.expect(len(self.items.found))
            await self._run_items()
            if self.shortage.is_total:
                await self._charged()
                return self._none_began()
            if self.left and not self.harvest.hopeless:
                await self._continue_as_new()
            result = await self.harvest.result()
            result = result.model_copy(update={"job_seconds": self.items.used.total})
            await self._charged()
            return result
        except (ActivityError, asyncio.CancelledError):
            if not self.spoken:
                await to_the_end(self._charged())
            raise
        finally:
            for keeper in keepers:
                keeper.cancel()

    @workflow.query
    def status(self) -> FanoutStatus:
        """Say how the items stand."""
        return self.harvest.status.model_copy(
            update={"running": len(self.items.live), "jobs": self.items.live_jobs}
        )

    @workflow.query
    def item(self, asked: ItemRequest) -> ItemState:
        """Say how one item stands."""
        return self.items.state(asked.index, begun=asked.index < self.next)

    @workflow.signal(description="Start nothing new; jobs go on")
    def pause(self, *payload: object) -> None:
        """Start nothing new; jobs go on."""
        self.checkpoint.hold(payload)

    @workflow.signal(description="Go on")
    def resume(self, *payload: object) -> None:
        """Go on."""
        self.checkpoint.release()

    @property
    def left(self) -> int:
        """Items that have yet to start, or start again."""
        return len(self.items.found) - self.next + len(self.again) + len(self.shortage.aside)

    async def _run_items(self) -> None:
        """Return when all that may start has ended; what is under way when no success is left is stopped."""
        count = min(self.left, self.items.each.max_parallel)
        lanes = [asyncio.create_task(self._lane()) for _ in range(count)]
        try:
            await workflow.wait_condition(
                lambda: self.harvest.hopeless or all(lane.done() for lane in lanes) or _broken(lanes)
            )
        finally:
            for lane in lanes:
                lane.cancel()
            await to_the_end(asyncio.gather(*lanes, return_exceptions=True))
        for lane in lanes:
            if not lane.cancelled() and (error := lane.exception()) and not is_cancelled_exception(error):
                raise error

    async def _lane(self) -> None:
        while True:
            if self.shortage.aside:
                await self._machines_known()
            again = bool(self.again)
            if (item := self._take()) is None:
                return
            self.taken += 1
            try:
                await self._run_item(item, again=again)
            finally:
                self.taken -= 1
            await self.harvest.gather_if_many()

    async def _machines_known(self) -> None:
        """Return once an item has found a machine, and those that had not come again; or none is under way any more."""
        await workflow.wait_condition(lambda: self.shortage.has_machines or not self.taken)
        if self.shortage.has_machines:
            self.again += [item.index for item in self.shortage.again()]

    def _take(self) -> Item | None:
        info = workflow.info()
        long = info.is_continue_as_new_suggested() or info.get_current_history_length() > HISTORY_EVENTS
        if self.shortage.aside or self.harvest.hopeless or long:
            return None
        if self.again:
            return self.items.found[self.again.pop(0)]
        if self.next >= len(self.items.found):
            return None
        self.next += 1
        return self.items.found[self.next - 1]

    async def _run_item(self, item: Item, *, again: bool) -> None:
        try:
            outcome = await self.items.run(item, again=again)
        except (StageFailed, ActivityError) as error:
            if is_cancelled_exception(error):
                raise
            if (
                isinstance(error, StageFailed)
                and error.confirmed
                and self.shortage.concerns(error.error.kind)
            ):
                self.shortage.put(item, error.error)
                return
            self.harvest.failed(item, error.error if isinstance(error, StageFailed) else stage_error(error))
        else:
            self.harvest.succeeded(item, outcome)

    def _none_began(self) -> FanoutResult:
        """The place has a machine for no item: the stage may go elsewhere, with the items that its query told."""
        told = self.items.found if self.items.each.query is not None else ()
        return self.shortage.result(self.harvest.status, self.items.most, told)

    async def _charged(self) -> None:
        """Have what is left posted, and tell the run what the items cost."""
        await self.charging.done()
        self.spoken = True
        if self.spent:
            await tell(Charged(spent=self.spent))

    def _enter(self, spent: tuple[Spent, ...]) -> None:
        self.spent = add_up((*self.spent, *spent))

    def _note(self, words: str) -> None:
        workflow.logger.warning("%s: %s", self.request.stage, words)

    async def _continue_as_new(self) -> None:
        await self.harvest.gather()
        await self.charging.done()
        await workflow.wait_condition(workflow.all_handlers_finished)
        progress = FanoutProgress(
            items=self.items.found,
            next=self.next,
            status=self.harvest.status,
            sums=self.harvest.sums,
            tables=self.harvest.tables,
            paused_seconds=self.checkpoint.paused_before.total_seconds(),
            pause=self.checkpoint.pause,
            job_seconds=self.items.used.total,
            news_seconds=self.news_seconds,
            spent=self.spent,
            generations=self.items.generations,
            short=tuple(self.again),
            has_machines=self.shortage.has_machines,
        )
        workflow.continue_as_new(self.request.model_copy(update={"progress": progress}))

    async def _report(self) -> None:
        """Tell the run how the items stand: soon at first, then ever more rarely."""
        parent = workflow.info().parent
        if parent is None:
            return
        run = workflow.get_external_workflow_handle(parent.workflow_id)
        while True:
            await workflow.wait_condition(lambda: self.status() != self.told)
            self.told = self.status()
            # The best so far may be large and is of no use before the end.
            news = self.told.model_copy(update={"winners": ()})
            await run.signal(NEWS_SIGNAL, FanoutNews(stage=self.request.stage, status=news))
            await workflow.sleep(self.news_seconds, summary="tell the run how it goes")
            self.news_seconds = min(LONGEST_NEWS_SECONDS, self.news_seconds * NEWS_GROWTH)

    async def _report_drained(self) -> None:
        """Tell the run whether anything is in flight while it is paused."""
        parent, said = workflow.info().parent, False
        if parent is None:
            return
        run = workflow.get_external_workflow_handle(parent.workflow_id)
        while True:
            await workflow.wait_condition(partial(self._drained_is, not said))
            said = not said
            await run.signal(DRAINED_SIGNAL, Drained(key=key_of(self.request.stage), drained=said))

    def _drained_is(self, wanted: bool) -> bool:
        return (self.checkpoint.pause is not None and not self.effects.draining) == wanted


def _broken(lanes: list[asyncio.Task[None]]) -> bool:
    return any(lane.done() and not lane.cancelled() and lane.exception() is not None for lane in lanes)
