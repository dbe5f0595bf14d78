"""A stage that a retry changed gets its machine anew, and what its items leave a place of its own."""

from contracts import presets
from contracts.connections import ConnectionActivities
from contracts.machines import Machine
from contracts.stage_base import CommandStage
from contracts.stages import JobStage
from workflows.asked import requests_of_stage
from workflows.context import RunContext


async def replan(context: RunContext, name: str) -> None:
    """Bring the plan of a stage up to what it asks for now; nothing happens where no retry changed it.

    Raises:
        ActivityError: no machine of its connection has what is asked for now; its cause names the nearest.
    """
    held, stage = context.placement(name), context.request.spec.stages[name]
    revision = context.book.stage(name).revision
    if held.revision == revision or not isinstance(stage, CommandStage):
        return
    machine = await _machine(context, name)
    # Items begin again with generation 1: what they leave must not lie beside what others left.
    each = isinstance(stage, JobStage) and stage.foreach is not None
    prefix = f"{held.prefix}c{revision}/" if each else held.prefix
    placement = held.model_copy(update={"machine": machine, "prefix": prefix, "revision": revision})
    placements = {**context.plan.placements, name: placement}
    context.plan = context.plan.model_copy(update={"placements": placements})


async def _machine(context: RunContext, name: str) -> Machine | None:
    context.book.note(name, "choosing a machine")
    request = requests_of_stage(context.request.spec, name)[0]
    report = await context.effects.call(
        ConnectionActivities.preflight,
        request,
        on=request.connection,
        preset=presets.quick(context.timeout(name)),
        stage=name,
        summary="choose a machine",
    )
    return report.machines.get(name)
