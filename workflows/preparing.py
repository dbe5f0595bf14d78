"""What a run does before its first stage: ask each connection, then have the plan made."""

from contracts import presets
from contracts.plan import Plan, PlanActivities, PlanRequest
from contracts.runs import RunRequest
from workflows.book import Book
from workflows.effects import Effects
from workflows.preflight import preflight


async def prepare(request: RunRequest, book: Book, effects: Effects) -> Plan:
    """Return the plan of the run; it is history from then on, and is never made again.

    Raises:
        PreflightRefused: connections cannot do what the run needs.
        ActivityError: no plan can be made.
    """
    spec = request.spec
    reports = await preflight(spec, effects, create=request.create_containers)
    await effects.checkpoint.passed()
    plan: Plan = await effects.local(
        PlanActivities.make,
        PlanRequest(run=book.status.run, spec=spec, connections=reports),
        preset=presets.local(),
        summary="make the plan",
    )
    return plan
