"""A run that asks a person, through the real command line on the local clouds."""

from pathlib import Path

import pytest

from tests.e2e.runs import Run
from tests.house import Sandbox
from tests.pipelines import write

TRAIN = """
import json, pathlib, sys
(pathlib.Path(sys.argv[1]) / "metrics.json").write_text(json.dumps({"auc": 0.93}))
"""
PUBLISH = """
import pathlib, sys
(pathlib.Path(sys.argv[1]) / "answer.txt").write_text(sys.argv[2])
"""


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


def test_a_run_asks_shows_its_metrics_and_goes_on_with_the_answer(house: Sandbox, tmp_path: Path) -> None:
    stages = {
        "train": {
            "kind": "train",
            "on": "onprem",
            "code": "src",
            "command": "python train.py {outputs.metrics}",
            "outputs": ["metrics"],
        },
        "gate": {
            "kind": "approve",
            "question": "Where shall it go?",
            "show": {"AUC": "{train.metrics.auc}"},
            "choices": ["eu", "us"],
            "approvers": ["ann"],
        },
        "publish": {
            "kind": "process",
            "on": "aws",
            "code": "src",
            "command": "python publish.py {outputs.told} {gate.answer}",
            "when": 'gate.answer != ""',
            "outputs": ["told"],
        },
    }
    files = {"src/train.py": TRAIN, "src/publish.py": PUBLISH}
    run = Run.start(house, write(tmp_path, {"pipeline": "asking", "stages": stages}, files))
    asked = run.until("WAITING")
    assert asked["waiting_for"] == "an answer to gate"
    assert run.stage("gate")["gate"]["shown"] == {"AUC": "0.93"}
    text = run.text()
    assert "gate asks: Where shall it go?" in text
    assert f"python -m starter approve {run.id} gate --answer eu" in text
    assert house.starter("watch", run.id).code == 4, "it waits, and there is no terminal to ask on"
    stranger = house.starter("approve", run.id, "gate", "--answer", "eu", "--by", "eve")
    assert stranger.code == 2
    assert "'eve' may not answer 'gate'; ann may" in stranger.err
    wrong = house.starter("approve", run.id, "gate", "--answer", "mars", "--by", "ann")
    assert wrong.code == 2
    assert "write one of eu, us" in wrong.err
    told = house.starter(
        "approve", run.id, "gate", "--answer", "eu", "--by", "ann", "--comment", "law", check=True
    )
    assert told.out.strip() == "answered eu by ann: law"
    run.reach("SUCCEEDED")
    gate = run.stage("gate")["gate"]
    assert (gate["answer"], gate["by"], gate["comment"]) == ("eu", "ann", "law")
    assert run.stage("publish")["outputs"]["told"]["object_count"] == 1
    again = house.starter("approve", run.id, "gate", "--answer", "us", "--by", "ann")
    assert again.code == 2
    assert "has not ended" in again.err
