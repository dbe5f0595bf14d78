"""Records the histories that are replayed: `python -m tests.replay.record NAME...`, then look at them and commit them.

Recorded histories are promises to runs that live while the code changes: keep the old files of a release, add new ones.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.testing import WorkflowEnvironment

from contracts.approvals import Approval
from contracts.connect import plugin
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.observed import ALERT_EVENTS, Observed
from contracts.runs import SEARCH_ATTRIBUTES, RunPhase
from tests.fakes.lives import Life
from tests.replay.short import check, ledger, log, plan, sweep
from tests.workflows.play import Play, Run, spec_of
from tests.workflows.servers import dev_server
from tests.workflows.test_flow import quickstart
from workflows.pipeline import PipelineWorkflow

HISTORIES = Path(__file__).parent / "histories"
IDENTITY = "recorder"
SECOND = timedelta(seconds=1)
MACHINES = {"identity": IDENTITY, "stackTrace": ""}
"""Fields that would tell where the recording was made."""


async def succeeded(play: Play) -> Run:
    """Every kind of stage, four clouds, pulls and a push, a watch long enough to look for absent workers."""
    play.world.unreadable = {"onprem/default"}
    play.put("onprem", "data.csv")
    play.world.lives |= {"train": [Life(runs=17 * SECOND, metrics={"accuracy": 0.9})]}
    run = await play.start(spec_of(quickstart()), key="succeeded")
    await play.result(run)
    return run


async def paused(play: Play) -> Run:
    """A pause inside a transfer and beside a job, then a resume."""
    source = play.put("azure", "data.csv")
    play.world.lives["job"] = [Life(runs=2 * SECOND)]
    hold = play.world.hold("storage.copy")
    stages = {
        "copy": {"kind": "copy", "on": "aws", "source": source},
        "job": {},
        "use": {"inputs": {"it": "copy"}},
    }
    run = await play.start(spec_of(stages), key="paused")
    await play.reach(hold)
    await play.until_noted(run, "job", "job running")
    await run.signal("pause", {"by": "ann", "reason": "maintenance"})
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED and now.jobs_running == 0)
    await run.signal("resume", {"by": "ann"})
    await play.result(run)
    return run


async def generations(play: Play) -> Run:
    """A failed generation, one without a machine, then a person's retry."""
    failed = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED, message="the script ended with 1")
    play.world.lives["job"] = [failed, failed, Life()]
    run = await play.start(spec_of({"job": {"retries": 1}, "next": {"after": ["job"]}}), key="generations")
    await play.until_phase(run, "job", "WAITING")
    await play.decide(run, "retry", "job", by="ann", reason="mended")
    await play.result(run)
    return run


async def cancelled(play: Play) -> Run:
    """A cancel while a job runs."""
    play.world.lives["job"] = [Life(runs=60 * SECOND)]
    run = await play.start(spec_of({"job": {}, "next": {"after": ["job"]}}), key="cancelled")
    await play.until_noted(run, "job", "job running")
    await run.cancel()
    await play.cancelled(run)
    return run


async def failed(play: Play) -> Run:
    """A stage that fails the run while another job runs."""
    play.world.lives |= {"slow": [Life(runs=60 * SECOND)]}
    hold = play.world.hold("jobs.submit", stage="bad")
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage="bad")
    run = await play.start(spec_of({"slow": {}, "bad": {"on_failure": "fail"}}), key="failed")
    await play.until_noted(run, "slow", "job running")
    hold.release()
    await play.failure(run)
    return run


async def closed(play: Play) -> Run:
    """A cancel while a job and a query run: each is ended by an activity of its own."""
    play.world.lives["job"] = [Life(runs=60 * SECOND)]
    hold = play.world.hold("tables.query")
    query = {"kind": "query", "on": "gcp", "sql": "SELECT 1"}
    run = await play.start(spec_of({"job": {}, "query": query}), key="closed")
    await play.until_noted(run, "job", "job running")
    await play.reach(hold)
    await run.cancel()
    await play.cancelled(run)
    return run


