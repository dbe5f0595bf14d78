"""Endpoints from the command line: numbers are right, and whatever ends a run leaves neither endpoint nor process."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import Run
from tests.house import Sandbox, until
from tests.pipelines import write
from tests.serving import CRASHER, DOUBLER, HELPER

MAKE = """
import json, pathlib, sys
model, rows = map(pathlib.Path, sys.argv[1:])
(model / "model.json").write_text(json.dumps({"factor": 3}))
(rows / "rows.csv").write_text("id,x\\n" + "".join(f"{n},{n / 2}\\n" for n in range(200)))
"""
SLOW = """
import time
from serving import serve
def score(rows):
    time.sleep(6)
    return rows
serve(score)
"""

ASKED = {
    "aws": (
        "sagemaker",
        "Boto3",
        ("CreateEndpoint", "InvokeEndpoint", "DeleteEndpoint", "CreateTransformJob"),
    ),
    "azure": (
        "azure",
        "python",
        (
            "OnlineDeployments.CreateOrUpdate",
            "Inference.Score",
            "OnlineEndpoints.Delete",
            "BatchJobs.Invoke",
            "BatchEndpoints.Delete",
        ),
    ),
    "gcp": (
        "vertex",
        "python",
        ("DeployModel", "RawPredict", "UndeployModel", "DeleteEndpoint", "CreateBatchPredictionJob"),
    ),
}
"""The vendor's server, a word of its SDK's name, and what it was asked."""


def pipeline(folder: Path, cloud: str, server: str, **stages: Any) -> Path:
    """Make a model and rows, deploy a server with them, and score."""
    spec = {
        "pipeline": f"serve-{cloud}",
        "defaults": {"on_failure": "fail", "timeout": "5m", "retries": 0},
        "stages": {
            "make": {
                "kind": "process",
                "on": cloud,
                "code": "src",
                "command": "python make.py {outputs.model} {outputs.rows}",
                "outputs": ["model", "rows"],
            },
            "serve": {
                "kind": "deploy",
                "on": cloud,
                "inputs": {"model": "make.model"},
                "code": "src",
                "command": "python server.py {inputs.model}",
            },
            "ask": {
                "kind": "invoke",
                "on": cloud,
                "endpoint": "serve",
                "inputs": {"data": "make.rows"},
                "batch_size": 16,
            },
            **stages,
        },
    }
    return write(folder, spec, {"src/server.py": server, "src/serving.py": HELPER, "src/make.py": MAKE})


def serving(house: Sandbox) -> list[str]:
    return [command for command in house.commands() if "server.py" in command]


@pytest.mark.parametrize(
    "cloud", ["aws", *(pytest.param(cloud, marks=pytest.mark.durability) for cloud in ("azure", "gcp"))]
)
def test_a_run_deploys_scores_online_and_in_a_batch_and_retires(
    house: Sandbox, tmp_path: Path, cloud: str
) -> None:
    batch = {
        "kind": "batch_predict",
        "on": cloud,
        "inputs": {"model": "make.model", "data": "make.rows"},
        "code": "src",
        "command": "python server.py {inputs.model}",
    }
    file = pipeline(tmp_path, cloud, DOUBLER, batch=batch)
    answer = house.starter("run", str(file), "--json")
    stages = {stage["name"]: stage for stage in answer.document["stages"]}
    assert answer.document["state"] == "SUCCEEDED", [stage["error"] for stage in stages.values()]
    assert stages["ask"]["rows"] == 200
    asked, scored = stages["ask"]["outputs"]["predictions"], stages["batch"]["outputs"]["predictions"]
    assert asked["size_bytes"] == scored["size_bytes"] > 200 * len('{"id": "0", "score": 0.0}')
    assert stages["serve"]["endpoint"]["retired"]
    assert serving(house) == []
    server, sdk, operations = ASKED[cloud]
    asked_for = {item["operation"]: item for item in house.requests(server)}
    for operation in operations:
        assert sdk in asked_for[operation]["agent"]
    report = house.starter("report", answer.document["run_id"]).out
    assert "endpoint cw-serve-" in report
    assert "removed" in report


def test_a_server_that_is_not_healthy_fails_its_stage_with_its_last_lines(
    house: Sandbox, tmp_path: Path
) -> None:
    file = pipeline(tmp_path, "onprem", CRASHER)
    answer = house.starter("run", str(file), "--json")
    assert answer.document["state"] == "FAILED"
    error = next(stage["error"] for stage in answer.document["stages"] if stage["name"] == "serve")
    assert error["kind"] == "JOB_FAILED"
    assert "was removed" in error["message"]
    assert "no model here" in error["message"]
    assert serving(house) == []


@pytest.mark.parametrize("cloud", ["aws", pytest.param("gcp", marks=pytest.mark.durability)])
def test_a_cancel_while_rows_are_scored_leaves_no_endpoint_and_no_process(
    house: Sandbox, tmp_path: Path, cloud: str
) -> None:
    run = Run.start(house, pipeline(tmp_path, cloud, SLOW))
    until(lambda: "scoring by" in run.line("ask"), "the rows are being scored")
    assert serving(house)
    house.starter("cancel", run.id, check=True)
    document = run.until("CANCELLED")
    deployed = next(stage for stage in document["stages"] if stage["name"] == "serve")
    assert deployed["endpoint"]["retired"]
    assert serving(house) == []
    name = deployed["endpoint"]["name"]
    records = (house.root / "state" / ASKED[cloud][0]).rglob(f"{name}.json")
    assert list(records) == []
