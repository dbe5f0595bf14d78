"""Questions of runs that tests ask, and answers to them."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts.approvals import Approval
from contracts.errors import ErrorKind
from tests.workflows.play import Play, Run, spec_of
from workflows.pipeline import PipelineWorkflow

GATE: dict[str, Any] = {"kind": "approve", "question": "Publish it?"}
HOUR = timedelta(hours=1)


async def answer(play: Play, run: Run, given: Any, stage: str = "gate", **fields: Any) -> str:
    approval = Approval(stage=stage, answer=given, **fields)
    return str(await run.execute_update(PipelineWorkflow.approve, approval))


async def refusal(play: Play, run: Run, given: Any = "yes", stage: str = "gate", **fields: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await answer(play, run, given, stage, **fields)
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == ErrorKind.INVALID_REQUEST
    return cause.message


async def asked(play: Play, stages: dict[str, Any] | None = None, **gate: Any) -> Run:
    run = await play.start(spec_of({"gate": {**GATE, **gate}, **(stages or {})}, params={"floor": 0.9}))
    await play.until(run, lambda now: now.stages["gate"].asks)
    return run


def command_of(play: Play, stage: str) -> tuple[Any, ...]:
    (job,) = [job for job in play.world.jobs.values() if job.request.stage == stage]
    return tuple(job.request.command)
