"""Stages that may run in several places: a place that will not do is left out, and fails nothing while another is left."""

import pytest
from temporalio.client import WorkflowExecutionStatus

from contracts import presets
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.plan import Plan
from contracts.runs import CLOUDS_KEY, RunPhase
from starter import temporal
from tests.fakes.lives import Life
from tests.workflows.play import Play, spec_of
from tests.workflows.test_continue import cuts

AWS_OR_GCP = {"on": ["aws", "gcp"]}


async def plans(play: Play) -> list[Plan]:
    """The plans that the run's history holds, in its first execution."""
    run = play.runs[-1]
    history = await play.client.get_workflow_handle(run.id, run_id=run.first_execution_run_id).fetch_history()
    asked = {
        event.event_id
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "plan.make"
    }
    ended = [event.activity_task_completed_event_attributes for event in history.events]
    payloads = [end.result.payloads for end in ended if end.scheduled_event_id in asked]
    return [plan for found in payloads for plan in await play.client.data_converter.decode(found, [Plan])]


async def reasons(play: Play) -> dict[str, str]:
    (plan,) = await plans(play)
    return {held.connection: held.why for held in plan.placements["a"].candidates}


async def test_a_stage_runs_where_the_plan_has_it_and_all_that_shows_the_run_says_so(play: Play) -> None:
    run = await play.start(spec_of({"a": AWS_OR_GCP, "b": {"on": ["gcp", "aws"], "inputs": {"x": "a"}}}))
    status = await play.result(run)
    assert status.stages["a"].connection == "aws/default"
    assert status.stages["a"].may_run_on == ()
    (job,) = (job for job in play.world.jobs.values() if job.request.stage == "a")
    assert job.connection == "aws/default"
    description = await run.describe()
    assert "aws" in (description.typed_search_attributes.get(CLOUDS_KEY) or ())


async def test_before_the_plan_a_stage_shows_where_it_may_run(play: Play) -> None:
    hold = play.world.hold("connections.preflight")
    run = await play.start(spec_of({"a": AWS_OR_GCP}))
    await play.reach(hold)
    status = await play.until(run, lambda now: True)
    assert (status.stages["a"].connection, status.stages["a"].where) == ("", "aws or gcp")
    hold.release()
    assert (await play.result(run)).stages["a"].where == "aws"


async def test_a_place_that_refuses_is_left_out(play: Play) -> None:
    play.world.fail("connections.preflight", ErrorKind.ACCESS_DENIED, "no right to look", on="aws/default")
    status = await play.finish(spec_of({"a": AWS_OR_GCP}))
    assert status.stages["a"].connection == "gcp/default"
    assert "no right to look" in (await reasons(play))["aws/default"]


async def test_a_place_that_nobody_serves_is_left_out_after_a_minute(real: Play) -> None:
    real.dismissed.add("aws/default")
    run = await real.start(spec_of({"a": AWS_OR_GCP}))
    await real.settle(presets.WEIGHING_PATIENCE.seconds - 10)
    assert (await run.describe()).status == WorkflowExecutionStatus.RUNNING
    status = await real.result(run)
    assert status.stages["a"].connection == "gcp/default"
    assert "no worker of causeway-aws asked for work in 60 s" in (await reasons(real))["aws/default"]


async def test_a_run_with_no_place_left_ends_and_says_what_took_each(play: Play) -> None:
    play.world.fail("connections.preflight", ErrorKind.ACCESS_DENIED, "no right", on="aws/default")
    play.world.declined["a"] = "no machine has 900 CPU"
    kind, status = await play.failure(await play.start(spec_of({"a": AWS_OR_GCP})))
    assert kind == ErrorKind.UNSUPPORTED
    (note,) = status.notes
    assert "stage a can run nowhere" in note
    assert "aws/default: ACCESS_DENIED: no right" in note
    assert "gcp/default: no machine has 900 CPU" in note
    assert not play.world.jobs


async def test_a_place_that_another_stage_needs_still_fails_the_run(play: Play) -> None:
    # Held, since the test server hangs over an activity that ends in the moment in which it is cancelled.
    play.world.hold("connections.preflight", on="gcp/default")
    play.world.fail("connections.preflight", ErrorKind.ACCESS_DENIED, "no right", on="aws/default")
    kind, _ = await play.failure(await play.start(spec_of({"a": AWS_OR_GCP, "b": {"on": "aws"}})))
    assert kind == ErrorKind.ACCESS_DENIED


async def test_any_is_every_connection_that_is_served(play: Play) -> None:
    play.world.absent = {"causeway-aws", "causeway-azure"}
    status = await play.finish(spec_of({"a": {"on": "any"}}))
    assert status.stages["a"].connection == "gcp/default"
    assert (await reasons(play))["aws/default"] == "no worker serves causeway-aws"
    assert {call.connection for call in play.world.asked("connections.preflight")} == {
        "gcp/default",
        "onprem/default",
    }


async def test_an_endpoint_and_who_asks_it_go_to_one_place(play: Play) -> None:
    rows = {"kind": "process", "on": "gcp", "command": "x", "outputs": ["rows"]}
    status = await play.finish(
        spec_of(
            {
                "rows": rows,
                "serve": {"kind": "deploy", "on": ["gcp", "aws"], "command": "python serve.py"},
                "ask": {"kind": "invoke", "on": "any", "endpoint": "serve", "inputs": {"data": "rows"}},
                "gone": {"kind": "retire", "on": ["aws", "gcp"], "endpoint": "serve"},
            }
        )
    )
    assert status.phase is RunPhase.SUCCEEDED
    assert {status.stages[name].connection for name in ("serve", "ask", "gone")} == {"gcp/default"}


async def test_a_cut_run_stays_where_it_was_planned_and_a_rerun_finds_what_was_written(
    forgetful: Play,
) -> None:
    play = forgetful
    stages = {"s0": AWS_OR_GCP} | {
        f"s{index}": {**AWS_OR_GCP, "inputs": {"it": f"s{index - 1}.out"}} for index in range(1, 7)
    }
    spec = spec_of(stages)
    run = await play.start(spec)
    status = await play.result(run)
    assert await cuts(play, run) >= 1
    assert {stage.connection for stage in status.stages.values()} == {"aws/default"}
    assert len(await plans(play)) == 1
    assert (await temporal.request_of(play.client, run.id)).spec == spec


@pytest.mark.parametrize("where", ["aws", "gcp"])
async def test_a_retry_that_asks_for_more_asks_the_place_that_was_chosen(play: Play, where: str) -> None:
    other = "gcp" if where == "aws" else "aws"
    play.world.lives["a"] = [Life(end=JobPhase.FAILED, reason=ErrorKind.OUT_OF_MEMORY), Life()]
    run = await play.start(spec_of({"a": {"on": [where, other]}}, defaults={"retries": 0}))
    await play.until_phase(run, "a", "WAITING")
    await play.decide(run, "retry", "a", resources={"cpu": 4})
    status = await play.result(run)
    asked = [call for call in play.world.asked("connections.preflight") if call.request.machines]
    assert [call.connection for call in asked] == [f"{where}/default"]
    assert status.stages["a"].connection == f"{where}/default"
