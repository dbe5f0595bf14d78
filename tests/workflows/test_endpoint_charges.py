"""An endpoint is charged once, from when it was asked for until it is gone, whatever ends it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.approvals import Approval
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.ledger import Spent
from contracts.machines import HourPrice
from contracts.runs import RunStatus, StagePhase
from starter.spending import compared
from tests.fakes.lives import Life
from tests.workflows.play import Play, spec_of
from workflows.pipeline import PipelineWorkflow

PRICE = HourPrice(
    per_hour=Decimal(36), currency="USD", region="here", as_of=date(2026, 3, 1), source="a test"
)
"""A cent a second."""
SERVE: dict[str, Any] = {"kind": "deploy", "on": "aws", "command": "python serve.py"}
JOB: dict[str, Any] = {"on": "gcp", "after": ["serve"]}
"""What runs while the endpoint is there."""


@pytest.fixture(autouse=True)
def priced(request: pytest.FixtureRequest) -> None:
    for name in {"play", "real", "forgetful"} & set(request.fixturenames):
        play: Play = request.getfixturevalue(name)
        play.world.hour_price = PRICE
        play.world.lives["job"] = [Life(runs=timedelta(seconds=90))]


def endpoints(play: Play, status: RunStatus) -> list[Spent]:
    """What the run was charged for endpoints; the ledger has the same."""
    mine = [line for line in status.charges if line.kind == "endpoint"]
    held = [
        line for month in play.world.months.values() for line in month.costs.spent if line.kind == "endpoint"
    ]
    assert sorted(held, key=lambda line: line.stage) == sorted(mine, key=lambda line: line.stage)
    return mine


async def test_it_is_charged_for_as_long_as_it_was_there(play: Play) -> None:
    status = await play.finish(spec_of({"serve": SERVE, "job": JOB}))
    (line,) = endpoints(play, status)
    assert (line.stage, line.connection, line.unit, line.count) == ("serve", "aws/default", "s", 1)
    assert 90 <= line.quantity < 100
    assert (line.cost, line.currency) == (line.quantity / 100, "USD")
    assert line.price_source == "a test, as of 2026-03-01"


async def test_what_a_stage_has_retired_costs_nothing_more(play: Play) -> None:
    gone = {"kind": "retire", "on": "aws", "endpoint": "serve"}
    late = {"on": "gcp", "after": ["gone"]}
    play.world.lives["late"] = [Life(runs=timedelta(minutes=20))]
    status = await play.finish(spec_of({"serve": SERVE, "gone": gone, "late": late}))
    (line,) = endpoints(play, status)
    assert line.quantity < 10


async def test_a_cancelled_run_is_charged_for_it(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=timedelta(minutes=20))]
    run = await play.start(spec_of({"serve": SERVE, "job": JOB}))
    await play.until_noted(run, "job", "job running")
    await play.pass_time(seconds=60)
    await run.cancel()
    (line,) = endpoints(play, await play.cancelled(run))
    assert (line.quantity >= 60, line.count) == (True, 1)


async def test_a_deployment_that_was_cancelled_is_charged_where_something_of_it_was_there(real: Play) -> None:
    play = real
    hold = play.world.hold("endpoints.deploy")
    hold.tells = True
    run = await play.start(spec_of({"serve": SERVE}))
    await play.reach(hold)
    await run.cancel()
    (line,) = endpoints(play, await play.cancelled(run))
    assert (line.stage, line.count) == ("serve", 1)


async def test_a_deployment_that_made_nothing_is_no_charge(play: Play) -> None:
    hold = play.world.hold("endpoints.deploy")
    run = await play.start(spec_of({"serve": SERVE}))
    await play.reach(hold)
    await run.cancel()
    assert endpoints(play, await play.cancelled(run)) == []


@pytest.mark.parametrize(
    ("kind", "times"), [(ErrorKind.JOB_FAILED, 1), (ErrorKind.ACCESS_DENIED, 0), (ErrorKind.CAPACITY, 0)]
)
async def test_a_server_that_was_not_healthy_had_a_machine_and_what_was_refused_had_none(
    play: Play, kind: ErrorKind, times: int
) -> None:
    play.world.fail("endpoints.deploy", kind)
    run = await play.start(spec_of({"serve": SERVE}))
    await play.until_phase(run, "serve", "WAITING")
    await play.decide(run, "retry", "serve")
    (line,) = endpoints(play, await play.result(run))
    assert line.count == times + 1


async def test_one_that_stays_is_charged_until_the_run_ends_and_the_run_says_that_it_costs_on(
    play: Play,
) -> None:
    status = await play.finish(spec_of({"serve": {**SERVE, "temporary": False}, "job": JOB}))
    (line,) = endpoints(play, status)
    assert 90 <= line.quantity < 100
    held = status.stages["serve"].endpoint
    assert held
    assert status.notes == (
        f"endpoint {held.ref.name} of serve stays on aws/default and goes on costing, 36 USD an hour, until you remove "
        "it; what this run is charged for it ends here",
    )


async def test_one_that_stays_of_a_run_that_fails_is_charged_as_well(play: Play) -> None:
    failed = Life(runs=timedelta(seconds=90), end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
    play.world.lives["job"] = [failed]
    stages = {"serve": {**SERVE, "temporary": False}, "job": {**JOB, "retries": 0}}
    run = await play.start(spec_of(stages, defaults={"on_failure": "fail"}))
    _, status = await play.failure(run)
    (line,) = endpoints(play, status)
    assert line.quantity >= 90
    assert "goes on costing" in status.notes[-1]


async def test_one_that_cannot_be_removed_is_charged_until_the_run_ends(play: Play) -> None:
    play.world.fail("endpoints.retire", ErrorKind.ACCESS_DENIED, "not allowed")
    status = await play.finish(spec_of({"serve": SERVE, "job": JOB}))
    (line,) = endpoints(play, status)
    assert line.quantity >= 90
    assert "the endpoint of serve may still live: ACCESS_DENIED: not allowed" in status.notes


async def test_what_has_no_price_is_charged_as_unknown(play: Play) -> None:
    play.world.hour_price = None
    status = await play.finish(spec_of({"serve": {**SERVE, "temporary": False}, "job": JOB}))
    (line,) = endpoints(play, status)
    assert (line.quantity >= 90, line.cost, line.currency) == (True, None, "")
    assert "goes on costing, how much is not known," in status.notes[-1]


async def test_a_history_that_is_cut_charges_it_once(forgetful: Play) -> None:
    names = [f"job{number}" for number in range(8)]
    befores = ["serve", *names]
    jobs = {name: {"on": "gcp", "after": [before]} for before, name in zip(befores, names, strict=False)}
    forgetful.world.lives |= {name: [Life(runs=timedelta(milliseconds=50))] for name in names}
    run = await forgetful.start(spec_of({"serve": SERVE, **jobs}))
    status = await forgetful.result(run)
    assert all(stage.phase is StagePhase.SUCCEEDED for stage in status.stages.values())
    (line,) = endpoints(forgetful, status)
    assert line.count == 1
    assert (line.ended_at - line.started_at).total_seconds() == float(line.quantity)
    first = run.first_execution_run_id or run.result_run_id
    latest = (await forgetful.client.get_workflow_handle(run.id).describe()).run_id
    assert first != latest


async def test_the_budget_and_the_ledger_agree(play: Play) -> None:
    run = await play.start(spec_of({"serve": SERVE, "job": JOB}, budget="100 USD"))
    await play.until(run, lambda now: "serve" in now.asking)
    await run.execute_update(PipelineWorkflow.approve, Approval(stage="serve", answer="yes"))
    status = await play.result(run)
    assert status.spending is not None
    assert status.spending.held == {}
    assert status.spending.spent == sum(line.cost or 0 for line in status.charges)


async def test_the_report_sets_it_beside_what_was_quoted(play: Play) -> None:
    serve = {**SERVE, "expect": {"duration": "2m"}}
    status = await play.finish(spec_of({"serve": serve, "job": JOB}))
    row = next(row for row in compared(status) if row.name == "serve")
    (line,) = endpoints(play, status)
    assert (row.kind, row.likely, row.high, row.spent) == ("endpoint", Decimal("1.2"), None, line.cost)
    assert row.within
