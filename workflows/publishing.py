"""The code of a stage that runs a command on its way to the stage's cloud."""

from contracts import presets
from contracts.code import CodeActivities, CodeRef, PublishRequest
from contracts.stage_base import CommandStage
from workflows.context import RunContext


async def publish(context: RunContext, name: str, stage: CommandStage) -> CodeRef | None:
    """Have the stage's code lie on its connection; once is enough for all stages that share it there."""
    if stage.code is None:
        return None
    bundle = context.request.bundles[stage.code]
    held = context.code.get((stage.on, bundle.digest))
    if held is None:
        held = await context.effects.call(
            CodeActivities.publish,
            PublishRequest(bundle=bundle),
            on=stage.on,
            preset=presets.submitting(context.timeout(name)),
            stage=name,
            summary=f"publish {stage.code}",
        )
        context.code[stage.on, bundle.digest] = held
    return held
