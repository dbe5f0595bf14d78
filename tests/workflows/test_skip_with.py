"""A stage may be skipped though others need its outputs, when something stands for them that its worker has looked at."""

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorKind
from contracts.runs import RunPhase, StagePhase
from tests.workflows.play import Play, Run, job_of, output, spec_of

TRAIN = {"outputs": ["model", "metrics"]}


async def waiting(play: Play, stages: dict[str, Any], stage: str = "bad") -> Run:
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, stage=stage)
    run = await play.start(spec_of(stages))
    await play.until_phase(run, stage, "WAITING")
    return run


async def refusal(play: Play, run: Run, decision: str = "skip", stage: str = "bad", **outputs: str) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await play.decide(run, decision, stage, outputs=outputs)
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == ErrorKind.INVALID_REQUEST
    return cause.message


async def test_what_is_given_for_an_output_is_what_others_get_also_on_another_cloud(play: Play) -> None:
    play.put("aws", "last-week/model/weights.bin", b"good")
    here, there = {"inputs": {"it": "bad.model"}}, {"inputs": {"it": "bad.model"}, "on": "azure"}
    run = await waiting(play, {"bad": TRAIN, "here": here, "there": there})
    uri = "s3://causeway/last-week/model/"
    told = await play.decide(
        run, "skip", "bad", by="ann", reason="last week's will do", outputs={"model": uri}
    )
    assert told == f"skipping with model = {uri}"
    status = await play.result(run)
    stage = status.stages["bad"]
    assert (stage.phase, stage.note) == (StagePhase.SKIPPED, f"skipped; model is {uri}")
    assert output(status, "bad", "model").size_bytes == 4
    assert job_of(play, "here").request.inputs["it"].uri == uri
    assert job_of(play, "there").request.inputs["it"].uri.startswith("az://")
    assert [moved.artifact for moved in status.transfers] == ["bad.model"]
    assert (
        stage.history[-1]
        == f"skip decided by ann after INVALID_REQUEST with model = {uri}: last week's will do"
    )
    assert status.decisions[0].changes == (f"model = {uri}",)


async def test_a_file_stands_for_a_copy_of_a_file_and_is_known_by_its_digest(play: Play) -> None:
    source, other = play.put("azure", "data.csv"), play.put("aws", "old/data.csv", b"old")
    play.world.fail("storage.copy", ErrorKind.DISK_FULL)
    stages = {"bad": {"kind": "copy", "on": "aws", "source": source}, "use": {"inputs": {"it": "bad"}}}
    run = await play.start(spec_of(stages))
    await play.until_phase(run, "bad", "WAITING")
    assert "it is a file, and 's3://causeway/old/' names none" in await refusal(
        play, run, data="s3://causeway/old/"
    )
    await play.decide(run, "skip", "bad", outputs={"data": other})
    status = await play.result(run)
    assert output(status, "bad", "data").digest == play.world.stat(other).sha256
    assert job_of(play, "use").request.inputs["it"].uri == other


async def test_what_is_not_there_makes_the_stage_wait_again_and_says_so(play: Play) -> None:
    stages = {"bad": TRAIN, "use": {"inputs": {"it": "bad.model"}}}
    run = await waiting(play, stages)
    play.world.fail("storage.gather", ErrorKind.SOURCE_MISSING, "s3://causeway/nowhere/ holds nothing")
    await play.decide(run, "skip", "bad", outputs={"model": "s3://causeway/nowhere/"})
    status = await play.until(run, lambda now: "holds nothing" in str(now.stages["bad"].error))
    assert status.stages["bad"].phase is StagePhase.WAITING
    assert status.stages["use"].phase is StagePhase.PENDING
    await play.decide(run, "retry", "bad")
    status = await play.result(run)
    assert status.phase is RunPhase.SUCCEEDED
    assert status.stages["bad"].phase is StagePhase.SUCCEEDED


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        pytest.param(
            {}, "without its outputs: model is needed by use; give --output model=URI", id="nothing"
        ),
        pytest.param({"metrics": "s3://c/m/"}, "model is needed by use", id="another"),
        pytest.param({"modle": "s3://c/m/"}, "it has no output 'modle'; did you mean 'model'?", id="unknown"),
        pytest.param({"model": "s3://c/m"}, "it is a folder, and 's3://c/m' names none", id="a-file"),
        pytest.param({"model": "s3://c/"}, "names none", id="a-container"),
        pytest.param({"model": "az://c/m/"}, "does not lie on 'aws/default'", id="another-cloud"),
        pytest.param({"model": "http://c/m/"}, "is not a URI Causeway knows", id="no-uri"),
    ],
)
async def test_what_cannot_stand_for_an_output_is_refused(
    play: Play, outputs: dict[str, str], words: str
) -> None:
    run = await waiting(play, {"bad": TRAIN, "use": {"inputs": {"it": "bad.model"}}})
    assert words in await refusal(play, run, **outputs)
    assert (await play.until_phase(run, "bad", "WAITING")).decisions == ()


async def test_metrics_that_others_need_cannot_be_given(play: Play) -> None:
    run = await waiting(play, {"bad": TRAIN, "use": {"command": "go {bad.metrics.auc}"}})
    assert "its metrics or its endpoint are needed by use" in await refusal(
        play, run, metrics="s3://causeway/m/"
    )


async def test_only_a_skip_takes_outputs(play: Play) -> None:
    run = await waiting(play, {"bad": TRAIN})
    assert "retry takes no outputs for a stage; skip does" in await refusal(
        play, run, "retry", model="s3://c/m/"
    )


async def test_what_needs_an_output_that_was_not_given_is_skipped_only_if_nothing_stands_for_it(
    play: Play,
) -> None:
    play.put("aws", "old/model.bin")
    stages = {"bad": TRAIN, "use": {"inputs": {"it": "bad.model"}}, "cond": {"when": "bad.metrics.auc > 0"}}
    run = await waiting(play, stages)
    await play.decide(run, "skip", "bad", outputs={"model": "s3://causeway/old/"})
    phases = {name: stage.phase.value for name, stage in (await play.result(run)).stages.items()}
    assert phases == {"bad": "SKIPPED", "use": "SUCCEEDED", "cond": "SKIPPED"}


async def test_nothing_is_looked_at_while_paused(play: Play) -> None:
    play.put("aws", "old/model.bin")
    run = await waiting(play, {"bad": TRAIN, "use": {"inputs": {"it": "bad.model"}}})
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await play.decide(run, "skip", "bad", outputs={"model": "s3://causeway/old/"})
    await play.settle()
    assert not play.world.asked("storage.gather")
    await run.signal("resume")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED
