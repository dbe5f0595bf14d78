"""A history that is long enough is cut; the run goes on in the next execution with all it knows."""

from datetime import timedelta

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import DIGEST_MEMO, STATE_KEY, RunPhase, StagePhase, run_digest
from starter import temporal
from tests.fakes.lives import Life
from tests.workflows.play import Play, Run, job_of, output, spec_of


def chain(length: int) -> dict[str, dict[str, object]]:
    stages: dict[str, dict[str, object]] = {"s0": {"outputs": ["out", "metrics"]}}
    for index in range(1, length):
        stages[f"s{index}"] = {"inputs": {"it": f"s{index - 1}.out"}}
    return stages


async def cuts(play: Play, run: Run) -> int:
    """How often the run was cut so far."""
    count, run_id = 0, run.first_execution_run_id
    while run_id:
        history = await play.client.get_workflow_handle(run.id, run_id=run_id).fetch_history()
        last = history.events[-1].workflow_execution_continued_as_new_event_attributes
        run_id = last.new_execution_run_id
        count += bool(run_id)
    return count


async def test_a_run_that_is_cut_keeps_its_uid_outputs_metrics_and_history(forgetful: Play) -> None:
    play = forgetful
    dead = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
    play.world.lives |= {"s0": [Life(metrics={"loss": 0.5})], "s1": [dead, Life()]}
    stages = chain(6)
    stages["last"] = {
        "on": "gcp",
        "command": "go {s0.metrics.loss}",
        "inputs": {"it": "s0.out", "too": "s5.out"},
    }
    run = await play.start(spec_of(stages))
    status = await play.result(run)
    assert await cuts(play, run) >= 1
    assert status.phase is RunPhase.SUCCEEDED
    assert {job.request.run.run_uid for job in play.world.jobs.values()} == {status.run.run_uid}
    assert len(play.world.jobs) == 8, "a stage that had succeeded ran again"
    assert status.stages["s1"].history[0].startswith("generation 1: JOB_FAILED")
    assert job_of(play, "last").request.command[1] == ("0.5",)
    assert job_of(play, "s3").request.inputs["it"] == output(status, "s2", "out")
    assert len(status.transfers) == 2
    assert len(play.world.asked("connections.preflight")) == 2, "the preflight was asked again"


async def test_memo_and_search_attributes_survive_the_cut(forgetful: Play) -> None:
    play = forgetful
    spec = spec_of(chain(6))
    run = await play.start(spec)
    await play.result(run)
    assert await cuts(play, run) >= 1
    description = await run.describe()
    assert await description.memo_value(DIGEST_MEMO, "") == run_digest(spec, {})
    assert description.typed_search_attributes.get(STATE_KEY) == "SUCCEEDED"
    assert (await temporal.status(play.client, run.id)).phase is RunPhase.SUCCEEDED


async def test_a_stage_that_waits_goes_on_waiting_after_the_cut_and_takes_a_decision(forgetful: Play) -> None:
    play = forgetful
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage="bad")
    run = await play.start(spec_of({"bad": {}, **chain(6), "next": {"inputs": {"it": "bad"}}}))
    await play.until_phase(run, "s5", "SUCCEEDED")
    status = await play.until_phase(run, "bad", "WAITING")
    assert await cuts(play, run) >= 1
    assert status.stages["bad"].error.message == "no such image"
    assert await play.decide(run, "retry", "bad") == "retrying"
    status = await play.result(run)
    assert status.stages["bad"].attempts == 2
    assert status.stages["next"].phase is StagePhase.SUCCEEDED


async def test_a_decision_made_while_another_stage_runs_in_a_long_history_is_not_lost(
    forgetful: Play,
) -> None:
    play = forgetful
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, stage="bad")
    stages = {"bad": {}, **chain(4), "slow": {"after": ["s3"]}}
    hold = play.world.hold("jobs.submit", stage="slow")
    run = await play.start(spec_of(stages))
    await play.reach(hold)
    await play.decide(run, "retry", "bad")
    await play.until_phase(run, "bad", "SUCCEEDED")
    hold.release()
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_a_pause_is_carried_over_the_cut_with_who_and_since_when(forgetful: Play) -> None:
    play = forgetful
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, stage="bad")
    gate = play.world.hold("jobs.collect", stage="s3")
    run = await play.start(spec_of({"bad": {}, **chain(4)}))
    await play.until_phase(run, "bad", "WAITING")
    await play.reach(gate)
    await run.signal("pause", {"by": "ann"})
    before = await play.until(run, lambda now: now.pause is not None)
    gate.release()
    await play.until_phase(run, "s3", "SUCCEEDED")
    status = await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    assert (status.pause.by, status.pause.since) == ("ann", before.pause.since)
    await run.signal("resume")
    await play.until(run, lambda now: now.phase is RunPhase.WAITING)
    await play.decide(run, "retry", "bad")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_what_can_run_beside_a_long_job_is_not_kept_back_by_a_long_history(forgetful: Play) -> None:
    play = forgetful
    play.world.lives["long"] = [Life(runs=timedelta(seconds=6))]
    run = await play.start(spec_of({"long": {}, **chain(8)}))
    status = await play.until_phase(run, "s7", "SUCCEEDED")
    assert status.stages["long"].phase is StagePhase.RUNNING
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_a_failed_transfer_is_given_up_also_after_the_cut(forgetful: Play) -> None:
    play = forgetful
    source = play.put("azure", "data.csv")
    play.world.fail("storage.copy", ErrorKind.DISK_FULL)
    stages = {"bad": {"kind": "copy", "on": "aws", "source": source}, **chain(6)}
    run = await play.start(spec_of(stages))
    await play.until_phase(run, "bad", "WAITING")
    await play.until_phase(run, "s5", "SUCCEEDED")
    assert await cuts(play, run) >= 1
    await play.decide(run, "abort", "bad")
    await play.failure(run)
    assert [call.connection for call in play.world.asked("storage.abort_upload")] == ["aws/default"]
