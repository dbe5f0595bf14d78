"""The workflow `transfer`: brings an artifact to another connection, object by object, each with proof."""

import asyncio
from decimal import Decimal
from functools import partial

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception
from temporalio.workflow import ContinueAsNewError

from contracts import presets
from contracts.errors import ErrorKind, failure
from contracts.limits import Limits
from contracts.prices import EgressPrice
from contracts.runs import TRANSFER_WORKFLOW, TransferResult
from contracts.storage import AbortRequest, ContainerRequest, StorageActivities
from contracts.transfers import LIMITS_UPDATE, Drained, TransferProgress, TransferRequest, TransferStatus
from workflows.batches import BatchMover
from workflows.bounds import Bounds
from workflows.charges import of_transfer
from workflows.charging import Charging, post_or_tell
from workflows.checkpoint import Checkpoint, Deadline
from workflows.effects import Effects
from workflows.finishing import at_last, to_the_end
from workflows.listing import Lister, Unit
from workflows.moved import result_of
from workflows.moving import LANES, Moving
from workflows.pricing import price_of
from workflows.shown import Shown
from workflows.spans import SpanMover

DRAINED_SIGNAL = "transfer_drained"
HISTORY_EVENTS = 10_000
HISTORY_BYTES = 10 * 1024 * 1024
"""Well below what a server takes (51 200 events, 50 MB): what is in flight still has to land."""


