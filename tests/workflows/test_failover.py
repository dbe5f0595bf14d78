"""A place that has no machine for a job: the job goes on at the next of its places, and nothing is done twice."""

import asyncio
from datetime import timedelta
from typing import Any

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.plan import PlanRequest
from contracts.policy import Policy
from contracts.runs import RunStatus, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, Run, spec_of
from workflows.pipeline import PipelineWorkflow

FULL = Life(end=JobPhase.FAILED, reason=ErrorKind.CAPACITY, message="no machine is free")
PLACES: dict[str, Any] = {"on": ["aws", "gcp"]}


def jobs_of(play: Play, stage: str) -> list[tuple[str, int]]:
    """Where the generations of a stage were submitted."""
    return [
        (job.connection, job.request.generation)
        for job in play.world.jobs.values()
        if job.request.stage == stage
    ]


async def planned(play: Play, run: Run) -> list[PlanRequest]:
    """What each plan of a run was made from, as its history holds it."""
    asked = (event.activity_task_scheduled_event_attributes for event in (await run.fetch_history()).events)
    payloads = [one.input.payloads for one in asked if one.activity_type.name == "plan.make"]
    return [(await play.client.data_converter.decode(found, [PlanRequest]))[0] for found in payloads]


async def test_a_job_whose_place_is_full_goes_on_at_the_next(play: Play) -> None:
    play.world.lives["train"] = [FULL, Life()]
    status = await play.finish(spec_of({"train": PLACES}))
    assert jobs_of(play, "train") == [("aws/default", 1), ("gcp/default", 2)]
    stage = status.stages["train"]
    assert (stage.phase, stage.connection) == (StagePhase.SUCCEEDED, "gcp/default")
    assert stage.tried == {"aws/default": "CAPACITY there"}
    assert stage.history[-1] == "moved from aws/default to gcp/default after CAPACITY"
    assert stage.history[0].startswith("generation 1: CAPACITY:")
    (decided,) = status.decisions
    assert (decided.words, decided.stage) == ("move with train: aws/default -> gcp/default", "train")
    assert "no machine is free" in decided.reason


async def test_another_place_is_tried_before_this_one_is_tried_again(play: Play) -> None:
    play.world.lives["train"] = [FULL, Life()]
    status = await play.finish(spec_of({"train": {**PLACES, "retries": 3}}))
    assert jobs_of(play, "train") == [("aws/default", 1), ("gcp/default", 2)]
    assert len(status.decisions) == 1


async def test_a_place_that_refuses_a_submit_for_lack_of_machines_is_left(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.CAPACITY, "none left", on="aws/default")
    await play.finish(spec_of({"train": PLACES}))
    assert jobs_of(play, "train") == [("gcp/default", 2)]


async def test_quota_that_does_not_come_in_its_time_is_a_reason_to_move(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.QUOTA_EXHAUSTED, "no quota", on="aws/default", times=1000)
    status = await play.finish(spec_of({"train": PLACES}))
    assert jobs_of(play, "train") == [("gcp/default", 2)]
    assert status.decisions[0].reason.startswith("QUOTA_EXHAUSTED on aws/default")


async def test_each_place_is_tried_once_and_then_the_stage_ends_as_it_would_have(play: Play) -> None:
    play.world.lives["train"] = [FULL]
    run = await play.start(spec_of({"train": {**PLACES, "on_failure": "fail", "retries": 0}}))
    kind, status = await play.failure(run)
    assert kind == ErrorKind.CAPACITY
    assert jobs_of(play, "train") == [("aws/default", 1), ("gcp/default", 2)]
    assert len(status.decisions) == 1


async def test_a_job_that_failed_by_itself_stays_where_it_is(play: Play) -> None:
    play.world.lives["train"] = [Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED), Life()]
    await play.finish(spec_of({"train": {**PLACES, "retries": 1}}))
    assert jobs_of(play, "train") == [("aws/default", 1), ("aws/default", 2)]


async def test_a_job_with_one_place_stays_there(play: Play) -> None:
    play.world.lives["train"] = [FULL, Life()]
    status = await play.finish(spec_of({"train": {"on": "aws", "retries": 1}}))
    assert jobs_of(play, "train") == [("aws/default", 1), ("aws/default", 2)]
    assert status.decisions == ()


