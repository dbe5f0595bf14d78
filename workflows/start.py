"""How a run looks before anything has happened."""

from temporalio import workflow

from contracts.jobs import RunRef
from contracts.runs import RunRequest, RunStatus, StageStatus


def first_status(request: RunRequest) -> RunStatus:
    """Return the status of a fresh run; its uid is made here and carried through continue-as-new."""
    spec = request.spec
    run = RunRef(pipeline=spec.pipeline, key=request.key, run_uid=workflow.uuid4().hex)
    stages = {
        name: StageStatus(name=name, kind=stage.kind, connection=stage.on)
        for name, stage in spec.stages.items()
    }
    return RunStatus(run=run, description=spec.description, started_at=workflow.now(), stages=stages)
