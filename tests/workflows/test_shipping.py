"""The logs of a stage are kept when it ends, however it ends, and nothing fails for want of them."""

from datetime import timedelta

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunPhase, RunStatus
from tests.fakes.lives import Life
from tests.workflows.play import Play, spec_of

KEPT = "s3://causeway/logs"
DEAD = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)


def kept(play: Play) -> list[str]:
    """What lies below the folder of logs, after its name."""
    return [stat.uri.removeprefix(f"{KEPT}/play/k/") for stat in play.world.below(f"{KEPT}/")]


def below(status: RunStatus, stage: str) -> list[str]:
    return [uri.removeprefix(f"{KEPT}/play/k/") for uri in status.stages[stage].logs]


async def test_each_generation_s_logs_are_kept_also_when_it_failed(play: Play) -> None:
    play.world.lives["job"] = [DEAD, Life()]
    status = await play.finish(spec_of({"job": {"retries": 1}}, logs_uri=KEPT))
    wanted = [f"job/{generation}/{name}" for generation in (1, 2) for name in ("job.log", "worker.jsonl")]
    assert kept(play) == wanted
    assert sorted(below(status, "job")) == wanted
    assert play.world.objects[f"{KEPT}/play/k/job/1/job.log"] == b"first line\nlast line"


async def test_the_logs_of_a_stage_that_is_cancelled_are_kept(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=timedelta(hours=1))]
    run = await play.start(spec_of({"job": {}}, logs_uri=KEPT))
    await play.until_noted(run, "job", "job running")
    await run.cancel()
    status = await play.cancelled(run)
    assert sorted(below(status, "job")) == ["job/1/job.log", "job/1/worker.jsonl"]


async def test_logs_of_another_cloud_are_read_there_and_written_by_the_owner_of_the_container(
    play: Play,
) -> None:
    status = await play.finish(spec_of({"job": {"on": "gcp"}}, logs_uri=KEPT))
    assert sorted(below(status, "job")) == ["job/1/job.log", "job/1/worker.jsonl"]
    assert [call.connection for call in play.world.asked("logs.ship")] == ["gcp/default"]
    assert [call.connection for call in play.world.asked("logs.store")] == ["aws/default"]
    asked = [call.request for call in play.world.asked("connections.preflight", on="aws/default")]
    assert asked[0].containers == ("s3://causeway/",)


async def test_logs_that_cannot_be_kept_are_a_note_and_fail_nothing(play: Play) -> None:
    play.world.fail("logs.ship", ErrorKind.ACCESS_DENIED, "no right to write there")
    status = await play.finish(spec_of({"job": {}}, logs_uri=KEPT))
    assert status.phase is RunPhase.SUCCEEDED
    assert status.notes == ("logs of job: ACCESS_DENIED: no right to write there",)
    assert status.stages["job"].logs == ()


async def test_logs_that_are_slow_to_keep_hold_up_no_other_stage(play: Play) -> None:
    hold = play.world.hold("logs.ship", stage="job")
    run = await play.start(spec_of({"job": {}, "next": {"after": ["job"]}}, logs_uri=KEPT))
    await play.until_phase(run, "next", "SUCCEEDED")
    hold.release()
    assert below(await play.result(run), "job")


async def test_nothing_is_kept_unless_somebody_asks(play: Play) -> None:
    await play.finish(spec_of({"job": {}}))
    assert not play.world.asked("logs.ship")