async def chosen(play: Play) -> Run:
    """Items of which one is tried again, a pick among them, a condition, and its model brought to another cloud."""
    play.world.lives |= {f"each-{index}": [Life(metrics={"auc": index / 10})] for index in range(4)}
    failed = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED, message="the script ended with 1")
    play.world.lives["each-1"] = [failed, Life(metrics={"auc": 0.9})]
    stages = {
        "each": {"foreach": {"range": 4, "max_parallel": 2}, "outputs": ["model", "metrics"], "code": "src"},
        "best": {"kind": "pick", "from": ["each"], "by": "max(metrics.auc)"},
        "use": {"on": "gcp", "inputs": {"model": "best.model"}, "when": "best.metrics.auc > 0.5"},
        "not": {"on": "gcp", "inputs": {"model": "best.model"}, "when": "best.metrics.auc < 0.5"},
    }
    run = await play.start(spec_of(stages), key="chosen")
    await play.result(run)
    return run


async def watched(play: Play) -> Run:
    """Somebody is told of a slow stage, of one that waits for a decision, and of the end."""
    play.world.observed = Observed(alerts=ALERT_EVENTS)
    play.world.lives["slow"] = [Life(runs=3 * SECOND)]
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage="bad")
    run = await play.start(spec_of({"slow": {"slow_after": "1s"}, "bad": {"after": ["slow"]}}), key="watched")
    status = await play.until_phase(run, "bad", "WAITING")
    told = f"{run.id}/alert/{status.run.run_uid}/slow/slow/1"
    await play.client.get_workflow_handle(told).result()
    await play.decide(run, "skip", "bad", by="ann")
    await play.result(run)
    await write("alert", play.client.get_workflow_handle(told))
    return run


async def traced(play: Play) -> Run:
    """Lineage of a copy, and of a job that fails once."""
    play.world.observed = Observed(lineage=True)
    source = play.put("azure", "data.csv")
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage="use")
    stages = {
        "copy": {"kind": "copy", "on": "aws", "source": source},
        "use": {"inputs": {"it": "copy"}, "on_failure": "wait"},
    }
    run = await play.start(spec_of(stages), key="traced")
    status = await play.until_phase(run, "use", "WAITING")
    await play.decide(run, "retry", "use", by="ann")
    await play.result(run)
    first = f"{run.id}/lineage/{status.run.run_uid}/1"
    await play.client.get_workflow_handle(first).result()
    await write("lineage", play.client.get_workflow_handle(first))
    return run


async def watched_early(play: Play) -> Run:
    """Somebody is told of a run that failed before its plan was made."""
    play.world.observed = Observed(alerts=ALERT_EVENTS)
    play.world.fail("connections.preflight", ErrorKind.ACCESS_DENIED, "no right to write")
    run = await play.start(spec_of({"job": {}}), key="watched-early")
    await play.failure(run)
    return run


async def decided(play: Play) -> Run:
    """What people decide: changes, something in the place of an output, answers, one by default, jobs that are stopped."""
    play.put("aws", "old/data.csv")
    failed = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED, message="the script ended with 1")
    play.world.lives |= {"train": [failed, Life()], "slow": [Life(runs=60 * SECOND), Life()]}
    play.world.fail("storage.copy", ErrorKind.DISK_FULL)
    gate = {"kind": "approve", "question": "Go on with {params.depth}?"}
    stages = {
        "bad": {"kind": "copy", "on": "aws", "source": play.put("azure", "data.csv")},
        "train": {"retries": 0, "inputs": {"it": "bad"}, "command": "go {params.depth}"},
        "slow": {},
        "late": {**gate, "timeout": "2s", "default": "no"},
        "gate": {**gate, "after": ["train"], "timeout": "1h"},
        "use": {"command": "go {gate.answer}", "when": 'late.answer == "no"'},
    }
    run = await play.start(spec_of(stages, params={"depth": 3}), key="decided")
    await play.until_noted(run, "slow", "job running")
    await run.signal("pause", {"by": "ann", "jobs": "stop"})
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await run.signal("resume", {"by": "ann"})
    await play.until_phase(run, "bad", "WAITING")
    await play.decide(run, "skip", "bad", by="ann", outputs={"data": "s3://causeway/old/data.csv"})
    await play.until_phase(run, "train", "WAITING")
    await play.decide(run, "retry", "train", by="ann", resources={"cpu": 4}, params={"depth": 7})
    await play.until(run, lambda now: now.stages["gate"].asks)
    await run.execute_update(PipelineWorkflow.approve, Approval(stage="gate", answer="yes", by="ann"))
    await play.result(run)
    return run


