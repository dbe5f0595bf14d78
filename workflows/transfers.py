"""The transfers of a run: each is a child workflow, started once, shared by every stage that needs it."""

import asyncio
from collections.abc import Iterator

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    is_cancelled_exception,
)
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from contracts import presets
from contracts.artifacts import Artifact
from contracts.plan import TransferPlan
from contracts.queues import queue_of
from contracts.runs import TransferResult
from contracts.storage import AbortRequest, StorageActivities
from contracts.transfers import TransferRequest
from workflows.adopting import brought_before
from workflows.charges import of_transfer
from workflows.context import RunContext
from workflows.effects import brief
from workflows.failures import stage_error
from workflows.fares import begin_transfer, end_transfer, end_unfinished, outgrown
from workflows.leaves import leave_ref
from workflows.transfer import TransferWorkflow


class Transfers:
    """Brings artifacts to where stages need them, and passes pauses on."""

    def __init__(self, context: RunContext, unfinished: tuple[str, ...] = ()) -> None:
        """Move for this run; some transfers may have failed in an execution before this one."""
        self.context = context
        self.unfinished = set(unfinished)
        """Transfers that began and did not end well; one that was cancelled has cleaned up after itself."""
        self.running: dict[str, ChildWorkflowHandle[TransferWorkflow, TransferResult] | None] = {}
        self.drained: set[str] = set()
        self._locks: dict[str, asyncio.Lock] = {}

    async def bring(self, key: str, artifact: Artifact, wanted_by: str) -> Artifact:
        """Return the artifact as it lies on the transfer's destination; move it unless the same content is there.

        Raises:
            StageFailed: see `move`.
        """
        plan = self.context.plan.transfers[key]
        async with self._locks.setdefault(key, asyncio.Lock()):
            held = self.context.book.lies_at(artifact, plan.destination)
            if held:
                return held
            stage = plan.artifact.partition(".")[0]
            held = await brought_before(self.context, stage, artifact, plan.destination)
            if held:
                return held
            result = await self.move(key, plan, wanted_by, source_uri=artifact.uri, artifact=artifact)
            return result.result

    async def move(
        self,
        key: str,
        plan: TransferPlan,
        wanted_by: str,
        *,
        source_uri: str,
        artifact: Artifact | None = None,
    ) -> TransferResult:
        """Run one transfer as a child and record it; a source that has grown meanwhile is agreed on again.

        Raises:
            StageFailed: it may not begin, since a person said no or nobody may let it exceed a limit.
        """
        while True:
            fare = await begin_transfer(self.context, key, plan, wanted_by, source_uri, artifact)
            try:
                result = await self._moved(
                    key, plan.model_copy(update={"caps": fare.caps}), source_uri, artifact
                )
            except ChildWorkflowError as error:
                end_unfinished(self.context, key, plan, fare, error)
                if not await outgrown(self.context, plan, fare, wanted_by, source_uri, error):
                    raise
                continue
            end_transfer(self.context, key, plan, fare, result)
            return result

    async def _moved(
        self, key: str, plan: TransferPlan, source_uri: str, artifact: Artifact | None
    ) -> TransferResult:
        context = self.context
        await context.checkpoint.passed()
        request = self._request(key, plan, source_uri, artifact)
        self.running[key] = None
        try:
            child = await workflow.start_child_workflow(
                TransferWorkflow.run,
                request,
                id=f"{workflow.info().workflow_id}/transfer/{key}",
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                static_summary=brief(f"{plan.artifact}: {plan.source} to {plan.destination} ({plan.method})"),
            )
            self.running[key] = child
            if context.checkpoint.pause:
                await self.tell(key)
            result = await child
        except ChildWorkflowError as error:
            if not is_cancelled_exception(error):
                self.unfinished.add(key)
            raise
        finally:
            self.running.pop(key, None)
            self.drained.discard(key)
        self.unfinished.discard(key)
        context.book.record(result)
        if context.charging:
            began = result.started_at or workflow.now()
            execution = child.first_execution_run_id or ""
            context.charging.add(of_transfer(request, execution, result.size_bytes, request.price, began))
        return result

    def _request(
        self, key: str, plan: TransferPlan, source_uri: str, artifact: Artifact | None
    ) -> TransferRequest:
        context = self.context
        return TransferRequest(
            run=context.run,
            key=key,
            artifact=plan.artifact,
            source=plan.source,
            source_uri=source_uri,
            kind=artifact.kind if artifact else "folder" if source_uri.endswith("/") else "file",
            destination=plan.destination,
            target=_shaped(plan.target, artifact),
            method=plan.method,
            if_exists=plan.if_exists,
            server_side=plan.server_side,
            include=plan.include,
            exclude=plan.exclude,
            limits=plan.limits,
            caps=plan.caps,
            price=plan.price,
            expected_digest=artifact.digest if artifact else None,
            timeout=context.timeout(plan.artifact.partition(".")[0]),
            leave=leave_ref(context.run, key),
        )

    async def give_up(self) -> None:
        """Give up what failed transfers left unfinished, and say where that could not be done."""
        for key in sorted(self.unfinished):
            plan = self.context.plan.transfers[key]
            try:
                left = await self.context.effects.call(
                    StorageActivities.abort_upload,
                    AbortRequest(prefix=plan.target),
                    on=plan.destination,
                    preset=presets.clearing(self.context.timeout(plan.artifact.partition(".")[0])),
                    stage=key,
                    summary="give up unfinished uploads",
                    gated=False,
                )
                words = f"gave up {len(left.uris)} unfinished below {plan.target}" if left.uris else ""
            except ActivityError as error:
                words = f"an unfinished upload may lie below {plan.target}: {stage_error(error).message}"
            if words:
                self.context.book.update(notes=(*self.context.book.status.notes, words))
        self.unfinished.clear()

    @property
    def draining(self) -> bool:
        """Whether a transfer has not yet said that nothing of it is in flight."""
        return any(key not in self.drained for key in self.running)

    def queues(self) -> Iterator[tuple[str, str]]:
        """Each queue that a running transfer uses, with each stage that waits for the transfer."""
        for key in self.running:
            plan = self.context.plan.transfers[key]
            for name, placement in self.context.plan.placements.items():
                if key in placement.transfers:
                    yield queue_of(plan.source), name
                    yield queue_of(plan.destination), name

    async def tell_all(self) -> None:
        """Pass a pause or a resume on to each running transfer."""
        for key in sorted(self.running):
            await self.tell(key)

    async def tell(self, key: str) -> None:
        """Pass the run's pause, or that there is none, on to one transfer; one that has just ended needs no word."""
        child = self.running.get(key)
        if child is None:
            return
        pause = self.context.checkpoint.pause
        try:
            await child.signal(TransferWorkflow.pause if pause else TransferWorkflow.resume, pause)
        except ApplicationError:
            workflow.logger.info("transfer %s ended before it heard of a pause or a resume", key)


def _shaped(target: str, artifact: Artifact | None) -> str:
    """A file comes to lie below its prefix as `data`, so that its path never depends on where it came from."""
    if artifact and artifact.kind == "file" and target.endswith("/"):
        return f"{target}data"
    return target
