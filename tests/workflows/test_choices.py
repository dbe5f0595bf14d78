"""Stages that run on a condition, and picks."""

from typing import Any

import pytest

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunPhase, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, job_of, output, spec_of

FAILED = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED, message="the script ended with 1")


def measured(play: Play, **metrics: dict[str, float]) -> None:
    play.world.lives |= {name: [Life(metrics=found)] for name, found in metrics.items()}


def trained(on: str = "aws", **fields: Any) -> dict[str, Any]:
    return {"on": on, "outputs": ["model", "metrics"], **fields}


CLOUDS = {"one": "aws", "two": "azure", "three": "gcp"}
TRAINED = {name: trained(on) for name, on in CLOUDS.items()}


def best(**fields: Any) -> dict[str, Any]:
    return {"kind": "pick", "from": list(CLOUDS), "by": "max(metrics.auc)", **fields}


async def test_a_stage_whose_condition_is_false_is_skipped_with_the_values_and_so_is_what_needs_it(
    play: Play,
) -> None:
    measured(play, train={"auc": 0.8})
    stages = {
        "train": trained(),
        "publish": {"when": "train.metrics.auc > params.floor", "outputs": ["out"]},
        "use": {"inputs": {"it": "publish"}},
        "after": {"after": ["publish"]},
    }
    status = await play.finish(spec_of(stages, params={"floor": 0.9}))
    assert status.phase is RunPhase.SUCCEEDED
    assert status.stages["publish"].phase is StagePhase.SKIPPED
    told = "train.metrics.auc > params.floor is false (train.metrics.auc = 0.8, params.floor = 0.9)"
    assert status.stages["publish"].note == told
    assert status.stages["use"].phase is StagePhase.SKIPPED
    assert "publish was skipped" in status.stages["use"].note
    assert status.stages["after"].phase is StagePhase.SUCCEEDED
    assert {job.request.stage for job in play.world.jobs.values()} == {"train", "after"}


async def test_a_stage_whose_condition_is_true_runs(play: Play) -> None:
    measured(play, train={"auc": 0.95})
    status = await play.finish(spec_of({"train": trained(), "use": {"when": "train.metrics.auc >= 0.95"}}))
    assert status.stages["use"].phase is StagePhase.SUCCEEDED


async def test_a_condition_on_a_metric_that_was_not_left_waits_for_a_person(play: Play) -> None:
    measured(play, train={"loss": 1.0})
    stages = {"train": trained(), "use": {"when": "train.metrics.auc > 0"}}
    run = await play.start(spec_of(stages))
    status = await play.until_phase(run, "use", "WAITING")
    error = status.stages["use"].error
    assert error is not None
    assert "left no metric 'auc'; there is loss" in error.message
    await play.decide(run, "skip", "use")
    assert (await play.result(run)).stages["use"].phase is StagePhase.SKIPPED


async def test_a_stage_out_of_retries_is_skipped_where_the_spec_says_so(play: Play) -> None:
    play.world.lives["train"] = [FAILED]
    stages = {"train": {"on_failure": "skip", "retries": 0}, "use": {"inputs": {"it": "train"}}, "other": {}}
    status = await play.finish(spec_of(stages))
    phases = {name: stage.phase.value for name, stage in status.stages.items()}
    assert phases == {"train": "SKIPPED", "use": "SKIPPED", "other": "SUCCEEDED"}
    assert status.stages["train"].error is not None


