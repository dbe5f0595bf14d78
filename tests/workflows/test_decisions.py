"""A stage that cannot go on waits for a person; what a person decides holds at once, or is refused with a reason."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunPhase, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, Run, spec_of

HOUR = timedelta(hours=1)


async def waiting(play: Play, stages: dict[str, object] | None = None, stage: str = "bad") -> Run:
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage=stage)
    run = await play.start(spec_of({"bad": {}, **(stages or {})}))  # type: ignore[arg-type]
    await play.until_phase(run, stage, "WAITING")
    return run


async def refusal(play: Play, run: Run, decision: str, stage: str) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await play.decide(run, decision, stage)
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == ErrorKind.INVALID_REQUEST
    return cause.message


async def test_a_retry_is_another_generation_and_says_who_decided_and_why(play: Play) -> None:
    run = await waiting(play)
    assert await play.decide(run, "retry", "bad", by="ann", reason="the image is there now") == "retrying"
    stage = (await play.result(run)).stages["bad"]
    assert (stage.phase, stage.attempts, stage.error) == (StagePhase.SUCCEEDED, 2, None)
    assert stage.history[-1] == "retry decided by ann after INVALID_REQUEST: the image is there now"


async def test_a_retry_has_all_its_retries_again(play: Play) -> None:
    dead = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
    play.world.lives["bad"] = [dead] * 5 + [Life()]
    run = await play.start(spec_of({"bad": {"retries": 2}}))
    await play.until_phase(run, "bad", "WAITING")
    await play.decide(run, "retry", "bad")
    stage = (await play.result(run)).stages["bad"]
    assert stage.attempts == 6


async def test_a_skipped_stage_opens_the_way_for_those_that_only_come_after_it(play: Play) -> None:
    run = await waiting(play, {"next": {"after": ["bad"]}})
    assert await play.decide(run, "skip", "bad", by="ann") == "skipped"
    status = await play.result(run)
    assert status.phase is RunPhase.SUCCEEDED
    assert status.stages["bad"].phase is StagePhase.SKIPPED
    assert status.stages["bad"].error.kind == ErrorKind.INVALID_REQUEST
    assert status.stages["next"].phase is StagePhase.SUCCEEDED


async def test_an_abort_fails_the_run_with_the_kind_of_the_stage(play: Play) -> None:
    play.world.lives["slow"] = [Life(runs=HOUR)]
    run = await waiting(play, {"slow": {}, "next": {"after": ["bad"]}})
    assert await play.decide(run, "abort", "bad") == "aborting the run"
    kind, status = await play.failure(run)
    assert kind == ErrorKind.INVALID_REQUEST
    phases = {name: stage.phase.value for name, stage in status.stages.items()}
    assert phases == {"bad": "FAILED", "slow": "CANCELLED", "next": "CANCELLED"}
    assert await play.world.live_jobs() == []


async def test_an_abort_gives_up_what_a_failed_transfer_left_unfinished(play: Play) -> None:
    source = play.put("azure", "data.csv")
    play.world.fail("storage.copy", ErrorKind.DISK_FULL)
    run = await play.start(spec_of({"bad": {"kind": "copy", "on": "aws", "source": source}}))
    await play.until_phase(run, "bad", "WAITING")
    assert not play.world.asked("storage.abort_upload"), "a retry goes on from what arrived"
    play.world.parts[play.world.asked("storage.copy")[0].request.items[0].target] = {0}
    await play.decide(run, "abort", "bad")
    _, status = await play.failure(run)
    assert [call.connection for call in play.world.asked("storage.abort_upload")] == ["aws/default"]
    assert play.world.parts == {}
    assert [note.split(" below ")[0] for note in status.notes] == ["gave up 1 unfinished"]


@pytest.mark.parametrize("decision", ["retry", "skip", "abort"])
async def test_a_stage_that_is_not_there_is_refused_with_the_nearest(play: Play, decision: str) -> None:
    run = await waiting(play)
    assert "did you mean 'bad'" in await refusal(play, run, decision, "bat")


@pytest.mark.parametrize("decision", ["retry", "skip", "abort"])
async def test_a_stage_that_does_not_wait_is_refused(play: Play, decision: str) -> None:
    run = await waiting(play, {"good": {}, "next": {"after": ["bad"]}})
    await play.until_phase(run, "good", "SUCCEEDED")
    assert "is SUCCEEDED" in await refusal(play, run, decision, "good")
    assert "is PENDING" in await refusal(play, run, decision, "next")


@pytest.mark.parametrize(
    "dependent",
    [
        pytest.param({"next": {"inputs": {"it": "bad"}}}, id="input"),
        pytest.param({"next": {"inputs": {"it": "bad"}, "after": ["bad"]}}, id="input-and-after"),
        pytest.param({"next": {"command": "go {bad.metrics.loss}", "after": ["bad"]}}, id="metric-and-after"),
        pytest.param({"next": {"env": {"LOSS": "{bad.metrics.loss}"}}}, id="metric-in-env"),
    ],
)
async def test_a_stage_whose_outputs_or_metrics_are_needed_cannot_be_skipped(
    play: Play, dependent: dict[str, object]
) -> None:
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, stage="bad")
    run = await play.start(spec_of({"bad": {"outputs": ["metrics"]}, **dependent}))  # type: ignore[arg-type]
    await play.until_phase(run, "bad", "WAITING")
    assert "needed by next" in await refusal(play, run, "skip", "bad")
    assert (await play.until_phase(run, "bad", "WAITING")).phase is RunPhase.WAITING


async def test_a_decision_is_taken_once(play: Play) -> None:
    run = await waiting(play)
    hold = play.world.hold("jobs.submit")
    await play.decide(run, "retry", "bad")
    await play.reach(hold)
    assert "is RUNNING" in await refusal(play, run, "abort", "bad")
    hold.release()
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_a_decision_made_while_paused_starts_nothing_until_the_resume(play: Play) -> None:
    run = await waiting(play)
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await play.decide(run, "retry", "bad")
    await play.settle()
    assert len(play.world.asked("jobs.submit")) == 1
    await run.signal("resume")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_other_branches_go_on_while_a_stage_waits(play: Play) -> None:
    run = await waiting(play, {"good": {}, "better": {"inputs": {"it": "good"}}})
    status = await play.until_phase(run, "better", "SUCCEEDED")
    assert status.phase is RunPhase.WAITING
    assert status.waiting_for == "a decision on bad"


async def test_on_failure_fail_cancels_running_jobs_and_starts_nothing_new(play: Play) -> None:
    play.world.lives |= {"slow": [Life(runs=HOUR)], "bad": [Life(end=JobPhase.FAILED)]}
    gate = play.world.hold("jobs.collect", stage="bad")
    submit = play.world.hold("jobs.submit", stage="bad")
    stages = {
        "slow": {},
        "bad": {"on_failure": "fail", "retries": 0},
        "after_bad": {"after": ["bad"]},
        "uses_bad": {"inputs": {"it": "bad"}},
        "after_slow": {"after": ["slow"]},
    }
    run = await play.start(spec_of(stages))
    await play.until_noted(run, "slow", "job running")
    submit.release()
    kind, status = await play.failure(run)
    gate.release()
    assert kind == ErrorKind.JOB_FAILED
    assert status.phase is RunPhase.FAILED
    phases = {name: stage.phase.value for name, stage in status.stages.items()}
    assert phases == {
        "slow": "CANCELLED",
        "bad": "FAILED",
        "after_bad": "CANCELLED",
        "uses_bad": "CANCELLED",
        "after_slow": "CANCELLED",
    }
    assert sorted(job.request.stage for job in play.world.jobs.values()) == ["bad", "slow"]
    assert await play.world.live_jobs() == []


async def test_the_pipelines_default_for_failures_holds_for_each_stage(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST)
    run = await play.start(spec_of({"bad": {}}, defaults={"on_failure": "fail"}))
    kind, _ = await play.failure(run)
    assert kind == ErrorKind.INVALID_REQUEST
