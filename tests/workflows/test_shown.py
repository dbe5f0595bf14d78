"""What people see without asking a worker: memo, search attributes, details, and who is absent."""

import re
from datetime import timedelta
from typing import Any

import pytest

from contracts.approvals import Approval
from contracts.decisions import StageDecision
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import (
    CLOUDS_KEY,
    PIPELINE_KEY,
    STATE_KEY,
    STATE_MEMO,
    STATUS_MEMO,
    WAITING_KEY,
    RunPhase,
    RunStatus,
)
from tests.fakes.lives import Life
from tests.workflows.play import Play, Run, spec_of

HOUR = timedelta(hours=1)


async def shown(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    description = await run.describe()
    keys = (PIPELINE_KEY, STATE_KEY, WAITING_KEY, CLOUDS_KEY)
    attributes = {key.name: description.typed_search_attributes.get(key) for key in keys}
    return attributes, dict(await description.memo())


async def details_of(run: Run) -> str:
    metadata = await run.query("__temporal_workflow_metadata")
    return str(metadata.current_details)


async def test_a_running_run_is_told_by_its_attributes_and_its_memo(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {}, "next": {"on": "gcp", "after": ["job"]}}))
    await play.until_noted(run, "job", "job running")
    attributes, memo = await shown(run)
    assert attributes == {
        "CausewayPipeline": "play",
        "CausewayState": "RUNNING",
        "CausewayWaitingFor": "-",
        "CausewayClouds": ["aws", "gcp"],
    }
    assert memo[STATE_MEMO] == {
        "phase": "RUNNING",
        "stages": {"job": "RUNNING", "next": "PENDING"},
        "pause": None,
    }


async def test_a_pause_is_told_with_who_and_why(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {}}))
    await play.until_noted(run, "job", "job running")
    await run.signal("pause", {"by": "ann", "reason": "lunch"})
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    attributes, memo = await shown(run)
    assert attributes["CausewayState"] == "PAUSED"
    assert memo[STATE_MEMO]["pause"]["by"] == "ann"
    assert memo[STATE_MEMO]["pause"]["reason"] == "lunch"


async def test_what_a_run_waits_for_can_be_searched(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST)
    run = await play.start(spec_of({"job": {}}))
    await play.until_phase(run, "job", "WAITING")
    attributes, _ = await shown(run)
    assert attributes["CausewayState"] == "WAITING"
    assert attributes["CausewayWaitingFor"] == "a decision on job"


@pytest.mark.parametrize("end", ["SUCCEEDED", "FAILED", "CANCELLED"])
async def test_the_whole_status_of_a_run_that_has_ended_lies_in_its_memo(play: Play, end: str) -> None:
    if end == "FAILED":
        play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST)
    if end == "CANCELLED":
        play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {"on_failure": "fail"}}))
    if end == "CANCELLED":
        await play.until_noted(run, "job", "job running")
        await run.cancel()
    ending = {"SUCCEEDED": play.result, "FAILED": play.failure, "CANCELLED": play.cancelled}[end]
    await ending(run)
    attributes, memo = await shown(run)
    status = RunStatus.model_validate(memo[STATUS_MEMO])
    assert attributes["CausewayState"] == end
    assert status.phase == end
    assert status.stages["job"].phase == end
    assert status.ended_at is not None
    assert status.jobs_running == 0


async def test_the_stage_table_is_the_details_of_the_run(play: Play) -> None:
    play.world.lives["job"] = [Life(end=JobPhase.FAILED, message="| `x` ``` <b>")]
    play.world.log = ()
    run = await play.start(spec_of({"job": {"retries": 0}, "next": {"after": ["job"]}}))
    await play.until_phase(run, "job", "WAITING")
    text = await details_of(run)
    assert "**WAITING** — waiting for a decision on job" in text
    assert "| ⚑ | `job` | `aws/default` | `WAITING` |" in text
    assert "| · | `next` | `aws/default` | `PENDING` |" in text
    assert "```text\njob cw-job-" in text
    fences = [line for line in text.splitlines() if "```" in line]
    assert fences == ["```text", "```", "```json", "```", "```json", "```"], "a job broke a fence"


async def test_what_may_be_sent_to_a_run_is_told_with_what_it_takes(play: Play) -> None:
    run = await play.start(spec_of({"job": {}}))
    await play.result(run)
    metadata = await run.query("__temporal_workflow_metadata")
    told = {
        one.name: one.description
        for one in (*metadata.definition.signal_definitions, *metadata.definition.update_definitions)
    }
    fields = {"retry_stage": StageDecision, "approve": Approval}
    for name, model in fields.items():
        assert set(re.findall(r"\w+", told[name].partition("{")[2])) <= set(model.model_fields)
    assert all(told.values())


async def test_a_reason_for_a_pause_cannot_write_into_the_details(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {}}))
    await play.until_noted(run, "job", "job running")
    await run.signal(
        "pause", {"by": "a`nn", "reason": "x\n\n# big <script>alert(1)</script> ![i](http://h/)"}
    )
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    first = (await details_of(run)).splitlines()[0]
    assert first.startswith("**PAUSED** — ")
    assert "`x # big <script>alert(1)</script> ![i](http://h/)`" in first
    assert "1 remote job running" in first


