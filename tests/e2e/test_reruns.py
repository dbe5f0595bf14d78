"""A run is run again from the command line: only what has changed is done, on the clouds as they are."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import Run
from tests.house import Sandbox
from tests.pipelines import QUICKSTART


@pytest.fixture(scope="module")
def first(house: Sandbox) -> Run:
    run = Run.start(house, QUICKSTART)
    run.reach("SUCCEEDED")
    return run


def rerun(house: Sandbox, run: Run, *arguments: str) -> dict[str, Any]:
    return house.starter("rerun", run.id, *arguments, "--json", check=True).document


def stages(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stage["name"]: stage for stage in document["stages"]}


def taken(document: dict[str, Any]) -> dict[str, str | None]:
    return {name: stage.get("taken_from") for name, stage in stages(document).items()}


def test_nothing_is_done_again_where_nothing_has_changed(house: Sandbox, first: Run) -> None:
    jobs = {cloud: len(house.jobs(cloud, "train")) for cloud in ("aws", "azure")}
    document = rerun(house, first)
    assert taken(document) == dict.fromkeys(("ingest", "train", "score", "load", "summary"), first.id)
    assert document["transfers"] == []
    assert {cloud: len(house.jobs(cloud, "train")) for cloud in jobs} == jobs
    assert stages(document)["train"]["metrics"] == first.stage("train")["metrics"]


def test_a_stage_is_begun_from_and_what_was_brought_there_is_used_again(house: Sandbox, first: Run) -> None:
    document = rerun(house, first, "--from", "score")
    assert taken(document) == {
        "ingest": first.id,
        "train": first.id,
        "score": None,
        "load": None,
        "summary": None,
    }
    # What was scored is the same again, and lies on Google Cloud already.
    assert document["transfers"] == []
    said = house.starter("report", document["run_id"], check=True).out
    assert f"taken over from {first.id}" in said


def test_a_changed_script_is_run_again_and_what_depends_on_it(
    house: Sandbox, first: Run, tmp_path: Path
) -> None:
    shutil.copytree(QUICKSTART, tmp_path / "q")
    script = tmp_path / "q" / "src" / "score.py"
    script.write_text(script.read_text() + "\n# another version\n")
    document = rerun(house, first, "--pipeline", str(tmp_path / "q"))
    found = taken(document)
    # Both jobs have the same code folder; what was scored came out the same, so that its table stays as it is.
    assert found["ingest"] == first.id
    assert (found["train"], found["score"]) == (None, None)
    assert (found["load"], found["summary"]) == (first.id, first.id)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("quickstart/nothing-of-the-kind",), "there is no run 'quickstart/nothing-of-the-kind'"),
        (("{run}", "--from", "scor"), "--from: there is no stage 'scor'; did you mean 'score'?"),
        (("{run}", "--param", "x=1"), "--param x: the pipeline has no param 'x'"),
        (("{run}", "--pipeline", "sweep"), "sweep is the pipeline 'sweep', and"),
    ],
    ids=["run", "stage", "param", "pipeline"],
)
def test_what_cannot_be_run_again_is_told(
    house: Sandbox, first: Run, arguments: tuple[str, ...], told: str
) -> None:
    answer = house.starter("rerun", *(word.format(run=first.id) for word in arguments))
    assert (answer.code, told in answer.err) == (2, True), answer.err
