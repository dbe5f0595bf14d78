"""One live job per stage; another generation only after the last one has ended for certain."""

from datetime import timedelta

import pytest

from contracts.errors import HINTS, NEW_GENERATION, ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunPhase, StagePhase
from tests.fakes.lives import Life
from tests.workflows.job_ends import ENDED, dies
from tests.workflows.play import Play, job_of, spec_of

HOUR = timedelta(hours=1)
FINAL = [ErrorKind.DISK_FULL, ErrorKind.TIMED_OUT, ErrorKind.ACCESS_DENIED, ErrorKind.INVALID_REQUEST]


@pytest.mark.parametrize("kind", sorted(NEW_GENERATION))
async def test_a_confirmed_failure_is_followed_by_the_next_generation(play: Play, kind: ErrorKind) -> None:
    play.world.lives["job"] = [dies(kind, ENDED[kind]), Life()]
    status = await play.finish(spec_of({"job": {"retries": 1}}))
    stage = status.stages["job"]
    assert stage.attempts == 2
    assert stage.job.generation == 2
    assert [job.request.generation for job in play.world.jobs.values()] == [1, 2]
    assert stage.history[0].startswith(f"generation 1: {kind}")
    assert "it said why" in stage.history[0]
    assert stage.error is None


async def test_names_and_prefixes_of_generations_differ_only_in_their_number(play: Play) -> None:
    play.world.lives["job"] = [dies(ErrorKind.JOB_FAILED), Life()]
    await play.finish(spec_of({"job": {"retries": 1}}))
    first, second = job_of(play, "job", 1), job_of(play, "job", 2)
    assert first.name.removesuffix("-g1") == second.name.removesuffix("-g2")
    assert "/g1/" in first.request.outputs["out"]
    assert "/g2/" in second.request.outputs["out"]


async def test_every_generation_asks_for_the_machine_that_the_plan_chose_and_the_stage_says_which(
    play: Play,
) -> None:
    play.world.lives["job"] = [dies(ErrorKind.PREEMPTED), Life()]
    status = await play.finish(spec_of({"job": {"retries": 1, "resources": {"cpu": 4, "spot": True}}}))
    machines = [job_of(play, "job", generation).request.machine for generation in (1, 2)]
    assert [(machine.instance, machine.spot) for machine in machines] == [("fake-4", True)] * 2
    words = "fake-4 (4 CPU): the only fake; its price is not known here"
    assert status.stages["job"].machine == words


async def test_retries_used_up_the_stage_waits_with_the_last_lines_of_the_log(play: Play) -> None:
    play.world.lives["job"] = [dies(ErrorKind.JOB_FAILED)]
    play.world.log = ("step 1", "ValueError: no such column")
    run = await play.start(spec_of({"job": {"retries": 2}}))
    status = await play.until_phase(run, "job", "WAITING")
    assert status.phase is RunPhase.WAITING
    assert status.stages["job"].attempts == 3
    error = status.stages["job"].error
    assert error.kind == ErrorKind.JOB_FAILED
    assert "it said why" in error.message
    assert error.message.endswith("ValueError: no such column")
    assert error.hint == HINTS[ErrorKind.JOB_FAILED]


@pytest.mark.parametrize("kind", FINAL)
async def test_other_ends_wait_without_another_generation(play: Play, kind: ErrorKind) -> None:
    play.world.lives["job"] = [dies(kind), Life()]
    run = await play.start(spec_of({"job": {"retries": 5}}))
    status = await play.until_phase(run, "job", "WAITING")
    assert status.stages["job"].error.kind == kind
    assert len(play.world.jobs) == 1


async def test_a_job_that_somebody_stopped_is_no_success_and_no_reason_to_retry(play: Play) -> None:
    play.world.lives["job"] = [dies(None, JobPhase.STOPPED), Life()]
    run = await play.start(spec_of({"job": {"retries": 5}, "next": {"after": ["job"]}}))
    status = await play.until_phase(run, "job", "WAITING")
    assert status.stages["job"].error.kind == ErrorKind.CANCELLED
    assert status.stages["next"].phase is StagePhase.PENDING
    assert len(play.world.jobs) == 1
    assert not play.world.asked("jobs.collect")


async def test_a_submit_whose_answer_was_lost_adopts_its_job(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.UNAVAILABLE, after=True, times=2)
    status = await play.finish(spec_of({"job": {}}))
    assert len(play.world.asked("jobs.submit")) == 3
    assert len(play.world.jobs) == 1
    assert status.stages["job"].attempts == 1


async def test_a_submit_refused_for_lack_of_machines_is_tried_as_a_new_generation(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.CAPACITY, "no machine")
    status = await play.finish(spec_of({"job": {"retries": 1}}))
    assert status.stages["job"].attempts == 2
    assert "no machine" in status.stages["job"].history[0]


