"""What becomes of a run's endpoints when it ends: they go, or they stay and somebody else pays for them."""

import asyncio

from contracts.stage_records import StageEndpoint
from workflows.context import RunContext
from workflows.endpoints import retire
from workflows.failures import stage_error
from workflows.paying import end_endpoint


async def end_endpoints(context: RunContext) -> None:
    """Remove every endpoint of the run that shall not stay; charge the others until now, and say that they cost on."""
    held = {stage.name: stage.endpoint for stage in context.book.status.stages.values() if stage.endpoint}
    going = [name for name, endpoint in held.items() if endpoint.temporary]
    ends = await asyncio.gather(*(retire(context, name, name) for name in going), return_exceptions=True)
    for name, end in zip(going, ends, strict=True):
        if isinstance(end, BaseException):
            said = stage_error(end)
            context.book.remark(f"the endpoint of {name} may still live: {said.kind}: {said.message}")
            end_endpoint(context, name, held[name].ref.generation, held[name].asked_at)
    for name, endpoint in held.items():
        if not endpoint.temporary and not endpoint.retired:
            _stays(context, name, endpoint)


def _stays(context: RunContext, name: str, endpoint: StageEndpoint) -> None:
    placement = context.placement(name)
    price = placement.machine.price if placement.machine else None
    rate = f"{price.per_hour.normalize():f} {price.currency} an hour" if price else "how much is not known"
    context.book.remark(
        f"endpoint {endpoint.ref.name} of {name} stays on {placement.connection} and goes on costing, {rate}, until you "
        "remove it; what this run is charged for it ends here"
    )
    end_endpoint(context, name, endpoint.ref.generation, endpoint.asked_at)
