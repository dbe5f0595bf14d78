"""What a run does before its first stage: ask each connection, then have the plan made."""

from temporalio import workflow

from contracts import presets
from contracts.places import placed
from contracts.plan import Plan, PlanActivities, PlanRequest
from contracts.runs import RunRequest
from workflows.book import Book
from workflows.effects import Effects
from workflows.holds import Holds
from workflows.permitted import permitted
from workflows.preflight import known, preflight
from workflows.sizing import is_weighed, weighed, weighed_for_certain

WEIGHED_FOR_POLICY = "sources-are-weighed-for-the-policy"
"""Runs that began before this was there were planned once, whatever the policy of the workers limits."""


async def prepare(request: RunRequest, book: Book, effects: Effects, holds: Holds) -> Plan:
    """Return the plan of the run; it is history from then on, and is made again only for stages that have not begun.

    Raises:
        PreflightRefused: connections cannot do what the run needs.
        ActivityError: no plan can be made.
        RuleBroken: it breaks a rule that nobody may waive.
        HoldRefused: it breaks a rule, and somebody who may waive it said no.
    """
    spec, absent = await known(request.spec, effects)
    answers = await preflight(spec, effects, create=request.create_containers, absent=absent)
    found, month = await weighed(spec, effects, request.earlier)
    await effects.checkpoint.passed()
    asked = PlanRequest(
        run=book.status.run,
        spec=spec,
        connections=answers.reports,
        refused={**absent, **answers.refused},
        sizes=found.sizes,
        at_least=found.at_least,
        month=month,
    )
    plan = await _made(asked, effects)
    if plan.bounded and not is_weighed(spec) and workflow.patched(WEIGHED_FOR_POLICY):
        found, month = await weighed_for_certain(spec, effects, found.sizes)
        more = {"sizes": found.sizes, "at_least": found.at_least, "month": month}
        plan = await _made(asked.model_copy(update=more), effects)
    return await permitted(plan, holds)


async def _made(asked: PlanRequest, effects: Effects) -> Plan:
    plan: Plan = await effects.local(
        PlanActivities.make, asked, preset=presets.local(), summary="make the plan"
    )
    return plan


def as_planned(request: RunRequest, plan: Plan) -> RunRequest:
    """The same run, with every stage on the connection that the plan chose for it."""
    chosen = {name: placement.connection for name, placement in plan.placements.items()}
    return request.model_copy(update={"spec": placed(request.spec, chosen)})