async def test_a_place_that_will_not_do_any_more_is_not_moved_to(play: Play) -> None:
    play.world.lives["train"] = [FULL]
    hold = play.world.hold("jobs.wait", stage="train")
    run = await play.start(spec_of({"train": {**PLACES, "on_failure": "fail"}}))
    await play.reach(hold)
    play.world.fail("connections.preflight", ErrorKind.ACCESS_DENIED, "no right", on="gcp/default", times=9)
    hold.release()
    kind, status = await play.failure(run)
    assert kind == ErrorKind.CAPACITY
    assert "it goes on nowhere else" in status.stages["train"].history[-1]
    assert jobs_of(play, "train") == [("aws/default", 1)]


async def test_a_place_where_the_data_would_break_a_rule_is_not_moved_to_unasked(play: Play) -> None:
    play.world.policy = Policy.model_validate(
        {
            "classes": {"pii": {}},
            "data": {"s3://causeway/customers/": "pii"},
            "places": {"aws": "eu-central-1", "gcp": "us-central1"},
            "approvals": {"crossing": ["pii"]},
            "waivers": {"crossing": ["dana"]},
        }
    )
    play.put("aws/default", "customers/a.csv")
    play.world.lives["train"] = [FULL, Life()]
    ingest = {"kind": "copy", "on": "aws", "source": "s3://causeway/customers/"}
    train = {**PLACES, "inputs": {"x": "ingest"}, "on_failure": "fail", "retries": 0}
    run = await play.start(spec_of({"ingest": ingest, "train": train}, choose="near_data"))
    kind, status = await play.failure(run)
    assert kind == ErrorKind.CAPACITY
    assert jobs_of(play, "train") == [("aws/default", 1)]
    assert "it goes on nowhere else: on gcp/default rule crossing" in status.stages["train"].history[-1]


async def test_what_the_job_needs_is_brought_to_where_it_goes_once(play: Play) -> None:
    play.world.lives["train"] = [FULL, Life()]
    stages: dict[str, Any] = {
        "prepare": {"on": "onprem"},
        "other": {"on": "gcp", "inputs": {"x": "prepare"}},
        "train": {**PLACES, "inputs": {"x": "prepare"}, "after": ["other"]},
        "use": {"on": "gcp", "inputs": {"model": "train"}},
    }
    run = await play.start(spec_of(stages))
    await play.result(run)
    # The plan had it at gcp, where most of what it takes and leaves lies.
    assert jobs_of(play, "train") == [("gcp/default", 1), ("aws/default", 2)]
    brought = ["prepare.out-to-gcp.default", "prepare.out-to-aws.default", "train.out-to-gcp.default"]
    assert await play.transfers(run) == brought
    moved = [job for job in play.world.jobs.values() if job.request.stage == "train"][-1]
    assert moved.request.inputs["x"].uri.startswith("s3://")
    first, again = await planned(play, run)
    assert (first.standing.lies, again.standing.lies) == ({}, {"prepare.out": ("gcp/default",)})


async def test_stages_that_have_not_begun_are_placed_anew_and_those_that_have_are_not(play: Play) -> None:
    play.world.lives["train"] = [FULL, Life()]
    play.world.lives["beside"] = [Life(runs=timedelta(minutes=5))]
    stages: dict[str, Any] = {"beside": PLACES, "train": PLACES, "use": {**PLACES, "inputs": {"x": "train"}}}
    run = await play.start(spec_of(stages))
    status = await play.result(run)
    assert status.stages["beside"].connection == "aws/default"
    assert jobs_of(play, "beside") == [("aws/default", 1)]
    (use,) = (job for job in play.world.jobs.values() if job.request.stage == "use")
    assert use.request.inputs["x"].uri.startswith("gs://" if use.connection == "gcp/default" else "s3://")


async def test_two_stages_that_fail_at_once_both_go_on(play: Play) -> None:
    for name in ("a", "b"):
        play.world.lives[name] = [FULL, Life()]
    status = await play.finish(spec_of({"a": PLACES, "b": PLACES}))
    assert {stage.connection for stage in status.stages.values()} == {"gcp/default"}
    assert len(status.decisions) == 2


async def test_there_is_never_more_than_one_live_job(play: Play) -> None:
    play.world.fail("jobs.wait", ErrorKind.CAPACITY, "the watch says so", on="aws/default")
    play.world.lives["train"] = [Life(runs=timedelta(hours=1))]
    run = await play.start(spec_of({"train": {**PLACES, "timeout": "2h"}}))
    watched = play.in_background(most_live(play, run))
    await play.result(run)
    assert await watched == 1


async def most_live(play: Play, run: Run) -> int:
    most = 0
    while True:
        status: RunStatus = await run.query(PipelineWorkflow.status)
        most = max(most, len(await play.world.live_jobs()))
        if status.phase.ended:
            return most
        await asyncio.sleep(0.02)
