"""Endpoints of a run: used by its stages, and gone when it ends, however it ends."""

from typing import Any

import pytest

from contracts.errors import ErrorKind
from contracts.runs import RunPhase, StagePhase
from tests.workflows.play import Play, job_of, output, spec_of

DEPLOY = {"kind": "deploy", "on": "aws", "command": "python serve.py {inputs.m}", "inputs": {"m": "train"}}
INVOKE = {"kind": "invoke", "on": "aws", "endpoint": "serve", "inputs": {"data": "rows"}}
STAGES: dict[str, Any] = {"train": {}, "rows": {"on": "gcp"}, "serve": DEPLOY, "ask": INVOKE}


async def test_rows_are_brought_to_the_endpoint_and_it_goes_when_the_run_ends(play: Play) -> None:
    status = await play.finish(spec_of(STAGES))
    request = play.world.asked("endpoints.invoke")[0].request
    assert request.data.uri.startswith("s3://"), "the rows came from gcp"
    assert output(status, "ask", "predictions").uri == request.target
    assert status.stages["ask"].rows == 2
    held = status.stages["serve"].endpoint
    assert held
    assert held.retired
    assert play.world.endpoints == {}
    assert [word for word in play.world.story if "ledger" not in word][-1] == "-endpoints.retire"


async def test_an_endpoint_that_shall_stay_stays(play: Play) -> None:
    stages = {**STAGES, "serve": {**DEPLOY, "temporary": False}}
    status = await play.finish(spec_of(stages))
    assert len(play.world.endpoints) == 1
    held = status.stages["serve"].endpoint
    assert held
    assert not held.retired


async def test_a_retire_waits_for_every_invoke_and_removes_once(play: Play) -> None:
    stages = {
        **STAGES,
        "again": INVOKE,
        "gone": {"kind": "retire", "on": "aws", "endpoint": "serve"},
        "late": {"after": ["gone"]},
    }
    await play.finish(spec_of(stages))
    story = play.world.story
    assert story.index("+endpoints.retire") > max(
        at for at, word in enumerate(story) if word == "-endpoints.invoke"
    )
    assert story.count("+endpoints.retire") == 1
    assert story.index("+endpoints.retire") < len(story) - 1 - story[::-1].index("+jobs.submit")


@pytest.mark.parametrize("when", ["endpoints.deploy", "endpoints.invoke"])
async def test_a_cancel_in_the_middle_leaves_no_endpoint(play: Play, when: str) -> None:
    hold = play.world.hold(when)
    run = await play.start(spec_of(STAGES))
    await play.reach(hold)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.phase is RunPhase.CANCELLED
    assert (play.world.endpoints, play.world.in_flight()) == ({}, [])


@pytest.mark.parametrize("temporary", [True, False], ids=["temporary", "to stay"])
async def test_a_cancel_is_not_lost_when_the_deployment_ends_well(real: Play, temporary: bool) -> None:
    play = real
    hold = play.world.hold("endpoints.deploy")
    hold.tells = True
    run = await play.start(spec_of({**STAGES, "serve": {**DEPLOY, "temporary": temporary}}))
    await play.reach(hold)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.stages["serve"].phase is StagePhase.CANCELLED
    assert play.world.endpoints == {}
    [removed] = play.world.asked("endpoints.retire")
    assert status.stages["serve"].note == f"cancelled; removed endpoint {removed.request.name}"


async def test_a_deployment_that_was_cancelled_before_it_made_anything_says_so(play: Play) -> None:
    hold = play.world.hold("endpoints.deploy")
    run = await play.start(spec_of(STAGES))
    await play.reach(hold)
    await run.cancel()
    assert (await play.cancelled(run)).stages["serve"].note == "cancelled; no endpoint was made"


async def test_an_endpoint_whose_deployment_never_answered_is_found_and_removed(play: Play) -> None:
    play.world.fail("endpoints.deploy", ErrorKind.ACCESS_DENIED, after=True)
    run = await play.start(spec_of(STAGES))

    status = await play.until_phase(run, "serve", "WAITING")
    error = status.stages["serve"].error
    assert error
    assert error.kind == ErrorKind.ACCESS_DENIED
    assert play.world.endpoints == {}
    await play.decide(run, "retry", "serve")
    status = await play.result(run)
    assert [call.request.generation for call in play.world.asked("endpoints.deploy")] == [1, 2]
    assert play.world.endpoints == {}