@workflow.defn(name=TRANSFER_WORKFLOW)
class TransferWorkflow:
    """Lists the source, moves it in batches and spans, and says what came to lie at the destination."""

    @workflow.init
    def __init__(self, request: TransferRequest) -> None:
        """Begin with nothing listed, or where the execution before this one stopped."""
        before = request.progress
        self.request = request
        self.began = before.began if before else workflow.now()
        paused = before.paused_seconds if before else 0.0
        self.checkpoint = Checkpoint.resumed(before.pause if before else None, paused)
        self.effects = Effects(self.checkpoint)
        self.moving = Moving(request, self.effects)
        self.lister = Lister(request, self.effects)
        self.price: EgressPrice | None = before.price if before else request.price
        self.charging = Charging(self.effects, lambda spent: None, workflow.logger.warning)
        self.shown = Shown(self)
        self.moved = False

    @workflow.run
    async def run(self, request: TransferRequest) -> TransferResult:
        """Move everything, or clean up what was begun when cancelled."""
        reporter = asyncio.create_task(self._report_drained())
        try:
            self.shown.begin()
            await self._prepare()
            await self._move()
            result = await result_of(self)
        except BaseException as error:
            if is_cancelled_exception(error):
                await to_the_end(self._abort())
            if not isinstance(error, ContinueAsNewError):
                await to_the_end(self._charge())
            self.shown.ended("CANCELLED" if is_cancelled_exception(error) else "FAILED")
            raise
        finally:
            reporter.cancel()
        self.moved = True
        if workflow.info().parent is None:
            await at_last(self._charge())
        self.shown.ended("SUCCEEDED", result)
        return result

    @workflow.signal(description="Let parts in flight land, and start nothing new")
    def pause(self, *payload: object) -> None:
        """Let parts in flight land and start nothing new."""
        self.checkpoint.hold(payload)

    @workflow.signal(description="Go on")
    def resume(self, *payload: object) -> None:
        """Go on."""
        self.checkpoint.release()

    @workflow.update(name=LIMITS_UPDATE, description="Change how fast it moves, and how much at once")
    def set_limits(self, limits: Limits) -> str:
        """Change how much the transfer may take at once: what is in flight lands, and the rest goes on so."""
        self.moving.limits = limits
        rate = f"{limits.bytes_per_second:,} bytes/s" if limits.bytes_per_second else "no limit of its rate"
        return f"{self.request.key} goes on with {limits.streams} streams and {rate}"

    @set_limits.validator
    def _refuse_limits(self, limits: Limits) -> None:
        if self.moved:
            raise failure(ErrorKind.INVALID_REQUEST, "the transfer has ended")

    @workflow.query
    def status(self) -> TransferStatus:
        """Say how far the transfer is."""
        return self.shown.status()

    @property
    def drained(self) -> bool:
        """Whether nothing is in flight while paused."""
        return self.checkpoint.pause is not None and not self.effects.draining

    @property
    def seconds(self) -> float:
        """How long it has taken, without pauses."""
        taken = workflow.now() - self.began - self.checkpoint.paused_for
        return max(0.0, taken.total_seconds())

    @property
    def cost(self) -> Decimal | None:
        """What was sent costs, or what a dry run found would cost, as if nothing else left the cloud this month."""
        sent = self.lister.bytes_seen if self.request.dry_run else self.moving.tally.bytes_sent
        return self.price.cost(sent) if self.price else None

    async def _prepare(self) -> None:
        request = self.request
        if request.progress:
            return
        if self.price is None and workflow.info().parent is None:
            self.price = await price_of(request, self.effects)
        if request.create_container and not request.dry_run:
            await self.moving.quick(
                request.destination,
                StorageActivities.ensure_container,
                ContainerRequest(uri=self.moving.container, create=True),
                "have the container",
            )

    async def _move(self) -> None:
        """List and move at the same time, in lanes; the first error ends them all."""
        deadline = Deadline.began_at(self.checkpoint, self.request.caps.duration, self.began)
        self.bounds = Bounds(self.moving, self.price, deadline, self.lister)
        if self.request.dry_run:
            await self._count()
            return
        tasks = [asyncio.create_task(self.lister.list_all())]
        tasks += [asyncio.create_task(self._lane()) for _ in range(LANES)]
        clock = asyncio.create_task(self.bounds.watch_time())
        try:
            await asyncio.gather(*tasks)
        finally:
            clock.cancel()
            for task in tasks:
                task.cancel()
            await to_the_end(asyncio.gather(*tasks, return_exceptions=True))
        self.bounds.check_time()
        if self.lister.closed:
            await self._continue_as_new()

    async def _count(self) -> None:
        listing = asyncio.create_task(self.lister.list_all())
        while await self.lister.next():
            pass
        await listing

    async def _lane(self) -> None:
        while unit := await self.lister.next():
            self.bounds.begin(unit.size_bytes)
            try:
                await self._unit(unit)
            finally:
                self.bounds.end(unit.size_bytes)
            self.shown.refresh()
            self.lister.closed = self.lister.closed or self._long

    async def _unit(self, unit: Unit) -> None:
        if unit.large:
            await SpanMover(self.moving).move(unit.large, unit.parts)
        else:
            await BatchMover(self.moving).move(unit.objects)

    @property
    def _long(self) -> bool:
        info = workflow.info()
        return (
            info.is_continue_as_new_suggested()
            or info.get_current_history_length() > HISTORY_EVENTS
            or info.get_current_history_size() > HISTORY_BYTES
        )

    async def _continue_as_new(self) -> None:
        """Go on in an execution of its own, between two objects."""
        after, next_uri = self.lister.resume_at()
        if self.lister.listed and next_uri is None:
            return
        await workflow.wait_condition(workflow.all_handlers_finished)
        progress = TransferProgress(
            after=after,
            next_uri=next_uri,
            tally=self.moving.tally,
            began=self.began,
            paused_seconds=self.checkpoint.paused_before.total_seconds(),
            pause=self.checkpoint.pause,
            limits=self.moving.limits,
            price=self.price,
        )
        workflow.continue_as_new(self.request.model_copy(update={"progress": progress}))

    async def _abort(self) -> None:
        await self.effects.call(
            StorageActivities.abort_upload,
            AbortRequest(prefix=self.request.target),
            on=self.request.destination,
            preset=presets.clearing(self.request.timeout),
            stage=self.request.key,
            summary="give up unfinished uploads",
            gated=False,
        )

    async def _charge(self) -> None:
        """Have written down what was sent, also by a transfer that did not reach its end; its run does that for it."""
        execution, sent = workflow.info().first_execution_run_id, self.moving.tally.bytes_sent
        charge = of_transfer(self.request, execution, sent, self.price, self.began)
        await post_or_tell(self.charging, charge)

    async def _report_drained(self) -> None:
        parent = workflow.info().parent
        if parent is None:
            return
        run = workflow.get_external_workflow_handle(parent.workflow_id)
        said = False
        while True:
            await workflow.wait_condition(partial(self._drained_is, not said))
            said = self.drained
            await run.signal(DRAINED_SIGNAL, Drained(key=self.request.key, drained=said))

    def _drained_is(self, wanted: bool) -> bool:
        return self.drained == wanted
