"""Pipelines as code: a workflow of one's own that says in Python which stage comes next, and has all that a run has."""

from collections.abc import Coroutine
from typing import Any

from temporalio import workflow

from contracts.errors import ErrorKind, failure
from contracts.mistakes import nearest
from contracts.runs import StagePhase, StageStatus
from contracts.tables import Scalar
from workflows.children import Children
from workflows.context import RunContext
from workflows.pipeline import PipelineWorkflow

_FRESH: dict[str, Any] = {
    "phase": StagePhase.PENDING,
    "note": "",
    "started_at": None,
    "ended_at": None,
    "outputs": {},
    "metrics": {},
    "error": None,
    "gate": None,
    "fingerprint": "",
    "taken_from": "",
}


class Steps:
    """The stages of the pipeline's file, to be run in any order and as often as it takes."""

    def __init__(self, run: PipelineWorkflow, context: RunContext, children: Children) -> None:
        """Run them for this run."""
        self._run = run
        self._context = context
        self._children = children

    async def stage(self, name: str, **params: Scalar) -> StageStatus:
        """Run a stage to its end, and first what it needs and has not run; return how it stands then.

        It waits for a person's decision as any stage does. Run again, it is a new generation of its job. Params that are
        given here hold from now on, for later stages too. Stages may run at once: gather them.

        Raises:
            ApplicationError: there is no such stage or param.
        """
        context = self._context
        if name not in context.plan.placements:
            known = nearest(name, context.plan.placements)
            raise failure(ErrorKind.INVALID_REQUEST, f"there is no stage {name!r}{known}")
        self._set(params)
        for need in context.placement(name).needs:
            if not self.status(need).phase.ended:
                await self.stage(need)
        if self.status(name).phase.ended:
            context.book.change(name, **_FRESH)
        await self._run.run_stage(context, self._children, name)
        # A stage that fails its run ends it: nothing comes after it.
        await workflow.wait_condition(lambda: self.status(name).phase.opens)
        return self.status(name)

    def status(self, name: str) -> StageStatus:
        """How a stage stands: its phase, outputs, metrics and rows."""
        return self._context.book.stage(name)

    def _set(self, params: dict[str, Scalar]) -> None:
        spec = self._context.request.spec
        for name in params:
            if name not in spec.params:
                told = f"there is no param {name!r}{nearest(name, spec.params)}"
                raise failure(ErrorKind.INVALID_REQUEST, told)
        if params:
            changed = spec.model_copy(update={"params": {**spec.params, **params}})
            self._context.request = self._context.request.model_copy(update={"spec": changed})

    def leave_out_the_rest(self) -> None:
        """Say of each stage that was never run that it was not needed."""
        for name, stage in self._context.book.status.stages.items():
            if not stage.phase.ended:
                self._context.book.change(name, phase=StagePhase.SKIPPED, note="was not needed")


class OwnWorkflow(PipelineWorkflow):
    """The base of one's own workflows: preflight, plan, transfers, pause, decisions, cancel and report are there already.

    A subclass is decorated with `@workflow.defn(name=...)`, has a `run` that calls `super().run`, and says in `steps` what
    happens. Its history is never cut: keep it to some hundreds of stages.
    """

    async def steps(self, stages: Steps) -> None:
        """Run stages; the run has ended when this returns."""
        raise NotImplementedError

    def begin(self, context: RunContext, children: Children) -> list[Coroutine[Any, Any, None]]:
        """See `PipelineWorkflow.begin`."""
        return [self._walk(Steps(self, context, children))]

    @property
    def rolling(self) -> bool:
        """Never: where the steps stand could not be carried on."""
        return False

    async def _walk(self, stages: Steps) -> None:
        await self.steps(stages)
        stages.leave_out_the_rest()
