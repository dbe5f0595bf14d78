"""The code of today replays the runs of yesterday."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from contracts.alerts import ALERT_WORKFLOW
from contracts.connect import plugin
from contracts.fanout import FANOUT_WORKFLOW
from contracts.ledger import LEDGER_WORKFLOW
from contracts.lineage import LINEAGE_WORKFLOW
from contracts.runs import (
    CHECK_WORKFLOW,
    JOB_LOGS_WORKFLOW,
    PIPELINE_WORKFLOW,
    PLAN_WORKFLOW,
    SWEEP_WORKFLOW,
    TRANSFER_WORKFLOW,
)
from tests.house import CHECKOUT
from tests.prepared import PreparedOnce
from tests.replay.record import CHILDREN, HISTORIES, IDENTITY, RECORDINGS
from workers.workflows import WORKFLOWS

FILES = sorted(HISTORIES.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recorded_run_replays(file: Path) -> None:
    replay(json.loads(file.read_text()))


def test_a_history_of_other_code_is_refused() -> None:
    history = json.loads((HISTORIES / "pipeline-generations.json").read_text())
    for event in history["events"]:
        scheduled = event.get("activityTaskScheduledEventAttributes", {})
        if scheduled.get("activityType", {}).get("name") == "jobs.submit":
            scheduled["activityType"]["name"] = "jobs.submit_differently"
    with pytest.raises(NondeterminismError):
        replay(history)


def test_every_workflow_and_every_recording_has_a_history() -> None:
    assert {file.stem for file in FILES} >= {*RECORDINGS, *CHILDREN}
    kinds = {begun(json.loads(file.read_text()))["workflowType"]["name"] for file in FILES}
    known = {
        PIPELINE_WORKFLOW,
        TRANSFER_WORKFLOW,
        FANOUT_WORKFLOW,
        JOB_LOGS_WORKFLOW,
        SWEEP_WORKFLOW,
        ALERT_WORKFLOW,
        CHECK_WORKFLOW,
        LINEAGE_WORKFLOW,
        LEDGER_WORKFLOW,
        PLAN_WORKFLOW,
    }
    assert kinds == known


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recorded_history_tells_nothing_of_the_machine_it_was_recorded_on(file: Path) -> None:
    history = json.loads(file.read_text())
    assert file.stat().st_size < 400_000
    assert {found for key, found in fields(history) if key == "identity"} <= {IDENTITY}
    assert {found for key, found in fields(history) if key == "stackTrace"} <= {""}
    texts = [
        file.read_text(),
        *(base64.b64decode(found).decode() for key, found in fields(history) if key == "data"),
    ]
    for text in texts:
        assert not [
            folder for folder in ("/home/", "/root/", str(CHECKOUT), "/tmp/", "/Users/") if folder in text
        ]


def replay(history: dict[str, Any]) -> None:
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=PreparedOnce(), plugins=[plugin()])
    identity = begun(history)["workflowId"]
    asyncio.run(replayer.replay_workflow(WorkflowHistory.from_json(identity, json.dumps(history))))


def begun(history: dict[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = history["events"][0]["workflowExecutionStartedEventAttributes"]
    return attributes


def fields(value: Any) -> list[tuple[str, Any]]:
    """Every named text in a history."""
    if isinstance(value, list):
        return [pair for item in value for pair in fields(item)]
    if not isinstance(value, dict):
        return []
    inner = [pair for item in value.values() for pair in fields(item)]
    return inner + [(key, item) for key, item in value.items() if isinstance(item, str)]
