"""The pipelines to copy from, each run by the real command line on the local clouds."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.agreement import agreed, kept
from tests.house import CHECKOUT, Answer, Sandbox


def plan(house: Sandbox, pipeline: str) -> dict[str, Any]:
    return house.starter("plan", pipeline, "--json", check=True).document


def run(house: Sandbox, pipeline: str, *arguments: str) -> dict[str, Any]:
    planned = plan(house, pipeline)
    answer = house.starter("run", pipeline, "--json", "--on-failure", "fail", *arguments, timeout=280)
    failed = [(stage["name"], stage["error"]) for stage in answer.document["stages"] if stage["error"]]
    assert answer.code == 0, failed or answer.err
    kept(planned, agreed(house, answer.document))
    return answer.document


def stages_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stage["name"]: stage for stage in document["stages"]}


@pytest.fixture(scope="module")
def champion(house: Sandbox) -> Answer:
    return house.starter("run", "champion-challenger", "--json", "--key", "example", timeout=280)


def test_champion_challenger_trains_on_three_clouds_and_predicts_with_the_best(champion: Answer) -> None:
    assert champion.code == 0, champion.err
    stages = stages_of(champion.document)
    scores = {name: stage["metrics"]["auc"] for name, stage in stages.items() if name.startswith("train_")}
    choice = stages["champion"]["choice"]
    assert {item["stage"]: item["score"] for item in choice["candidates"]} == scores
    assert choice["stage"] == max(scores, key=lambda name: scores[name])
    assert stages["champion"]["outputs"]["model"] == stages[choice["stage"]]["outputs"]["model"]
    assert stages["predict"]["state"] == "SUCCEEDED"


def test_what_the_champion_cost_lies_within_its_quote_and_the_ledger_has_the_same(
    house: Sandbox, champion: Answer
) -> None:
    kept(plan(house, "champion-challenger"), agreed(house, champion.document))


def test_the_champion_is_served_scores_every_row_and_is_gone(house: Sandbox, champion: Answer) -> None:
    stages = stages_of(champion.document)
    assert stages["score"]["rows"] == 569
    assert stages["serve"]["endpoint"]["retired"]
    assert stages["gone"]["state"] == "SUCCEEDED"
    assert [command for command in house.commands() if "server.py" in command] == []


def test_the_report_shows_three_metrics_and_why_one_was_picked(house: Sandbox, champion: Answer) -> None:
    report = house.starter("report", "champion-challenger/example", check=True).out
    choice = stages_of(champion.document)["champion"]["choice"]
    assert "picked by champion" in report
    assert choice["by"] in report
    for item in choice["candidates"]:
        assert f"{item['score']:.6g}" in report


def test_a_sweep_of_24_trials_on_two_clouds_scores_with_the_best_of_them(house: Sandbox) -> None:
    document = run(house, "sweep")
    stages = stages_of(document)
    assert [stages[name]["items"]["succeeded"] for name in ("linear", "trees")] == [12, 12]
    best = max(stages[name]["metrics"]["auc_max"] for name in ("linear", "trees"))
    assert stages["best"]["metrics"]["auc"] == best
    assert stages["best"]["choice"]["item"] is not None
    assert stages["score"]["state"] == "SUCCEEDED"
    for stage, cloud in (("linear", "aws"), ("trees", "gcp")):
        assert sum(len(house.jobs(cloud, f"{stage}-{index}")) for index in range(12)) >= 12
    log = house.starter("logs", document["run_id"], "linear", "--item", "11", "--json", check=True)
    assert {json.loads(line)["item"] for line in log.out.splitlines()} <= {11}
    refused = [house.starter("logs", document["run_id"], "linear", *more) for more in ((), ("--item", "12"))]
    assert [answer.code for answer in refused] == [2, 2]
    assert all("0 to 11" in answer.err for answer in refused)


def test_a_workflow_of_ones_own_trains_until_the_model_is_good_enough(house: Sandbox) -> None:
    stages = stages_of(run(house, "custom_workflow"))
    assert stages["train"]["attempts"] > 1
    assert stages["train"]["metrics"]["auc"] >= 0.98
    assert stages["score"]["state"] == "SUCCEEDED"


def test_sixty_shards_are_scored_each_in_its_own_job_and_every_row_comes_back_once(house: Sandbox) -> None:
    stages = stages_of(run(house, "fanout-score"))
    assert [stages["score"]["items"][count] for count in ("total", "succeeded")] == [60, 60]
    assert sum(len(house.jobs("onprem", f"score-{index}")) for index in range(60)) == 60
    metrics = stages["join"]["metrics"]
    assert (metrics["rows"], metrics["shards"]) == (569, 60)
    table = house.root / "onprem" / stages["join"]["outputs"]["table"]["uri"].removeprefix("file:///")
    assert labels(table / "predictions.csv") == labels(
        CHECKOUT / "pipelines/quickstart/data/breast_cancer.csv"
    )
    assert metrics["accuracy"] > 0.9


def labels(table: Path) -> list[tuple[str, str]]:
    """Ids and labels, in the order of the ids."""
    with table.open(newline="") as file:
        return sorted((row["id"], row["label"]) for row in csv.DictReader(file))
