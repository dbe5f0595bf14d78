"""Running a pipeline, or the bare workflow, and taking its time."""

import time
import uuid
from collections import defaultdict
from datetime import datetime
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.bare import QUEUE, BareWorkflow
from contracts.runs import RunPhase, RunRequest, RunStatus, StageStatus, workflow_id
from contracts.spec import PipelineSpec
from starter.temporal import start

Stages = dict[str, dict[str, Any]]


async def run(client: Client, stages: Stages) -> tuple[RunStatus, float]:
    """Run these stages as a pipeline; return how it ended and its seconds, from the start to the result.

    Raises:
        RuntimeError: it did not succeed.
    """
    spec = PipelineSpec.model_validate(
        {"pipeline": "bench", "defaults": {"on_failure": "fail", "retries": 0}, "stages": stages}
    )
    began = time.perf_counter()
    handle, _ = await start(client, RunRequest(spec=spec, key=uuid.uuid4().hex))
    status = await handle.result()
    seconds = time.perf_counter() - began
    if status.phase is not RunPhase.SUCCEEDED:
        raise RuntimeError(f"a measured run ended {status.phase}: {status.stages}")
    return status, seconds


async def run_bare(client: Client, activities: int) -> float:
    """Run the peer; return its seconds, from the start to the result."""
    began = time.perf_counter()
    await client.execute_workflow(BareWorkflow.run, activities, id=f"bench/{uuid.uuid4()}", task_queue=QUEUE)
    return time.perf_counter() - began


async def spent(client: Client, status: RunStatus) -> dict[str, float]:
    """Seconds of a run's history that each type of activity took, from its scheduling to its end."""
    identity = workflow_id(status.run.pipeline, status.run.key)
    scheduled: dict[int, tuple[str, datetime]] = {}
    seconds: dict[str, float] = defaultdict(float)
    async for event in client.get_workflow_handle(identity).fetch_history_events():
        now = event.event_time.ToDatetime()
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = event.activity_task_scheduled_event_attributes.activity_type.name
            scheduled[event.event_id] = name, now
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            name, began = scheduled[event.activity_task_completed_event_attributes.scheduled_event_id]
            seconds[name] += (now - began).total_seconds()
    return seconds


def seconds_of(stage: StageStatus) -> float:
    """From the stage's start to its end."""
    return (_known(stage.ended_at) - _known(stage.started_at)).total_seconds()


def _known(moment: datetime | None) -> datetime:
    if moment is None:
        raise RuntimeError("a stage of a run that succeeded has both its times")
    return moment
