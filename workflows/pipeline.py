"""The workflow `pipeline`: carries a run from stage to stage, and waits for people where it must."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, is_cancelled_exception

from contracts.approvals import ApproveStage
from contracts.places import open_places, reopened
from contracts.plan import Plan
from contracts.runs import (
    PIPELINE_WORKFLOW,
    RunPhase,
    RunRequest,
    RunStatus,
    StagePhase,
)
from workflows.absent import AbsenceWatch
from workflows.achieving import outcome_of
from workflows.beginning import before_the_first
from workflows.book import Book
from workflows.budget import Budget
from workflows.charging import Charging
from workflows.checkpoint import Checkpoint
from workflows.children import Children
from workflows.closing import cancelled_note
from workflows.conditions import reason_to_skip
from workflows.context import RunContext
from workflows.decisions import Decisions
from workflows.described import described
from workflows.effects import Effects
from workflows.endpoint_ends import end_endpoints
from workflows.failover import Failover
from workflows.failures import stage_error
from workflows.fanouts import Fanouts
from workflows.finishing import at_last, to_the_end
from workflows.gates import Gates
from workflows.holds import Holds, Parked
from workflows.mirror import Mirror
from workflows.outcomes import Outcome, StageFailed
from workflows.permitted import check_begun
from workflows.picks import words_of
from workflows.preflight import why_nothing_runs
from workflows.preparing import as_planned, prepare
from workflows.rolling import progress_of, rolling
from workflows.shipping import Shipping
from workflows.start import first_status, ran_already, settled
from workflows.steering import Steered
from workflows.transfers import Transfers
from workflows.watchers import Watchers


@workflow.defn(name=PIPELINE_WORKFLOW)
class PipelineWorkflow(Steered):
    """Runs a pipeline's stages as soon as what they need is there."""

    @workflow.init
    def __init__(self, request: RunRequest) -> None:
        """Begin, or go on where the execution before this one was cut."""
        request = settled(request)
        progress = request.progress
        self.places = open_places(request.spec)
        request = as_planned(request, progress.plan) if progress else request
        self.request = request
        self.book = Book(progress.status if progress else first_status(request))
        paused = timedelta(seconds=progress.paused_seconds if progress else 0)
        self.checkpoint = Checkpoint(self.book.status.pause, paused)
        self.effects = Effects(self.checkpoint)
        self.charging = Charging(self.effects, self.book.charged, self.book.remark)
        self.context = None
        self.decisions = Decisions(lambda: self.spec, self.book)
        self.gates = Gates(request.spec, self.book, self.checkpoint)
        self.holds = Holds(self.book, self.checkpoint, lambda: self.parks)
        self.children = None
        self.closing = False
        self.shipping = Shipping(request, self.book, self.effects)
        self.mirror = Mirror(self.book, self.checkpoint, self.effects)
        self.watchers = Watchers(request, self.book, self.mirror)
        self.absence = AbsenceWatch(lambda: self.spec, self.book, self.effects, self.watchers.heard)
        self.stopping = None

    @workflow.run
    async def run(self, request: RunRequest) -> RunStatus:
        """Run every stage; the result is the report of the run.

        Raises:
            ApplicationError: the run failed; its type is the error's kind, its detail the report.
        """
        check_begun(request)
        earlier = await ran_already(self.effects) if request.scheduled else None
        if earlier:
            return self.book.repeat(earlier)
        kept = (self.mirror.keep(), self._resume_when_due(), self.absence.keep(), *self.watchers.keepers())
        kept = (*kept, self._fail_unanswered())
        keepers = [asyncio.create_task(keeping) for keeping in kept]
        try:
            held = self.request.progress
            plan = held.plan if held else await prepare(self.request, self.book, self.effects, self.holds)
            await self._run_stages(plan)
        except (ActivityError, StageFailed, asyncio.CancelledError) as error:
            self.book.cancel_unended()
            if is_cancelled_exception(error):
                await self._end(keepers, RunPhase.CANCELLED)
                raise
            self.stopping, notes = why_nothing_runs(error)
            self.book.update(notes=(*self.book.status.notes, *notes))
        phase = RunPhase.FAILED if self.stopping else RunPhase.SUCCEEDED
        status = await self._end(keepers, phase)
        if self.stopping:
            raise ApplicationError(self.stopping.message, status, type=self.stopping.kind, non_retryable=True)
        return status

    @workflow.query
    def status(self) -> RunStatus:
        """Say how the run stands."""
        return self.mirror.current()

    async def _run_stages(self, plan: Plan) -> None:
        self.settle(plan)
        self.watchers.planned(plan)
        if self.request.progress is None:
            await before_the_first(plan, self.holds)
        status = self.book.status
        context = RunContext(self.request, status.run, plan, self.book, self.checkpoint, self.effects)
        context.shipping, context.charging = self.shipping, self.charging
        context.holds, context.places = self.holds, self.places
        context.budget = Budget(self.book, self.holds, plan.allowance)
        self.failover = Failover(context, self.settle)
        self.context = context
        unfinished = self.request.progress.unfinished if self.request.progress else ()
        children = Children(Transfers(context, unfinished), Fanouts(context))
        self.children = self.absence.children = self.mirror.children = children
        stages = [asyncio.create_task(going) for going in self.begin(context, children)]
        try:
            await workflow.wait_condition(
                lambda: self.stopping is not None or all(task.done() for task in stages)
            )
        except asyncio.CancelledError:
            await to_the_end(self._close(stages, children.transfers, for_good=True))
            raise
        over = self.stopping is not None or self.book.all_ended
        await to_the_end(self._close(stages, children.transfers, for_good=over))
        for task in stages:
            if not task.cancelled() and (error := task.exception()):
                raise error
        if not over:
            await self._continue_as_new(context.plan, children.transfers)

    def begin(self, context: RunContext, children: Children) -> list[Coroutine[Any, Any, None]]:
        """What carries the run: every stage as soon as it may; see `workflows.own` for another way."""
        return [self.run_stage(context, children, name) for name in context.plan.order]

    async def _close(self, stages: list[asyncio.Task[None]], transfers: Transfers, *, for_good: bool) -> None:
        """Return when no stage does anything any more and, at the end of the run, nothing unfinished is left."""
        self.closing = True
        for task in stages:
            task.cancel()
        await asyncio.gather(*stages, return_exceptions=True)
        if for_good:
            await end_endpoints(transfers.context)
            await transfers.give_up()

    @property
    def rolling(self) -> bool:
        """Whether nothing new starts, since this execution's history is long enough."""
        return rolling(self.book)

    @property
    def parks(self) -> bool:
        """Whether a stage that waits for a yes gives way: the history is to be cut, and nothing else is under way."""
        moving = self.children is not None and self.children.transfers.running
        return self.rolling and not moving and not self.effects.in_flight

    async def run_stage(self, context: RunContext, children: Children, name: str) -> None:
        """One stage, from waiting for its needs to its end, with as many decisions as it takes."""
        needs = context.placement(name).needs
        while not self.book.stage(name).phase.ended:
            await workflow.wait_condition(
                lambda: self.rolling or self.book.stage(name).phase.ended or self._ready(name, needs)
            )
            await self.checkpoint.passed()
            if self.rolling:
                return
            if self._ready(name, needs):
                try:
                    await self._attempt(context, children, name)
                except (Exception, asyncio.CancelledError):
                    # No `finally`: a run that a worker drops from its cache is over there, and may say no more.
                    self.shipping.ended(name)
                    raise
                self.shipping.ended(name)

    def _ready(self, name: str, needs: tuple[str, ...]) -> bool:
        """Whether a stage may start, or start again after a decision."""
        phase = self.book.stage(name).phase
        return phase in {StagePhase.PENDING, StagePhase.RUNNING} and all(
            self.book.stage(need).phase.opens for need in needs
        )

    async def _attempt(self, context: RunContext, children: Children, name: str) -> None:
        """Run a stage once, or skip it; then it has ended, or waits for a decision."""
        if self.book.stage(name).substitutes:
            await self._substitute(context, name)
            return
        try:
            reason = reason_to_skip(self.request.spec, self.book, name)
        except StageFailed as error:
            self._failed(name, error)
            return
        if reason:
            self.book.change(name, phase=StagePhase.SKIPPED, note=reason)
            return
        self.book.change(name, phase=StagePhase.RUNNING, error=None)
        if isinstance(self.request.spec.stages[name], ApproveStage):
            self._ask(context, name)
            return
        try:
            outcome = await self._outcome(context, children, name)
        except asyncio.CancelledError:
            if not self.book.stage(name).phase.ended:
                note = cancelled_note(self.book.stage(name))
                self.book.change(name, phase=StagePhase.CANCELLED, note=note)
            raise
        except Parked:
            return
        except (StageFailed, ActivityError, ChildWorkflowError) as error:
            self._failed(name, error)
            return
        fields = {name: getattr(outcome, name) for name in Outcome.model_fields}
        self.book.change(name, phase=StagePhase.SUCCEEDED, note=words_of(outcome), **fields)

    async def _outcome(self, context: RunContext, children: Children, name: str) -> Outcome:
        return await outcome_of(context, children, name, self.failover)

    async def _substitute(self, context: RunContext, name: str) -> None:
        """Skip a stage, once what stands for its outputs was looked at."""
        try:
            given, on = self.book.stage(name).substitutes, context.placement(name).connection
            outputs = await described(context, name, on, given)
        except ActivityError as error:
            self.book.change(name, substitutes={})
            self._failed(name, error)
            return
        words = ", ".join(f"{output} is {artifact.uri}" for output, artifact in outputs.items())
        note = f"skipped; {words}"[:300]
        self.book.change(
            name, phase=StagePhase.SKIPPED, outputs=outputs, note=note, error=None, substitutes={}
        )

    def _ask(self, context: RunContext, name: str) -> None:
        try:
            self.gates.ask(name, context.request.spec)
        except StageFailed as error:
            self._failed(name, error)

    async def _fail_unanswered(self) -> None:
        while True:
            for name in await self.gates.keep():
                self._failed(name, self.gates.late(name))

    def _failed(self, name: str, failure: StageFailed | ActivityError | ChildWorkflowError) -> None:
        error = failure.error if isinstance(failure, StageFailed) else stage_error(failure)
        if self.closing:
            said = {} if is_cancelled_exception(failure) else {"error": error}
            note = cancelled_note(self.book.stage(name))
            self.book.change(name, phase=StagePhase.CANCELLED, note=note, **said)
        elif self.request.spec.on_failure_of(name) == "fail":
            self.book.change(name, phase=StagePhase.FAILED, error=error, note=error.kind)
            self._stop(name, error)
        elif self.request.spec.on_failure_of(name) == "skip":
            self.book.change(name, phase=StagePhase.SKIPPED, error=error, note=f"skipped after {error.kind}")
        else:
            words = "waiting for a decision: retry, skip or abort"
            self.book.change(name, phase=StagePhase.WAITING, error=error, note=words)

    async def _continue_as_new(self, plan: Plan, transfers: Transfers) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        await asyncio.gather(self.shipping.done(), self.charging.done())
        self.mirror.refresh()
        told = await self.watchers.carried()
        # Only now: a decision may have come meanwhile.
        progress = progress_of(self.book, self.checkpoint, plan, tuple(sorted(transfers.unfinished)))
        progress = progress.model_copy(update=told)
        spec = reopened(self.request.spec, self.places)
        workflow.continue_as_new(self.request.model_copy(update={"progress": progress, "spec": spec}))

    async def _end(self, keepers: list[asyncio.Task[None]], phase: RunPhase) -> RunStatus:
        self.book.cancel_unended()
        for keeper in keepers:
            keeper.cancel()
        self.checkpoint.release()
        self.book.update(pause=None)
        await workflow.wait_condition(workflow.all_handlers_finished)
        await at_last(asyncio.gather(self.shipping.done(), self.charging.done()))
        status = self.book.close(phase)
        await at_last(self.watchers.finish(self.stopping))
        return status
