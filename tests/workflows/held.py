"""A workflow only tests have: its stages wait for a yes before they do anything, and the run does where a param says so."""

from temporalio import workflow

from contracts.errors import ErrorKind
from contracts.plan import Plan
from contracts.runs import RunRequest, RunStatus
from workflows.children import Children
from workflows.context import RunContext
from workflows.holds import RUN, Hold
from workflows.outcomes import Outcome
from workflows.pipeline import PipelineWorkflow


@workflow.defn(name="held")
class Held(PipelineWorkflow):
    """Stages whose name begins with `held` ask as often as the param `steps` says."""

    @workflow.run
    async def run(self, request: RunRequest) -> RunStatus:
        return await super().run(request)

    async def _run_stages(self, plan: Plan) -> None:
        if self.spec.params.get("first"):
            await self.holds.passed(RUN, hold_of("run", ErrorKind.POLICY_VIOLATION))
        await super()._run_stages(plan)

    async def _outcome(self, context: RunContext, children: Children, name: str) -> Outcome:
        if name.startswith("held"):
            for step in range(int(self.spec.params.get("steps", 1))):
                approvers = ("ann",) if self.spec.params.get("ann") else ()
                await self.holds.passed(name, hold_of(f"{name}/{step}", approvers=approvers))
        return await super()._outcome(context, children, name)


def hold_of(about: str, kind: ErrorKind = ErrorKind.BUDGET_EXCEEDED, approvers: tuple[str, ...] = ()) -> Hold:
    return Hold(
        rule="budget",
        kind=kind,
        question=f"Spend on {about}?",
        shown={"budget": "20 USD"},
        approvers=approvers,
        about=about,
    )