async def test_after_silence_what_may_come_late_is_looked_for_again(play: Play) -> None:
    play.world.fail("endpoints.deploy", ErrorKind.UNAVAILABLE, times=100_000)
    run = await play.start(spec_of(STAGES, defaults={"on_failure": "fail"}))
    kind, _ = await play.failure(run)
    assert kind == ErrorKind.UNAVAILABLE
    assert len(play.world.asked("endpoints.find")) == 2


async def test_a_run_that_fails_removes_its_endpoint(play: Play) -> None:
    play.world.fail("endpoints.invoke", ErrorKind.JOB_FAILED)
    run = await play.start(spec_of(STAGES, defaults={"on_failure": "fail"}))
    kind, status = await play.failure(run)
    assert kind == ErrorKind.JOB_FAILED
    assert status.stages["ask"].phase is StagePhase.FAILED
    assert play.world.endpoints == {}


async def test_rows_that_are_not_scored_within_the_timeout_end_the_stage_and_the_endpoint_goes(
    real: Play,
) -> None:
    real.world.hold("endpoints.invoke")
    stages = {**STAGES, "ask": {**INVOKE, "timeout": "2s"}}
    run = await real.start(spec_of(stages, defaults={"on_failure": "fail"}))
    kind, status = await real.failure(run)
    assert kind == ErrorKind.TIMED_OUT
    assert "timeout of 2 s" in status.stages["ask"].error.message
    assert len(real.world.asked("endpoints.invoke")) == 1
    assert real.world.endpoints == {}


async def test_an_endpoint_that_cannot_be_removed_is_told_of(play: Play) -> None:
    play.world.fail("endpoints.retire", ErrorKind.ACCESS_DENIED, "not allowed")
    status = await play.finish(spec_of(STAGES))
    assert len(play.world.endpoints) == 1
    assert "the endpoint of serve may still live: ACCESS_DENIED: not allowed" in status.notes


async def test_a_cancelled_deployment_that_cannot_be_removed_is_told_of(play: Play) -> None:
    hold = play.world.hold("endpoints.deploy")
    play.world.fail("endpoints.find", ErrorKind.ACCESS_DENIED, "not allowed")
    run = await play.start(spec_of(STAGES))
    await play.reach(hold)
    await run.cancel()
    serve = (await play.cancelled(run)).stages["serve"]
    assert serve.phase is StagePhase.CANCELLED
    assert serve.error is not None
    assert serve.error.message == "an endpoint of this stage may still live: not allowed"
    told = "its endpoint may still live or be on its way out; see: python -m starter sweep --run "
    assert serve.note == f"cancelled; {told}{run.id}"


async def test_a_pause_keeps_the_endpoint_and_a_cancel_under_it_removes_it(play: Play) -> None:
    hold = play.world.hold("endpoints.invoke")
    run = await play.start(spec_of({**STAGES, "again": {**INVOKE, "after": ["ask"]}}))
    await play.reach(hold)
    await run.signal("pause", {})
    hold.release()
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    assert len(play.world.endpoints) == 1
    await run.cancel()
    await play.cancelled(run)
    assert play.world.endpoints == {}


async def test_a_batch_is_a_job_that_knows_where_its_rows_are(play: Play) -> None:
    batch = {
        "kind": "batch_predict",
        "on": "onprem",
        "command": "python serve.py {inputs.m}",
        "inputs": {"m": "train", "data": "rows"},
        "format": "jsonl",
    }
    status = await play.finish(spec_of({"train": {}, "rows": {"on": "gcp"}, "score": batch}))
    request = job_of(play, "score").request
    assert (request.kind, request.batch.data, request.batch.format) == ("batch_predict", "data", "jsonl")
    assert output(status, "score", "predictions").uri == request.outputs["predictions"]
