"""A run's stages that run over many items: each is a child workflow, which a pause and a cancel reach."""

from collections.abc import Iterator

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from contracts.artifacts import Artifact
from contracts.errors import ErrorKind
from contracts.fanout import FanoutRequest, FanoutResult
from contracts.foreach import Item
from contracts.graph import references_of
from contracts.queues import queue_of
from contracts.stages import JobStage, PickStage
from workflows.context import RunContext
from workflows.effects import brief
from workflows.failover import may_move
from workflows.foreach import FanoutWorkflow, key_of
from workflows.outcomes import NoMachines, Outcome, StageFailed
from workflows.paying import begin_items, end_items
from workflows.publishing import publish


class Fanouts:
    """Runs such stages, and passes pauses on."""

    def __init__(self, context: RunContext) -> None:
        """Run for this run."""
        self.context = context
        self.running: dict[str, ChildWorkflowHandle[FanoutWorkflow, FanoutResult] | None] = {}
        """By stage; None until it has started."""
        self.drained: set[str] = set()
        self._told: dict[str, tuple[Item, ...]] = {}
        """What queries told at places that had no machine for an item."""

    async def run(self, name: str, stage: JobStage, inputs: dict[str, Artifact]) -> Outcome:
        """Run a stage over its items.

        Raises:
            StageFailed: fewer items succeeded than must.
        """
        context = self.context
        await begin_items(context, name, stage, inputs, context.book.stage(name).attempts + 1)
        request = await self._request(name, stage, inputs)
        await context.checkpoint.passed()
        machine = request.placement.machine.words if request.placement.machine else ""
        context.book.change(name, attempts=request.round, fanout=None, note="starting", machine=machine)
        self.running[name] = None
        result: FanoutResult | None = None
        try:
            child = await workflow.start_child_workflow(
                FanoutWorkflow.run,
                request.model_copy(update={"pause": context.checkpoint.pause}),
                id=f"{workflow.info().workflow_id}/{key_of(name)}",
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                static_summary=brief(f"{name}: one job on {stage.on} for each item"),
            )
            self.running[name] = child
            await self.tell(name)
            result = await child
        finally:
            self.running.pop(name, None)
            self.drained.discard(key_of(name))
            end_items(context, name, request.round, result)
        if result.error and result.generations:
            self._told[name] = result.items
            raise NoMachines(result.error, result.generations)
        context.book.change(name, fanout=result.status)
        if result.error:
            raise StageFailed(result.error)
        return Outcome(outputs=result.outputs, metrics=result.metrics, fanout=result.status)

    async def _request(self, name: str, stage: JobStage, inputs: dict[str, Artifact]) -> FanoutRequest:
        context, spec = self.context, self.context.request.spec
        named = {reference.stage for reference, _ in references_of(stage) if reference.stage}
        held = {other: context.book.stage(other) for other in sorted(named)}
        picks = [other for other in spec.stages.values() if isinstance(other, PickStage)]
        return FanoutRequest(
            run=context.run,
            stage=name,
            spec=spec.model_copy(update={"stages": {name: stage}}),
            metrics={other: stage.metrics for other, stage in held.items()},
            answers={other: stage.gate for other, stage in held.items() if stage.gate},
            placement=context.placement(name),
            inputs=inputs,
            code=await publish(context, name, stage),
            round=context.book.stage(name).attempts + 1,
            query_price=context.plan.queries.get(stage.foreach.query_on) if stage.foreach else None,
            moves=may_move(context, name, ErrorKind.CAPACITY),
            elsewhere=context.book.stage(name).elsewhere,
            items=self._told.pop(name, ()),
            wanted=tuple(sorted({other.by for other in picks if name in other.candidates})),
        )

    @property
    def draining(self) -> bool:
        """Whether one has not yet said that nothing of it is in flight."""
        return any(key_of(name) not in self.drained for name in self.running)

    def queues(self) -> Iterator[tuple[str, str]]:
        """The queue that each uses, with its stage."""
        for name in self.running:
            yield queue_of(self.context.placement(name).connection), name

    async def tell_all(self) -> None:
        """Pass a pause or a resume on to each."""
        for name in sorted(self.running):
            await self.tell(name)

    async def tell(self, name: str) -> None:
        """Pass the run's pause, or that there is none, on to one; one that has just ended needs no word."""
        child, pause = self.running.get(name), self.context.checkpoint.pause
        if child is None:
            return
        try:
            await child.signal(FanoutWorkflow.pause if pause else FanoutWorkflow.resume, pause)
        except ApplicationError:
            workflow.logger.info("%s ended before it heard of a pause or a resume", name)
