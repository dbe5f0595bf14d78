"""Asks every connection a run will use, on the very queue and by the identity that will do the work."""

import asyncio

from contracts import presets
from contracts.artifacts import locate
from contracts.connections import Capability, ConnectionActivities, ConnectionReport, PreflightRequest
from contracts.queues import CLOUD_OF_SCHEME, normalise
from contracts.spec import CopyStage, JobStage, PipelineSpec
from workflows.effects import Effects

PREFLIGHT = "preflight"


async def preflight(spec: PipelineSpec, effects: Effects, *, create: bool) -> dict[str, ConnectionReport]:
    """Return what each connection answers.

    Raises:
        ActivityError: one of them cannot do what the run needs; its cause says what and how to mend it.
    """
    requests = requests_of(spec, create=create)
    longest = max(spec.timeout_of(name) for name in spec.stages)
    reports = await asyncio.gather(
        *(
            effects.call(
                ConnectionActivities.preflight,
                request,
                on=request.connection,
                preset=presets.quick(longest),
                stage=PREFLIGHT,
                summary=request.connection,
            )
            for request in requests
        )
    )
    return {request.connection: report for request, report in zip(requests, reports, strict=True)}


def requests_of(spec: PipelineSpec, *, create: bool) -> tuple[PreflightRequest, ...]:
    """What the run asks of each connection, sorted by connection."""
    found: dict[str, PreflightRequest] = {}

    def ask(
        connection: str, need: Capability, container: str | None = None, *, image_given: bool = True
    ) -> None:
        held = found.get(connection, PreflightRequest(connection=connection, create=create))
        found[connection] = held.model_copy(
            update={
                "needs": tuple(sorted({*held.needs, need})),
                "containers": tuple(sorted({*held.containers, *([container] if container else [])})),
                "image_given": held.image_given and image_given,
            }
        )

    for stage in spec.stages.values():
        ask(stage.on, "storage")
        if isinstance(stage, CopyStage):
            for uri, owner in ((stage.source, stage.source_on), (stage.target, stage.on)):
                if uri:
                    ask(
                        owner or normalise(CLOUD_OF_SCHEME[locate(uri).scheme]), "storage", _container_of(uri)
                    )
        elif isinstance(stage, JobStage):
            ask(stage.on, "jobs", image_given=stage.image is not None)
        else:
            ask(stage.on, "tables")
    return tuple(found[connection] for connection in sorted(found))


def _container_of(uri: str) -> str:
    location = locate(uri)
    return location.model_copy(update={"name": ""}).uri
