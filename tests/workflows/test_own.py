"""Workflows of one's own carry a run as the pipeline's does."""

from typing import Any

import pytest

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunPhase, StagePhase
from contracts.spec import PipelineSpec
from starter.spec.load import find, load
from tests.fakes.lives import Life
from tests.workflows.play import Play
from workers.workflows import own_workflows


def example(**defaults: Any) -> PipelineSpec:
    spec = load(find("custom_workflow")).spec
    return spec.model_copy(update={"defaults": spec.defaults.model_copy(update=defaults)})


def measured(*scores: float) -> list[Life]:
    return [Life(metrics={"auc": score}) for score in scores]


async def test_it_loops_until_it_is_content_and_the_rest_is_left_out(play: Play) -> None:
    play.put("onprem", "quickstart/breast_cancer.csv")
    play.world.lives["train"] = measured(0.7, 0.9, 0.99)
    status = await play.finish(example())
    assert status.phase is RunPhase.SUCCEEDED
    trained = [job.request for job in play.world.jobs.values() if job.request.stage == "train"]
    words = [" ".join("".join(map(str, part)) for part in request.command) for request in trained]
    assert [request.generation for request in trained] == [1, 2, 3]
    assert ["--trees 1 " in words[0], "--trees 5 " in words[1], "--trees 25 " in words[2]] == [True] * 3
    assert status.stages["score"].phase is StagePhase.SUCCEEDED
    assert len(play.world.asked("storage.copy")) + len(play.world.asked("storage.push")) > 0


async def test_what_it_never_ran_was_not_needed(play: Play) -> None:
    play.put("onprem", "quickstart/breast_cancer.csv")
    play.world.lives["train"] = measured(0.1)
    status = await play.finish(example())
    assert status.stages["train"].attempts == 4
    assert status.stages["score"].phase is StagePhase.SKIPPED
    assert status.stages["score"].note == "was not needed"


async def test_it_waits_for_a_decision_as_any_run_does(play: Play) -> None:
    play.put("onprem", "quickstart/breast_cancer.csv")
    failed = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
    play.world.lives["train"] = [failed, *measured(0.99)]
    run = await play.start(example(retries=0))
    await play.until_phase(run, "train", "WAITING")
    await play.decide(run, "retry", "train")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_a_stage_that_fails_the_run_ends_it(play: Play) -> None:
    play.put("onprem", "quickstart/breast_cancer.csv")
    play.world.lives["train"] = [Life(end=JobPhase.FAILED, reason=ErrorKind.INVALID_REQUEST)]
    kind, status = await play.failure(await play.start(example(on_failure="fail")))
    assert kind == ErrorKind.INVALID_REQUEST
    assert status.stages["train"].phase is StagePhase.FAILED


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("nowhere.at_all:X", "cannot be imported"),
        ("workflows.own:Nobody", "cannot be imported"),
        ("workflows.own", "write module:Class"),
        ("workflows.own:Steps", "decorate the class"),
    ],
)
def test_a_worker_that_is_to_know_no_workflow_says_which(named: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        own_workflows(named)
