import itertools
from pathlib import Path
from typing import Any

from tests.house import Sandbox
from tests.pipelines import CLOUDS, QUICKSTART, write

TRAIN = "python train.py --data {inputs.data} --model {outputs.model} --metrics {outputs.metrics}"
SCORE = "python score.py --model {inputs.model} --data {inputs.data} --out {outputs.predictions}"


def test_train_and_score_run_on_every_pair_of_clouds(house: Sandbox, tmp_path: Path) -> None:
    stages: dict[str, Any] = {}
    for cloud in CLOUDS:
        stages[f"ingest_{cloud}"] = {
            "kind": "copy",
            "on": cloud,
            "source": "file:///quickstart/breast_cancer.csv",
        }
        stages[f"train_{cloud}"] = {
            "kind": "train",
            "on": cloud,
            "inputs": {"data": f"ingest_{cloud}"},
            "code": "src",
            "command": TRAIN,
            "outputs": ["model", "metrics"],
        }
    for trained, scored in itertools.product(CLOUDS, CLOUDS):
        stages[f"score_{trained}_{scored}"] = {
            "kind": "predict",
            "on": scored,
            "inputs": {"model": f"train_{trained}.model", "data": f"ingest_{scored}"},
            "code": "src",
            "command": SCORE,
            "outputs": ["predictions"],
        }
    sources = {f"src/{path.name}": path.read_text() for path in (QUICKSTART / "src").glob("*.py")}
    file = write(tmp_path, {"pipeline": "pairs", "stages": stages}, sources)
    answer = house.starter("run", str(file), "--json", "--on-failure", "fail", timeout=800)
    failed = [(stage["name"], stage["error"]) for stage in answer.document["stages"] if stage["error"]]
    assert answer.document["state"] == "SUCCEEDED", failed
    predictions = {
        stage["outputs"]["predictions"]["digest"]
        for stage in answer.document["stages"]
        if stage["kind"] == "predict"
    }
    assert len(predictions) == 1, "the same script on the same data gives the same predictions on every cloud"


def test_forty_small_stages_with_a_diamond_on_four_clouds_succeed(house: Sandbox, tmp_path: Path) -> None:
    stages: dict[str, Any] = {"root": _step("onprem", [])}
    for layer in range(6):
        before = ["root"] if layer == 0 else [f"s{layer - 1}_{index}" for index in range(6)]
        for index in range(6):
            needs = before if index % 3 == 0 else before[:1]
            stages[f"s{layer}_{index}"] = _step(CLOUDS[(layer + index) % 4], needs)
    stages["left"], stages["right"] = _step("aws", ["s5_0"]), _step("gcp", ["s5_0", "s5_1"])
    stages["bottom"] = _step("azure", ["left", "right"])
    assert len(stages) == 40
    file = write(tmp_path, {"pipeline": "forty", "stages": stages})
    answer = house.starter("run", str(file), "--json", "--on-failure", "fail", timeout=800)
    failed = [(stage["name"], stage["error"]) for stage in answer.document["stages"] if stage["error"]]
    assert answer.document["state"] == "SUCCEEDED", failed


def test_two_runs_of_the_same_pipeline_at_once_succeed(house: Sandbox) -> None:
    runs = [
        house.spawn("-m", "starter", "run", "--json", "--key", f"twin-{index}", stdout=-1, stderr=-1)
        for index in range(2)
    ]
    for run in runs:
        _, err = run.communicate(timeout=300)
        assert run.returncode == 0, err


def _step(cloud: str, needs: list[str]) -> dict[str, Any]:
    inputs = {f"i{index}": need for index, need in enumerate(needs)}
    return {
        "kind": "process",
        "on": cloud,
        "inputs": inputs,
        "command": "tee {outputs.mark}/mark.txt",
        "outputs": ["mark"],
        "timeout": "10m",
    }
