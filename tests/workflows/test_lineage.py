"""Lineage of a run: what each stage made of which data, once, whatever becomes of it."""

from datetime import timedelta

import pytest

from contracts.errors import ErrorKind
from contracts.lineage import LineageEvent
from contracts.observed import Observed
from tests.fakes.lives import Life
from tests.workflows.play import CHILD_STARTED, Play, Run, output, spec_of


@pytest.fixture
def traced(play: Play) -> Play:
    play.world.observed = Observed(lineage=True)
    return play


async def told(play: Play, run: Run) -> list[LineageEvent]:
    """All events, by their batches, once the workflows that deliver them have ended."""
    for event in (await run.fetch_history()).events:
        if event.HasField(CHILD_STARTED) and "/lineage/" in getattr(event, CHILD_STARTED).workflow_id:
            await play.client.get_workflow_handle(getattr(event, CHILD_STARTED).workflow_id).result()
    return [event for batch in play.world.lineage for event in batch.events]


def brief(events: list[LineageEvent], stage: str) -> list[tuple[str, int]]:
    found = sorted((event for event in events if event.stage == stage), key=lambda event: event.at)
    return [(event.kind, event.attempt) for event in found]


async def test_what_a_stage_read_and_left_is_told_where_it_was_made(traced: Play) -> None:
    source = traced.put("azure", "data.csv")
    stages = {
        "copy": {"kind": "copy", "on": "aws", "source": source},
        "use": {"on": "gcp", "inputs": {"it": "copy"}},
        "load": {
            "kind": "load_table",
            "on": "gcp",
            "inputs": {"data": "use"},
            "table": "sales.customers",
            "schema": [{"name": "id", "type": "INTEGER"}],
        },
    }
    run = await traced.start(spec_of(stages))
    status = await traced.result(run)
    events = await told(traced, run)
    for stage in ("", *stages):
        assert brief(events, stage) == [("START", 1), ("COMPLETE", 1)]
    ends = {event.stage: event for event in events if event.kind == "COMPLETE"}
    copied, left = output(status, "copy", "data").uri, output(status, "use", "out").uri
    assert (ends["copy"].inputs, ends["copy"].outputs) == ((source,), (copied,))
    assert (ends["use"].inputs, ends["use"].outputs) == ((copied,), (left,))
    assert (ends["load"].inputs, ends["load"].outputs) == ((left,), ("bigquery:sales.customers",))


async def test_a_stage_that_failed_and_is_tried_again_is_two_runs_of_it(traced: Play) -> None:
    traced.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage="job")
    run = await traced.start(spec_of({"job": {}}))
    await traced.until_phase(run, "job", "WAITING")
    await traced.decide(run, "retry", "job")
    await traced.result(run)
    events = await told(traced, run)
    assert brief(events, "job") == [("START", 1), ("FAIL", 1), ("START", 2), ("COMPLETE", 2)]
    (failed,) = (event for event in events if event.kind == "FAIL")
    assert failed.error == "no such image"


async def test_a_cancelled_run_is_aborted_with_what_it_did(traced: Play) -> None:
    traced.world.lives["job"] = [Life(runs=timedelta(hours=1))]
    run = await traced.start(spec_of({"job": {}, "next": {"after": ["job"]}}))
    await traced.until_noted(run, "job", "job running")
    await run.cancel()
    await traced.cancelled(run)
    events = await told(traced, run)
    assert brief(events, "job") == brief(events, "") == [("START", 1), ("ABORT", 1)]
    assert brief(events, "next") == []


async def test_a_run_that_failed_says_why_and_lineage_that_nobody_takes_fails_nothing(traced: Play) -> None:
    traced.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage="job")
    traced.world.fail("lineage.emit", ErrorKind.INVALID_REQUEST, "the receiver answered 404")
    run = await traced.start(spec_of({"job": {"on_failure": "fail"}}))
    await traced.failure(run)
    events = await told(traced, run)
    ends = [(event.stage, event.error) for event in events if event.kind == "FAIL"]
    assert ("", "stage job: no such image") in ends


async def test_without_a_place_for_lineage_nothing_is_told(play: Play) -> None:
    run = await play.start(spec_of({"job": {}}))
    await play.result(run)
    assert await told(play, run) == []
    assert not [event for event in (await run.fetch_history()).events if event.HasField(CHILD_STARTED)]
