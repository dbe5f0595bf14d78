"""One generation of a job: submit, wait, collect; whatever ends it early stops it for certain."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.errors import MESSAGE_LIMIT, ErrorKind
from contracts.job_activities import JobActivities
from contracts.jobs import (
    CollectRequest,
    FindRequest,
    JobPhase,
    JobRef,
    JobRequest,
    JobState,
    LogRequest,
    WaitRequest,
)
from contracts.presets import Preset
from contracts.runs import Pause
from workflows.charges import of_job
from workflows.checkpoint import Checkpoint, Deadline
from workflows.closing import close_jobs, closes_by_name
from workflows.context import RunContext
from workflows.effects import Request, Response
from workflows.failures import kind_of, stage_error
from workflows.finishing import take_cancel, to_the_end
from workflows.outcomes import Halted, Outcome, StageFailed, failed
from workflows.told import stage_job, words_of


class JobRunner:
    """One generation of a job."""

    def __init__(self, context: RunContext, request: JobRequest) -> None:
        """Run this job for this run."""
        self.context = context
        self.request = request
        self.name = request.stage
        self.connection = context.placement(request.stage).connection
        self.timeout = context.timeout(request.stage)
        self.ref: JobRef | None = None
        """Known once the submit has answered."""
        self._ends: dict[int, JobState] = {}
        """The generations that have ended, as they were seen last."""

    async def run(self) -> Outcome:
        """Submit, wait and collect; whatever ends this early stops the job for certain.

        Raises:
            StageFailed: the job ended without success, or could not be had.
        """
        await self.context.checkpoint.passed()
        take_cancel()
        try:
            return await self._run()
        finally:
            self._charge()

    async def _run(self) -> Outcome:
        machine = self.request.machine.words if self.request.machine else ""
        self.context.book.change(
            self.name, note="submitting", attempts=self.request.generation, job=None, machine=machine
        )
        try:
            if self.request.generation > 1:
                await self.context.checkpoint.passed()
                await self._stop_all()
            state = await self._until_ended()
        except (ActivityError, asyncio.CancelledError) as error:
            alive = await to_the_end(self._stopped(error))
            if is_cancelled_exception(error):
                raise
            raise _given_up(error, alive) from error
        if state.phase is not JobPhase.SUCCEEDED:
            raise await self._failure(state)
        return await self._collect(state.ref)

    async def _until_ended(self) -> JobState:
        deadline = Deadline(self.context.checkpoint, self.timeout)
        preset = presets.submitting(self.timeout)
        self.ref = await self._call(
            JobActivities.submit, self.request, preset, f"submit generation {self.request.generation}"
        )
        take_cancel()
        seen: JobPhase | None = None
        while True:
            state = await self._watch(WaitRequest(ref=self.ref, seen=seen), deadline)
            self._show(state)
            if state.phase.terminal:
                return state
            seen = state.phase

    async def _watch(self, request: WaitRequest, deadline: Deadline) -> JobState:
        """Return the job's next state, or its end once the deadline has passed and it was stopped."""
        preset = presets.waiting(self.timeout)
        watch = asyncio.ensure_future(self._call(JobActivities.wait, request, preset, "wait", gated=False))
        try:
            await self._done_or_late(watch, deadline)
        except asyncio.CancelledError:
            await _ended(watch)
            raise
        if watch.done():
            return watch.result()
        halting = self.context.checkpoint.stops_jobs
        await _ended(watch)
        state = await self._stop(request.ref)
        if state.phase is not JobPhase.STOPPED:
            return state
        if halting:
            self._show(state)
            raise Halted
        limit = (
            f"the stage's timeout of {int(self.timeout.total_seconds())} s has passed; the job was stopped"
        )
        return state.model_copy(update={"reason": ErrorKind.TIMED_OUT, "message": limit})

    async def _done_or_late(self, watch: asyncio.Future[JobState], deadline: Deadline) -> None:
        checkpoint = self.context.checkpoint
        while not watch.done():
            pause = checkpoint.pause
            if checkpoint.stops_jobs:
                return
            left = None if pause else deadline.left
            if left == timedelta(0):
                return
            try:
                await workflow.wait_condition(
                    partial(_moved, watch, checkpoint, pause),
                    timeout=left,
                    timeout_summary=f"{self.name}: its job may take until then",
                )
            except TimeoutError:
                continue
            # Python 3.11's `wait_for` swallows a cancel that comes in the moment in which there is news.
            take_cancel()

    def _show(self, state: JobState) -> None:
        if state.phase.terminal:
            self._ends[state.ref.generation] = state
        held = self.context.book.stage(self.name).job
        if state.last_seen is None and held and held.id == state.ref.id:
            # Who asks now has never seen it; somebody before has.
            state = state.model_copy(update={"last_seen": held.last_seen})
        self.context.book.change(self.name, job=stage_job(state), note=words_of(state))

    async def _failure(self, state: JobState) -> StageFailed:
        kind = state.reason or (
            ErrorKind.CANCELLED if state.phase is JobPhase.STOPPED else ErrorKind.JOB_FAILED
        )
        said = state.message or f"ended {state.phase}"
        where = f"job {state.ref.name} on {self.connection}"
        return failed(kind, f"{where}: {said}{await self._last_lines(state.ref)}")

    async def _last_lines(self, ref: JobRef) -> str:
        try:
            page = await self._call(
                JobActivities.logs, LogRequest(ref=ref), presets.brief(), "last log lines", gated=False
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return f"\n(its log could not be read: {kind_of(error)})"
        text = "\n".join(page.lines)[-MESSAGE_LIMIT:]
        return f"\nlast lines of its log:\n{text}" if page.lines else "\n(its log is empty)"

    async def _collect(self, ref: JobRef) -> Outcome:
        await self.context.checkpoint.passed()
        self.context.book.note(self.name, "collecting")
        request = CollectRequest(ref=ref, request=self.request)
        try:
            left = await self._call(JobActivities.collect, request, presets.moving(self.timeout), "collect")
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            raise StageFailed(stage_error(error)) from error
        self._bill(left.billed_seconds)
        return Outcome(outputs=left.artifacts, metrics=left.metrics)

    def _bill(self, seconds: float | None) -> None:
        """Some vendors tell what they bill only a while after the end."""
        held = self.context.book.stage(self.name).job
        if held and seconds is not None:
            ended = self._ends[held.generation]
            self._ends[held.generation] = ended.model_copy(update={"billed_seconds": seconds})
            billed = held.model_copy(update={"billed_seconds": seconds, "seconds": seconds})
            self.context.book.change(self.name, job=billed)

    def _charge(self) -> None:
        """Have what has ended written down, however it did: it was billed."""
        context = self.context
        if context.charging is None:
            return
        for state in self._ends.values():
            charge = of_job(self.request, state, self.connection, context.shown_as(self.name))
            context.charging.add(charge, again=context.charged_before(state))

    async def _stopped(self, error: BaseException) -> str:
        """A submit or a watch that ended early may have left a job: stop it, or say that it may live."""
        try:
            if not closes_by_name():
                await self._stop_all()
                return ""
            self.context.book.note(self.name, "stopping its job")
            answered = self.ref is not None
            for state in await close_jobs(self.context, self.request, error, answered=answered):
                if state.ref.generation == self.request.generation:
                    self._show(state)
        except ActivityError as refusal:
            said = stage_error(refusal)
            words = f"a job of this stage may still live: {said.message}"
            self.context.book.change(self.name, error=said.model_copy(update={"message": words}))
            return words
        return ""

    async def _stop_all(self) -> None:
        """Stop every job of this stage that still lives: also one whose submit never answered."""
        request = FindRequest(run_uid=self.request.run.run_uid, stage=self.name)
        preset = presets.clearing(self.timeout)
        found = await self._call(JobActivities.find, request, preset, "find its jobs", gated=False)
        for state in found.jobs:
            if not state.phase.terminal:
                self.context.book.note(self.name, "stopping its job")
                self._show(await self._stop(state.ref))

    async def _stop(self, ref: JobRef) -> JobState:
        return await self._call(
            JobActivities.cancel, ref, presets.stopping(self.timeout), "stop the job", gated=False
        )

    async def _call(
        self,
        method: Callable[[Any, Request], Response],
        request: Request,
        preset: Preset,
        summary: str,
        *,
        gated: bool = True,
    ) -> Response:
        return await self.context.effects.call(
            method, request, on=self.connection, preset=preset, stage=self.name, summary=summary, gated=gated
        )


async def _ended(watch: asyncio.Future[JobState]) -> None:
    watch.cancel()
    await to_the_end(asyncio.gather(watch, return_exceptions=True))


def _given_up(error: BaseException, alive: str) -> StageFailed:
    said = stage_error(error)
    if not alive:
        return StageFailed(said)
    return StageFailed(said.model_copy(update={"message": f"{said.message}\n{alive}"}), confirmed=False)


def _moved(watch: asyncio.Future[JobState], checkpoint: Checkpoint, held: Pause | None) -> bool:
    """Whether there is news of the job, the run was paused or resumed, or shall have its jobs stopped."""
    return watch.done() or (checkpoint.pause is None) != (held is None) or checkpoint.stops_jobs
