"""A job's own limit, and the time that a run waits for control planes, quota and capacity."""

from datetime import timedelta

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunPhase, StagePhase
from tests.fakes.lives import Life
from tests.workflows.job_ends import dies
from tests.workflows.play import Play, job_of, spec_of

HOUR = timedelta(hours=1)


async def test_a_job_over_its_timeout_is_stopped_and_timed_out(play: Play) -> None:
    play.world.lives["job"] = [Life(queued=HOUR, runs=5 * HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "2h", "retries": 3, "on_failure": "fail"}}))
    kind, status = await play.failure(run)
    assert kind == ErrorKind.TIMED_OUT
    job = job_of(play, "job")
    # The two clocks of the test server are some milliseconds apart.
    assert timedelta(seconds=7199) <= job.stopped - job.born < timedelta(hours=2, minutes=2)
    assert "timeout of 7200 s" in status.stages["job"].error.message
    assert len(play.world.jobs) == 1


async def test_a_job_over_its_timeout_is_stopped_by_a_worker_that_comes_back_later_than_that(
    real: Play,
) -> None:
    real.world.lives["job"] = [Life(runs=HOUR)]
    hold = real.world.hold("jobs.wait")
    run = await real.start(spec_of({"job": {"timeout": "2s", "on_failure": "fail"}}))
    await real.reach(hold)
    await real.dismiss("aws/default", hold)
    await real.settle(5)
    await real.rehire("aws/default")
    kind, _ = await real.failure(run)
    assert kind == ErrorKind.TIMED_OUT
    assert await real.world.live_jobs() == []


async def test_a_job_that_ends_well_just_at_its_deadline_is_a_success(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=2 * HOUR + timedelta(seconds=1))]
    hold = play.world.hold("jobs.cancel")
    run = await play.start(spec_of({"job": {"timeout": "2h"}}))
    ending = play.in_background(play.result(run))
    await play.reach(hold)
    job_of(play, "job").life = Life(runs=timedelta(0))
    hold.release()
    status = await ending
    assert status.stages["job"].phase is StagePhase.SUCCEEDED


async def test_a_deadline_stands_still_while_the_run_is_paused(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=10 * HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "2h", "on_failure": "fail"}}))
    await play.until_noted(run, "job", "job running")
    await play.pass_time(hours=1)
    await run.signal("pause")
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await play.pass_time(hours=4)
    assert job_of(play, "job").stopped is None, "the deadline went on counting"
    await run.signal("resume")
    await play.pass_time(minutes=50)
    assert job_of(play, "job").stopped is None
    kind, _ = await play.failure(run)
    assert kind == ErrorKind.TIMED_OUT
    job = job_of(play, "job")
    # The limit counts from before the submit, which takes a moment on a busy machine, and the job lives from within it.
    assert timedelta(hours=6, seconds=-1) <= job.stopped - job.born < timedelta(hours=6, minutes=10)


async def test_unknown_is_shown_with_when_it_was_last_seen_and_nothing_is_submitted_again(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=3 * HOUR, unknown_from=HOUR, unknown_for=HOUR)]
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_noted(run, "job", "job running")
    await play.pass_time(minutes=70)
    status = await play.until_noted(run, "job", "unknown")
    job = status.stages["job"].job
    assert job.phase is JobPhase.UNKNOWN
    assert job.last_seen == job_of(play, "job").born + HOUR
    assert f"last seen {job.last_seen:%H:%M:%S}" in status.stages["job"].note
    assert status.jobs_running == 1
    await play.result(run)
    assert len(play.world.asked("jobs.submit")) == 1


async def test_when_a_job_was_last_seen_is_kept_where_who_asks_now_has_never_seen_it(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=3 * HOUR, unknown_from=HOUR, unknown_for=HOUR, forgotten=True)]
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    before = (await play.until_noted(run, "job", "job running")).stages["job"].job
    await play.pass_time(minutes=70)
    status = await play.until_noted(run, "job", "unknown")
    assert status.stages["job"].job.last_seen == before.last_seen
    assert f"last seen {before.last_seen:%H:%M:%S}" in status.stages["job"].note


async def test_a_control_plane_that_fails_for_an_hour_fails_nothing(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    play.world.fail("jobs.wait", ErrorKind.UNAVAILABLE, times=60)
    status = await play.finish(spec_of({"job": {"timeout": "1d"}}))
    assert status.phase is RunPhase.SUCCEEDED
    assert len(play.world.jobs) == 1


async def test_quota_is_waited_out_and_then_the_kind_is_told(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.QUOTA_EXHAUSTED, "no quota for this machine", times=10_000)
    run = await play.start(spec_of({"job": {"timeout": "10m", "on_failure": "fail"}}))
    kind, status = await play.failure(run)
    assert kind == ErrorKind.QUOTA_EXHAUSTED
    assert "no quota for this machine" in status.stages["job"].error.message
    waited = status.ended_at - status.started_at
    assert timedelta(minutes=15) <= waited <= timedelta(minutes=30)


async def test_many_retries_for_capacity_never_wait_for_days(play: Play) -> None:
    play.world.lives["job"] = [dies(ErrorKind.CAPACITY)] * 20 + [Life()]
    status = await play.finish(spec_of({"job": {"retries": 20}}))
    assert status.stages["job"].attempts == 21
    assert status.ended_at - status.started_at < timedelta(hours=4)
