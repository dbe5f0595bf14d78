"""How a run looks before anything has happened."""

from temporalio import workflow

from contracts import presets
from contracts.jobs import RunRef
from contracts.places import open_places
from contracts.runs import RunRequest, RunStatus, StageStatus
from contracts.scheduled import SCHEDULED_AT, EarlierRequest, ScheduledActivities, dated
from workflows.effects import Effects


def first_status(request: RunRequest) -> RunStatus:
    """Return the status of a fresh run; its uid is made here and carried through continue-as-new."""
    spec = request.spec
    run = RunRef(pipeline=spec.pipeline, key=request.key, run_uid=workflow.uuid4().hex)
    places = open_places(spec)
    stages = {
        name: StageStatus(name=name, kind=stage.kind, connection=stage.on, may_run_on=places.get(name, ()))
        for name, stage in spec.stages.items()
    }
    return RunStatus(
        run=run,
        description=spec.description,
        started_at=workflow.now(),
        stages=stages,
        scheduled_for=workflow.info().typed_search_attributes.get(SCHEDULED_AT),
        rerun_of=request.earlier.run_id if request.earlier else "",
    )


def settled(request: RunRequest) -> RunRequest:
    """Return what runs: of a request that a schedule made, with the key and the time that Temporal gave it."""
    if not request.scheduled:
        return request
    info = workflow.info()
    due = info.typed_search_attributes.get(SCHEDULED_AT) or workflow.now()
    return request.model_copy(
        update={
            "key": info.workflow_id.partition("/")[2],
            "spec": dated(request.spec, due),
            "scheduled": False,
        }
    )


async def ran_already(effects: Effects) -> RunStatus | None:
    """How a run of the same name ended that has succeeded before; None where none has. See `settled`."""
    asked = EarlierRequest(workflow_id=workflow.info().workflow_id)
    earlier = await effects.local(
        ScheduledActivities.earlier, asked, preset=presets.local(), summary="was it run already?"
    )
    found: RunStatus | None = earlier.succeeded
    return found