async def served(play: Play) -> Run:
    """Endpoints: one that a stage retires, one that goes with the run, one that stays."""
    deploy = {"kind": "deploy", "on": "aws", "command": "python serve.py"}
    stages = {
        "rows": {"on": "aws"},
        "serve": deploy,
        "beside": {**deploy, "after": ["serve"]},
        "stays": {**deploy, "temporary": False, "after": ["beside"]},
        "ask": {"kind": "invoke", "on": "aws", "endpoint": "serve", "inputs": {"data": "rows"}},
        "gone": {"kind": "retire", "on": "aws", "endpoint": "serve", "after": ["stays"]},
    }
    run = await play.start(spec_of(stages), key="served")
    await play.result(run)
    return run


async def charged(play: Play) -> Run:
    """The same once endpoints are charged."""
    return await served(play)


RECORDINGS: dict[str, Callable[[Play], Awaitable[Any]]] = {
    "pipeline-succeeded": succeeded,
    "pipeline-paused": paused,
    "pipeline-generations": generations,
    "pipeline-cancelled": cancelled,
    "pipeline-failed": failed,
    "pipeline-closed": closed,
    "pipeline-chosen": chosen,
    "pipeline-watched": watched,
    "pipeline-traced": traced,
    "pipeline-watched-early": watched_early,
    "pipeline-decided": decided,
    "pipeline-served": served,
    "pipeline-charged": charged,
    "job_logs": log,
    "sweep": sweep,
    "check": check,
    "plan": plan,
    "ledger": ledger,
}
CHILDREN = {
    "transfer-push": ("pipeline-succeeded", "transfer/ingest.data-to-aws.default"),
    "transfer-pull": ("pipeline-succeeded", "transfer/train.model-to-azure.default"),
    "transfer-paused": ("pipeline-paused", "transfer/copy.data-to-aws.default"),
    "foreach": ("pipeline-chosen", "foreach/each"),
}


async def record(wanted: list[str]) -> None:
    """Play each recording that is named, or all, on a server of its own and write what it came to."""
    for name, recording in RECORDINGS.items():
        if wanted and name not in wanted:
            continue
        env = await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(dev_server()),
            search_attributes=SEARCH_ATTRIBUTES,
            plugins=[plugin()],
            identity=IDENTITY,
        )
        play = Play(env)
        try:
            run = await recording(play)
            await write(name, run)
            for child, (parent, key) in CHILDREN.items():
                if parent == name:
                    await write(child, play.client.get_workflow_handle(f"{run.id}/{key}"))
        finally:
            await play.close()


async def write(name: str, handle: Any) -> None:
    history = json.loads((await handle.fetch_history()).to_json())
    text = json.dumps(without_machines(history), indent=1, sort_keys=True)
    (HISTORIES / f"{name}.json").write_text(text + "\n")


def without_machines(value: Any) -> Any:
    """The history without the names and folders of the machine that recorded it."""
    if isinstance(value, list):
        return [without_machines(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: MACHINES.get(key, without_machines(item)) for key, item in value.items()}


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