async def test_no_generation_starts_while_the_last_ones_end_is_not_confirmed(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.CAPACITY, "no machine", after=True)
    play.world.fail("jobs.close", ErrorKind.ACCESS_DENIED, "you may not list jobs", times=9)
    run = await play.start(spec_of({"job": {"retries": 5}}))
    status = await play.until_phase(run, "job", "WAITING")
    assert len(play.world.jobs) == 1
    assert "may still live" in status.stages["job"].error.message
    assert "you may not list jobs" in status.stages["job"].error.message


async def test_a_retry_first_stops_what_still_lives_of_the_stage(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=10 * HOUR), Life()]
    play.world.fail("jobs.wait", ErrorKind.ACCESS_DENIED, "you may not look")
    play.world.fail("jobs.close", ErrorKind.ACCESS_DENIED, "you may not list jobs")
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_phase(run, "job", "WAITING")
    assert len(await play.world.live_jobs()) == 1
    await play.decide(run, "retry", "job")
    await play.result(run)
    assert job_of(play, "job", 1).stopped
    assert play.world.story.index("-jobs.cancel") < len(play.world.story) - play.world.story[::-1].index(
        "+jobs.submit"
    )


async def test_a_generation_with_nothing_to_stop_does_not_say_that_it_stops_a_job(play: Play) -> None:
    play.world.lives["job"] = [dies(ErrorKind.JOB_FAILED), Life()]
    looking = play.world.hold("jobs.find")
    run = await play.start(spec_of({"job": {"retries": 1}}))
    await play.reach(looking)
    submitting = play.world.hold("jobs.submit")
    notes = [(await run.query("status"))["stages"]["job"]["note"]]
    looking.release()
    await play.reach(submitting)
    notes.append((await run.query("status"))["stages"]["job"]["note"])
    submitting.release()
    await play.result(run)
    assert notes == ["submitting", "submitting"]


async def test_a_generation_that_stops_what_still_lives_says_so(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=10 * HOUR), Life()]
    play.world.fail("jobs.wait", ErrorKind.ACCESS_DENIED, "you may not look")
    play.world.fail("jobs.close", ErrorKind.ACCESS_DENIED, "you may not list jobs")
    run = await play.start(spec_of({"job": {"timeout": "1d"}}))
    await play.until_phase(run, "job", "WAITING")
    stopping = play.world.hold("jobs.cancel")
    await play.decide(run, "retry", "job")
    await play.reach(stopping)
    await play.until_noted(run, "job", "stopping its job")
    stopping.release()
    await play.result(run)


async def test_a_watch_that_fails_for_good_stops_its_job(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    play.world.fail("jobs.wait", ErrorKind.SOURCE_MISSING, "there is no such job")
    run = await play.start(spec_of({"job": {}}))
    status = await play.until_phase(run, "job", "WAITING")
    assert status.stages["job"].error.kind == ErrorKind.SOURCE_MISSING
    assert await play.world.live_jobs() == []


async def test_an_output_that_is_missing_fails_the_stage_not_the_job(play: Play) -> None:
    play.world.fail("jobs.collect", ErrorKind.SOURCE_MISSING, "the output 'out' holds nothing")
    run = await play.start(spec_of({"job": {"retries": 3}}))
    status = await play.until_phase(run, "job", "WAITING")
    assert status.stages["job"].error.kind == ErrorKind.SOURCE_MISSING
    assert len(play.world.jobs) == 1


async def test_a_log_that_cannot_be_read_never_hides_the_failure(play: Play) -> None:
    play.world.lives["job"] = [dies(ErrorKind.JOB_FAILED)]
    play.world.fail("jobs.logs", ErrorKind.ACCESS_DENIED, times=9)
    run = await play.start(spec_of({"job": {"retries": 0}}))
    status = await play.until_phase(run, "job", "WAITING")
    assert status.stages["job"].error.kind == ErrorKind.JOB_FAILED
    assert "its log could not be read: ACCESS_DENIED" in status.stages["job"].error.message


async def test_a_log_of_huge_lines_is_cut_to_its_end(play: Play) -> None:
    play.world.lives["job"] = [dies(ErrorKind.JOB_FAILED)]
    play.world.log = ("x" * 100_000,) * 10 + ("the cause",)
    run = await play.start(spec_of({"job": {"retries": 0}}))
    status = await play.until_phase(run, "job", "WAITING")
    message = status.stages["job"].error.message
    assert message.endswith("the cause")
    assert len(message) < 10_000


async def test_time_in_the_queue_and_time_on_a_machine_are_kept_with_the_stage(play: Play) -> None:
    play.world.lives["job"] = [Life(queued=HOUR, runs=2 * HOUR, billed_seconds=7300.0)]
    stage = (await play.finish(spec_of({"job": {"timeout": "9h"}}))).stages["job"]
    assert (stage.job.queued_seconds, stage.job.run_seconds, stage.job.billed_seconds) == (3600, 7200, 7300)


async def test_what_is_billed_may_be_told_only_with_the_outputs(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR, collected_seconds=3700.0)]
    stage = (await play.finish(spec_of({"job": {"timeout": "9h"}}))).stages["job"]
    assert (stage.job.billed_seconds, stage.job.seconds, stage.job.run_seconds) == (3700, 3700, 3600)
