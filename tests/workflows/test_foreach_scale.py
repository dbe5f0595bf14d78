"""A thousand items: each once, with short histories and a small status."""

from collections import Counter

import pytest
from temporalio.client import WorkflowHandle

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunPhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, spec_of
from workflows.pipeline import PipelineWorkflow

ITEMS = 1000
STATUS_LIMIT_BYTES = 64 * 1024
HISTORY_LIMIT = 10_000


@pytest.mark.durability
async def test_a_thousand_items_run_once_each_with_short_histories_and_a_small_status(real: Play) -> None:
    play = real
    words = "a long word of a script " * 200
    failed = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED, message=words)
    for index in range(ITEMS):
        score = {f"metric_{number}": index + number / 10 for number in range(8)}
        play.world.lives[f"each-{index}"] = [failed if index % 33 == 0 else Life(metrics=score)]
    stages = {
        "each": {
            "foreach": {"range": ITEMS, "max_parallel": 50, "failures": {"at_least": 0.95}},
            "outputs": ["model", "metrics"],
            "retries": 0,
            "code": "src",
        },
        "best": {"kind": "pick", "from": ["each"], "by": "max(metrics.metric_0)"},
    }
    run = await play.start(spec_of(stages))
    status = await run.result()
    assert status.phase is RunPhase.SUCCEEDED
    assert len(status.model_dump_json()) < STATUS_LIMIT_BYTES
    asked = await run.query(PipelineWorkflow.status)
    assert len(asked.model_dump_json()) < STATUS_LIMIT_BYTES
    assert set(Counter(job.request.stage for job in play.world.jobs.values()).values()) == {1}
    assert len(play.world.jobs) == ITEMS
    assert {job.submits for job in play.world.jobs.values()} == {1}
    assert len(play.world.asked("code.publish")) == 1
    assert status.stages["best"].metrics["metric_0"] == ITEMS - 1
    lengths = [await length(run)]
    async for found in play.client.list_workflows(f'WorkflowId = "{run.id}/foreach/each"'):
        lengths.append(await length(play.client.get_workflow_handle(found.id, run_id=found.run_id)))
    assert len(lengths) > 2
    assert max(lengths) < HISTORY_LIMIT


async def length(handle: WorkflowHandle) -> int:  # type: ignore[type-arg]
    return len((await handle.fetch_history()).events)