def absent(play: Play, activity: str) -> None:
    """As if causeway-gcp had no worker: what it is asked stays undone, and Temporal says so.

    The fake answers that it is unavailable, for the server skips no time while a task waits in a queue.
    """
    play.world.absent.add("causeway-gcp")
    play.world.fail(activity, ErrorKind.UNAVAILABLE, on="gcp/default", times=10_000)


async def test_a_stage_says_that_its_worker_is_absent_and_fails_nothing(play: Play) -> None:
    absent(play, "jobs.submit")
    run = await play.start(spec_of({"job": {"on": "gcp"}, "other": {}}))
    await play.until_noted(run, "job", "submitting")
    await play.pass_time(seconds=50)
    status = await play.until_noted(run, "job", "waiting for a worker on causeway-gcp")
    assert status.phase is RunPhase.RUNNING
    assert "waiting" not in status.stages["other"].note
    play.world.absent.clear()
    play.world.faults.clear()
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


async def test_an_absent_worker_is_told_also_before_the_plan_is_made(play: Play) -> None:
    absent(play, "connections.preflight")
    run = await play.start(spec_of({"job": {"on": "gcp"}, "other": {}}))
    await play.pass_time(seconds=50)
    status = await play.until_noted(run, "job", "waiting for a worker on causeway-gcp")
    assert status.stages["other"].note == ""


async def test_a_transfer_whose_worker_is_absent_is_told_on_the_stage_that_needs_it(play: Play) -> None:
    source = play.put("azure", "data.csv")
    absent(play, "storage.copy")
    stages = {
        "copy": {"kind": "copy", "on": "gcp", "source": source},
        "other": {"after": ["copy"]},
    }
    run = await play.start(spec_of(stages))
    await play.until_noted(run, "copy", "copying")
    await play.pass_time(seconds=50)
    status = await play.until_noted(run, "copy", "waiting for a worker on causeway-gcp")
    assert status.stages["other"].note == ""


async def test_the_note_of_an_absent_worker_goes_when_the_worker_is_back(play: Play) -> None:
    absent(play, "connections.preflight")
    play.world.lives["first"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"first": {"timeout": "1d"}, "job": {"on": "gcp", "after": ["first"]}}))
    await play.pass_time(seconds=50)
    await play.until_noted(run, "job", "waiting for a worker on causeway-gcp")
    play.world.absent.clear()
    play.world.faults.clear()
    await play.pass_time(minutes=10)
    await play.until_noted(run, "first", "job running")
    await play.pass_time(minutes=10)
    status = await play.until(run, lambda now: now.stages["job"].note == "")
    assert status.stages["job"].phase == "PENDING"


async def test_the_note_of_an_absent_worker_goes_also_when_nothing_is_asked_any_more(play: Play) -> None:
    absent(play, "connections.preflight")
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, stage="first")
    run = await play.start(spec_of({"first": {}, "job": {"on": "gcp", "after": ["first"]}}))
    await play.pass_time(seconds=50)
    await play.until_noted(run, "job", "waiting for a worker on causeway-gcp")
    play.world.absent.clear()
    play.world.faults[0].left = 0
    await play.pass_time(minutes=10)
    await play.until_phase(run, "first", "WAITING")
    await play.pass_time(minutes=10)
    await play.until(run, lambda now: now.stages["job"].note == "")


async def test_a_worker_that_comes_after_the_stages_timeout_only_closes_its_job_and_is_told_as_absent(
    play: Play,
) -> None:
    hold = play.world.hold("connections.preflight", on="gcp/default")
    stages = {"job": {"on": "gcp", "timeout": "2s", "on_failure": "fail"}, "other": {"timeout": "1d"}}
    run = await play.start(spec_of(stages))
    await play.reach(hold)
    await play.dismiss("gcp/default", hold)
    # An attempt before may have left a job, for all the run knows: it waits for somebody to look.
    await play.until_noted(run, "job", "stopping its job")
    await play.rehire("gcp/default")
    kind, status = await play.failure(run)
    assert kind == ErrorKind.WORKER_ABSENT
    assert not play.world.asked("jobs.submit", on="gcp/default")
    assert "found no worker within the stage's timeout" in status.stages["job"].error.message
    assert status.stages["job"].error.hint == "start the worker of this connection"


async def test_every_activity_and_timer_carries_a_summary(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=HOUR, queued=HOUR)]
    play.put("onprem", "data.csv")
    stages = {
        "in": {"kind": "copy", "on": "aws", "source": "file:///data.csv"},
        "job": {"timeout": "1d", "code": "src", "inputs": {"data": "in"}},
        "ask": {"kind": "query", "on": "gcp", "sql": "SELECT 1"},
    }
    run = await play.start(spec_of(stages))
    await play.result(run)
    ids = [run.id, f"{run.id}/transfer/in.data-to-aws.default"]
    for identity in ids:
        history = await play.client.get_workflow_handle(identity).fetch_history()
        for event in history.events:
            kinds = ("activity_task_scheduled_event_attributes", "timer_started_event_attributes")
            if any(event.HasField(kind) for kind in kinds):
                assert event.user_metadata.summary.data, event
                assert len(event.user_metadata.summary.data) <= 202