@pytest.mark.parametrize(("by", "winner"), [("max(metrics.auc)", "two"), ("min(metrics.auc)", "one")])
async def test_a_pick_takes_the_best_of_three_clouds_and_its_output_is_brought_to_the_next(
    play: Play, by: str, winner: str
) -> None:
    measured(play, one={"auc": 0.7}, two={"auc": 0.9}, three={"auc": 0.8})
    stages = {
        **TRAINED,
        "best": best(by=by),
        "use": {"on": "onprem", "inputs": {"model": "best.model"}},
        "share": {"kind": "copy", "on": "gcp", "inputs": {"model": "best.model"}},
        "tell": {"command": "python go.py {best.metrics.auc}", "when": "best.metrics.auc > 0"},
    }
    run = await play.start(spec_of(stages))
    status = await play.result(run)
    picked = status.stages["best"]
    assert picked.phase is StagePhase.SUCCEEDED
    assert picked.connection == f"{CLOUDS[winner]}/default"
    assert picked.choice is not None
    assert picked.choice.stage == winner
    assert [candidate.score for candidate in picked.choice.candidates] == [0.7, 0.9, 0.8]
    assert f"picked {winner} by {by}: one 0.7, two 0.9, three 0.8" in picked.note
    made = output(status, winner, "model")
    assert output(status, "best", "model") == made
    assert job_of(play, "use").request.inputs["model"].digest == made.digest
    assert output(status, "share", "data").digest == made.digest
    moved = await play.transfers(run)
    assert set(moved) == {
        f"best.model-from-{winner}-to-onprem.default",
        f"share.data-from-{winner}-to-gcp.default",
    }


async def test_what_was_picked_is_not_moved_where_it_lies(play: Play) -> None:
    measured(play, one={"auc": 0.9}, two={"auc": 0.1}, three={"auc": 0.1})
    stages = {**TRAINED, "best": best(), "use": {"on": "aws", "inputs": {"model": "best.model"}}}
    run = await play.start(spec_of(stages))
    await play.result(run)
    assert await play.transfers(run) == []


async def test_of_equals_the_first_in_the_spec_is_picked(play: Play) -> None:
    measured(play, one={"auc": 0.5}, two={"auc": 0.9}, three={"auc": 0.9})
    status = await play.finish(spec_of({**TRAINED, "best": best()}))
    assert status.stages["best"].choice.stage == "two"  # type: ignore[union-attr]


async def test_candidates_that_failed_were_skipped_or_lack_the_metric_do_not_count(play: Play) -> None:
    measured(play, two={"loss": 0.1}, three={"auc": 0.2})
    play.world.lives["one"] = [FAILED]
    stages = {
        "one": trained(retries=0, on_failure="skip"),
        "two": trained("azure"),
        "three": trained("gcp"),
        "four": trained(when="params.four"),
        "best": best(**{"from": ["one", "two", "three", "four"]}),
        "use": {"inputs": {"model": "best.model"}},
    }
    status = await play.finish(spec_of(stages, params={"four": False}))
    choice = status.stages["best"].choice
    assert choice is not None
    assert choice.stage == "three"
    why = {candidate.stage: candidate.why for candidate in choice.candidates}
    assert "JOB_FAILED" in why["one"]
    assert "left no metric 'auc'" in why["two"]
    assert "params.four is false" in why["four"]
    assert status.stages["use"].phase is StagePhase.SUCCEEDED


async def test_fewer_candidates_than_asked_for_are_a_failure_that_names_each(play: Play) -> None:
    measured(play, one={"auc": 1.0}, two={}, three={})
    stages = {**TRAINED, "best": best(at_least=2, on_failure="fail")}
    kind, status = await play.failure(await play.start(spec_of(stages)))
    assert kind == ErrorKind.INVALID_REQUEST
    error = status.stages["best"].error
    assert error is not None
    assert "1 of 3 candidates have metrics.auc, and 2 must" in error.message
    assert "two: left no metric" in error.message


async def test_a_pick_among_stages_that_were_all_skipped_is_skipped(play: Play) -> None:
    stages = {
        **{name: trained(on, when="params.go") for name, on in CLOUDS.items()},
        "best": best(),
        "use": {"inputs": {"model": "best.model"}},
    }
    status = await play.finish(spec_of(stages, params={"go": False}))
    assert {stage.phase for stage in status.stages.values()} == {StagePhase.SKIPPED}


async def test_a_pick_among_picks_brings_what_the_last_one_chose(play: Play) -> None:
    measured(play, one={"auc": 0.7}, two={"auc": 0.9}, three={"auc": 0.8})
    stages = {
        **TRAINED,
        "first": best(**{"from": ["one", "two"]}),
        "second": best(**{"from": ["first", "three"]}),
        "use": {"on": "gcp", "inputs": {"model": "second.model"}},
    }
    run = await play.start(spec_of(stages))
    await play.result(run)
    assert await play.transfers(run) == ["second.model-from-two-to-gcp.default"]
