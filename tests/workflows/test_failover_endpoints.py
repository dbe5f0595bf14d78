"""A place that has no machine for an endpoint: it is deployed at the next of its places, and what uses it follows."""

from typing import Any

import pytest

from contracts.errors import ErrorKind
from contracts.runs import StagePhase
from tests.workflows.play import Play, spec_of

PLACES: dict[str, Any] = {"on": ["aws", "gcp"]}
STAGES: dict[str, Any] = {
    "rows": {"on": "onprem"},
    "serve": {**PLACES, "kind": "deploy", "command": "python serve.py {inputs.m}", "inputs": {"m": "rows"}},
    "ask": {**PLACES, "kind": "invoke", "endpoint": "serve", "inputs": {"data": "rows"}},
    "gone": {**PLACES, "kind": "retire", "endpoint": "serve"},
}


def deployed(play: Play) -> list[tuple[str, int]]:
    """Where an endpoint was asked for, and in which generation."""
    return [(call.connection, call.request.generation) for call in play.world.asked("endpoints.deploy")]


@pytest.mark.parametrize("kind", [ErrorKind.CAPACITY, ErrorKind.QUOTA_EXHAUSTED])
async def test_an_endpoint_whose_place_is_full_is_deployed_at_the_next_and_its_users_follow(
    play: Play, kind: ErrorKind
) -> None:
    times = 1 if kind is ErrorKind.CAPACITY else 1000
    play.world.fail("endpoints.deploy", kind, "no machine is free", on="aws/default", times=times)
    run = await play.start(spec_of(STAGES))
    status = await play.result(run)
    assert set(deployed(play)) == {("aws/default", 1), ("gcp/default", 2)}
    assert {status.stages[name].connection for name in ("serve", "ask", "gone")} == {"gcp/default"}
    (scored,) = play.world.asked("endpoints.invoke")
    assert (scored.connection, scored.request.data.uri[:5]) == ("gcp/default", "gs://")
    assert status.stages["serve"].tried == {"aws/default": f"{kind} there"}
    (decided,) = status.decisions
    assert {"serve: aws/default -> gcp/default", "ask: aws/default -> gcp/default"} <= set(decided.changes)
    brought = await play.transfers(run)
    assert sorted(brought) == ["rows.out-to-aws.default", "rows.out-to-gcp.default"]
    assert play.world.endpoints == {}


async def test_what_may_be_left_at_the_old_place_keeps_the_endpoint_from_moving(play: Play) -> None:
    play.world.fail("endpoints.deploy", ErrorKind.CAPACITY, on="aws/default")
    play.world.fail("endpoints.find", ErrorKind.ACCESS_DENIED, "not allowed", on="aws/default")
    run = await play.start(spec_of(STAGES))
    status = await play.until_phase(run, "serve", "WAITING")
    assert deployed(play) == [("aws/default", 1)]
    assert status.stages["serve"].error
    assert "may still live: not allowed" in status.stages["serve"].error.message
    await play.decide(run, "abort", "serve")
    await play.failure(run)


async def test_each_place_of_an_endpoint_is_tried_once_and_nothing_of_it_is_charged(play: Play) -> None:
    play.world.fail("endpoints.deploy", ErrorKind.CAPACITY, times=2)
    run = await play.start(spec_of(STAGES, defaults={"on_failure": "fail"}))
    kind, status = await play.failure(run)
    assert kind == ErrorKind.CAPACITY
    assert deployed(play) == [("aws/default", 1), ("gcp/default", 2)]
    assert [line for line in status.charges if line.kind == "endpoint"] == []


async def test_a_server_that_is_not_healthy_stays_where_it_is(play: Play) -> None:
    play.world.fail("endpoints.deploy", ErrorKind.JOB_FAILED)
    run = await play.start(spec_of(STAGES))
    await play.until_phase(run, "serve", "WAITING")
    await play.decide(run, "retry", "serve")
    status = await play.result(run)
    assert deployed(play) == [("aws/default", 1), ("aws/default", 2)]
    assert status.stages["serve"].phase is StagePhase.SUCCEEDED


async def test_it_is_charged_where_it_was_in_the_end(play: Play) -> None:
    play.world.fail("endpoints.deploy", ErrorKind.CAPACITY, on="aws/default")
    status = await play.finish(spec_of(STAGES))
    (line,) = [line for line in status.charges if line.kind == "endpoint"]
    assert (line.connection, line.count) == ("gcp/default", 1)
