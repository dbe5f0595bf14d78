"""Moves a job, or an endpoint, to another of its places when one has no machine for it: what is left is planned again."""

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.candidates import Standing
from contracts.decisions import Decided
from contracts.inference import BatchPredictStage, DeployStage
from contracts.places import reopened
from contracts.plan import Plan, PlanActivities, PlanRequest
from contracts.policy import told_of
from contracts.runs import StageError, StagePhase
from contracts.stage_records import Elsewhere
from contracts.stages import JobStage
from workflows.context import RunContext
from workflows.failures import stage_error
from workflows.outcomes import NoMachines, StageFailed
from workflows.preflight import PreflightRefused, known, preflight
from workflows.shortage import ELSEWHERE

CHANGES_TOLD = 20
ENDPOINTS_MOVE = "endpoints-move"
"""In runs that began before they did endpoints stay, or their histories could not be replayed."""


def may_move(context: RunContext, name: str, kind: str) -> bool:
    """Whether a stage that has ended so may go on elsewhere: a place is left that was neither tried nor ruled out."""
    stage = context.request.spec.stages.get(name)
    if kind not in ELSEWHERE or not isinstance(stage, JobStage | BatchPredictStage | DeployStage):
        return False
    if name not in context.places:
        return False
    placement = context.placement(name)
    tried = {placement.connection, *context.book.stage(name).tried}
    left = any(one.connection not in tried and not one.rule and not one.asks for one in placement.candidates)
    return left and (not isinstance(stage, DeployStage) or workflow.patched(ENDPOINTS_MOVE))


class Failover:
    """Makes the plan of one run again, one stage after another."""

    def __init__(self, context: RunContext, settle: Callable[[Plan], None]) -> None:
        """Move stages of this run; `settle` has everything be where a plan has it."""
        self._context = context
        self._settle = settle
        self._turn = asyncio.Lock()

    async def moved(self, name: str, failure: StageFailed) -> bool:
        """Have a stage go on elsewhere, if it can; its job has ended, or its endpoint is gone, for certain. Say so.

        A stage goes to each of its places at most once. Stages that have not begun may be moved with it.
        """
        context, error = self._context, failure.error
        if not failure.confirmed or not may_move(context, name, error.kind):
            return False
        if self._over_items(name) and not isinstance(failure, NoMachines):
            return False
        held, here = context.book.stage(name), context.placement(name).connection
        context.book.change(
            name,
            tried={**held.tried, here: f"{error.kind} there"},
            history=(*held.history, f"generation {held.attempts}: {error.kind}: {error.message[:200]}"),
            note=f"{error.kind} on {here}; looking for another place",
        )
        context.book.failed_by(name, error.kind)
        if context.shipping:
            context.shipping.ended(name)
        async with self._turn:
            moved = await self._elsewhere(name, here, error)
        if moved and isinstance(failure, NoMachines):
            before = Elsewhere(rounds=held.attempts, generations=failure.generations)
            context.book.change(name, elsewhere=before)
        return moved

    def _over_items(self, name: str) -> bool:
        stage = self._context.request.spec.stages[name]
        return isinstance(stage, JobStage) and stage.foreach is not None

    async def _elsewhere(self, name: str, here: str, error: StageError) -> bool:
        try:
            plan = await self._planned(name)
        except (ActivityError, PreflightRefused) as refusal:
            if is_cancelled_exception(refusal):
                raise
            said = refusal.error if isinstance(refusal, StageFailed) else stage_error(refusal)
            self._tell(name, f"it goes on nowhere else: {said.message}"[:500])
            return False
        there = plan.placements[name].connection
        if there == here:
            return False
        # What the old plan broke was waived before the run began; nobody was asked for more.
        broken = tuple(one for one in plan.violations if one not in self._context.plan.violations)
        if broken:
            self._tell(name, f"it goes on nowhere else: on {there} {told_of(broken[0])}"[:500])
            return False
        self._adopt(plan, name, here, error)
        return True

    async def _planned(self, name: str) -> Plan:
        """Return a plan that takes what has begun as it is, also what began while it was made."""
        while True:
            fixed = self._fixed(name)
            plan = await self._made(name, fixed)
            if self._fixed(name) == fixed:
                return plan

    async def _made(self, name: str, fixed: dict[str, str]) -> Plan:
        context = self._context
        free = {one: places for one, places in context.places.items() if one not in fixed}
        spec, absent = await known(reopened(context.request.spec, free), context.effects)
        answers = await preflight(spec, context.effects, create=False, absent=absent)
        sizes = {
            f"{one}.{output}": artifact.size_bytes
            for one, stage in context.book.status.stages.items()
            for output, artifact in stage.outputs.items()
        }
        tried = {one: held.tried for one, held in context.book.status.stages.items() if held.tried}
        request = PlanRequest(
            run=context.run,
            spec=spec,
            connections=answers.reports,
            refused={**absent, **answers.refused},
            sizes=sizes,
            standing=Standing(fixed=fixed, excluded=tried, lies=self._brought()),
        )
        await context.checkpoint.passed()
        plan: Plan = await context.effects.local(
            PlanActivities.make, request, preset=presets.local(), summary=f"another place for {name}"
        )
        return plan

    def _brought(self) -> dict[str, tuple[str, ...]]:
        """Where transfers have brought what."""
        found: dict[str, tuple[str, ...]] = {}
        for moved in self._context.book.status.transfers:
            found[moved.artifact] = (*found.get(moved.artifact, ()), moved.destination)
        return found

    def _fixed(self, name: str) -> dict[str, str]:
        """Stages that stay where they are: all that had a choice and have begun, but the one that moves."""
        return {
            one: self._context.placement(one).connection
            for one in self._context.places
            if one != name and self._context.book.stage(one).phase is not StagePhase.PENDING
        }

    def _adopt(self, plan: Plan, name: str, here: str, error: StageError) -> None:
        """Go by a new plan for what has not begun; what is on its way or there goes by the old one."""
        context, old = self._context, self._context.plan
        again = {
            one: plan.placements[one]
            for one, stage in context.book.status.stages.items()
            if one == name or stage.phase is StagePhase.PENDING
        }
        changes = tuple(
            f"{one}: {old.placements[one].connection} -> {new.connection}"
            for one, new in again.items()
            if new.connection != old.placements[one].connection
        )
        context.plan = old.model_copy(
            update={
                "placements": {**old.placements, **again},
                "transfers": {**plan.transfers, **old.transfers},
                "quote": plan.quote or old.quote,
            }
        )
        self._settle(context.plan)
        there = again[name].connection
        self._tell(name, f"moved from {here} to {there} after {error.kind}")
        context.book.note(name, f"{error.kind} on {here}; goes on on {there}")
        context.book.decided(
            Decided(
                at=workflow.now(),
                decision="move",
                stage=name,
                reason=f"{error.kind} on {here}: {error.message}"[:200],
                changes=changes[:CHANGES_TOLD],
            )
        )

    def _tell(self, name: str, words: str) -> None:
        held = self._context.book.stage(name)
        self._context.book.change(name, history=(*held.history, words))
