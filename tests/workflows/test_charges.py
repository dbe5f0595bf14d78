"""What a run did is written into the ledger, each thing once, whatever becomes of the run; and the run never waits for it."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal

import pytest

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.ledger import MonthCosts, Spent
from contracts.machines import HourPrice
from contracts.prices import TIB
from contracts.runs import RunStatus, StagePhase
from tests.charges import LISTED, TB
from tests.fakes.lives import Life
from tests.house import PATIENCE_SECONDS
from tests.workflows.play import Play, spec_of

SECOND = timedelta(seconds=1)
PRICE = HourPrice(
    per_hour=Decimal(36), currency="USD", region="here", as_of=date(2026, 3, 1), source="a test"
)
"""A cent a second."""


@pytest.fixture(autouse=True)
def priced(request: pytest.FixtureRequest) -> None:
    for name in {"play", "real", "forgetful"} & set(request.fixturenames):
        play: Play = request.getfixturevalue(name)
        play.world.hour_price, play.world.price = PRICE, LISTED


def ledger(play: Play) -> dict[tuple[str, str], Spent]:
    """What the ledger has, by stage and kind; a run has one currency and one place for each here."""
    months = [month.costs for month in play.world.months.values()]
    assert all(isinstance(month, MonthCosts) for month in months)
    lines = [line for month in months for line in month.spent]
    found = {(line.stage, line.kind): line for line in lines}
    assert len(found) == len(lines)
    return found


def report(status: RunStatus) -> dict[tuple[str, str], Spent]:
    return {(line.stage, line.kind): line for line in status.charges}


async def test_a_job_is_charged_by_what_its_vendor_bills(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=90 * SECOND, collected_seconds=120.0)]
    status = await play.finish(spec_of({"job": {}}))
    (line,) = status.charges
    assert (line.stage, line.kind, line.connection, line.count) == ("job", "compute", "aws/default", 1)
    assert (line.quantity, line.unit, line.cost, line.currency) == (Decimal(120), "s", Decimal("1.2"), "USD")
    assert line.run_id == "play/k"
    assert line.price_source == "a test, as of 2026-03-01"
    assert report(status) == ledger(play)


async def test_generations_that_failed_were_billed_as_well(play: Play) -> None:
    failed = Life(runs=10 * SECOND, end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
    unlucky = Life(queued=60 * SECOND, end=JobPhase.FAILED, reason=ErrorKind.CAPACITY)
    play.world.lives["job"] = [failed, unlucky, Life(runs=5 * SECOND)]
    status = await play.finish(spec_of({"job": {"retries": 2}}))
    line = report(status)["job", "compute"]
    assert (line.quantity, line.cost) == (Decimal(15), Decimal("0.15"))
    assert report(status) == ledger(play)


async def test_a_job_that_was_cancelled_was_billed_until_it_was_stopped(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=timedelta(minutes=20))]
    run = await play.start(spec_of({"job": {}, "next": {"after": ["job"]}}))
    await play.until_noted(run, "job", "job running")
    await play.env.sleep(timedelta(seconds=30))
    await run.cancel()
    status = await play.cancelled(run)
    line = report(status)["job", "compute"]
    assert 30 <= line.quantity < 120
    assert report(status) == ledger(play)


async def test_an_aborted_run_is_charged_for_what_it_had(play: Play) -> None:
    play.world.lives["job"] = [Life(runs=10 * SECOND, end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)]
    run = await play.start(spec_of({"job": {"retries": 0}}))
    await play.until_phase(run, "job", "WAITING")
    await play.decide(run, "abort", "job", by="ann")
    _, status = await play.failure(run)
    assert report(status)["job", "compute"].cost == Decimal("0.1")
    assert report(status) == ledger(play)


async def test_a_transfer_is_charged_by_the_tiers_of_the_month_over_all_runs(play: Play) -> None:
    play.world.sizes["large"] = size = 60 * TB
    source = play.put("aws", "data.bin", b"large")
    spec = spec_of({"get": {"kind": "copy", "on": "gcp", "source": source}})
    first = await play.finish(spec, key="first")
    play.world.objects = {uri: held for uri, held in play.world.objects.items() if uri.startswith("s3")}
    second = await play.finish(spec, key="second")
    assert [line.quantity for run in (first, second) for line in run.charges] == [size, size]
    paid = [line.cost for run in (first, second) for line in run.charges]
    assert paid == [Decimal(5120), LISTED.cost(size, size)]
    (line,) = first.charges
    assert (line.connection, line.destination, line.sku) == ("aws/default", "gcp/default", "egress")


async def test_a_run_whose_ledger_is_away_ends_as_well_and_says_what_it_spent(play: Play) -> None:
    play.world.fail("ledger.post", ErrorKind.UNAVAILABLE, "it was away", times=100)
    play.world.lives["job"] = [Life(runs=10 * SECOND)]
    play.world.sizes["large"] = TB
    stages = {
        "job": {},
        "get": {
            "kind": "copy",
            "on": "gcp",
            "source": play.put("aws", "data.bin", b"large"),
            "after": ["job"],
        },
    }
    status = await play.finish(spec_of(stages))
    assert [line.cost for line in status.charges] == [Decimal("0.1"), LISTED.cost(TB)]
    assert [note for note in status.notes if "ledger" in note] == [
        "the ledger was not there; what it lacks is in the report of this run: it was away"
    ]
    assert ledger(play) == {}


async def test_a_lost_answer_of_the_ledger_counts_nothing_twice(play: Play) -> None:
    play.world.fail("ledger.post", ErrorKind.UNAVAILABLE, after=True, times=2)
    play.world.lives["job"] = [Life(runs=10 * SECOND)]
    status = await play.finish(spec_of({"job": {}}))
    assert report(status)["job", "compute"].count == 1
    assert report(status) == ledger(play)
    assert len(play.world.asked("ledger.post")) == 3


async def test_a_copy_that_failed_is_charged_for_what_it_had_sent_and_its_next_try_for_the_rest(
    play: Play,
) -> None:
    play.world.objects_at_once = 2
    for number in range(4):
        play.put("aws", f"many/{number}.bin", b"x" * 100)
    play.world.fail("storage.publish_manifest", ErrorKind.ACCESS_DENIED)
    spec = spec_of({"get": {"kind": "copy", "on": "gcp", "source": "s3://causeway/many/"}})
    run = await play.start(spec)
    await play.until_phase(run, "get", "WAITING")
    before = await play.until(run, lambda now: bool(now.charges))
    assert [line.quantity for line in before.charges] == [Decimal(400)]
    await play.decide(run, "retry", "get", by="ann")
    status = await play.result(run)
    assert report(status) == ledger(play)
    assert report(status)["get.data-to-gcp.default", "transfer"].quantity == sum(
        moved.size_bytes for moved in status.transfers
    ) + Decimal(400)


async def test_every_item_of_a_stage_is_charged_once_also_when_the_stage_is_tried_again(play: Play) -> None:
    play.world.lives |= {f"each-{index}": [Life(runs=10 * SECOND)] for index in range(4)}
    failed = Life(runs=10 * SECOND, end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
    play.world.lives["each-1"] = [failed, Life(runs=10 * SECOND)]
    spec = spec_of({"each": {"foreach": {"range": 4, "max_parallel": 1}, "retries": 0, "outputs": ["out"]}})
    run = await play.start(spec)
    before = await play.until_phase(run, "each", "WAITING")
    assert report(before) == ledger(play)
    await play.decide(run, "retry", "each", by="ann")
    status = await play.result(run)
    line = report(status)["each", "compute"]
    assert (line.count, line.quantity) == (5, Decimal(50))
    assert report(status) == ledger(play)


async def test_items_that_were_cancelled_are_charged(play: Play) -> None:
    play.world.lives |= {f"each-{index}": [Life(runs=timedelta(minutes=20))] for index in range(3)}
    run = await play.start(spec_of({"each": {"foreach": {"range": 3, "max_parallel": 3}}}))
    await play.until(run, lambda now: now.jobs_running == 3)
    await play.env.sleep(timedelta(seconds=10))
    await run.cancel()
    status = await play.cancelled(run)
    assert report(status)["each", "compute"].count == 3
    assert report(status) == ledger(play)


async def test_a_query_is_charged_by_what_it_is_billed_as_having_read(play: Play) -> None:
    play.world.billed_bytes = 2 * TIB
    status = await play.finish(spec_of({"ask": {"kind": "query", "on": "gcp", "sql": "SELECT 1"}}))
    (line,) = status.charges
    assert (line.kind, line.connection, line.quantity) == ("query", "gcp/default", 2 * TIB)
    assert (line.cost, line.currency) == (Decimal("12.5"), "USD")
    assert report(status) == ledger(play)


async def test_what_has_no_price_is_charged_as_unknown_and_never_as_nothing(play: Play) -> None:
    play.world.hour_price = None
    play.world.lives["job"] = [Life(runs=10 * SECOND)]
    status = await play.finish(spec_of({"job": {}}))
    (line,) = status.charges
    assert (line.quantity, line.cost, line.currency) == (Decimal(10), None, "")


async def test_what_was_spent_survives_that_a_run_goes_on_in_another_execution(forgetful: Play) -> None:
    play = forgetful
    names = [f"job{number}" for number in range(8)]
    stages = {
        name: {"after": [before] if before else []} for before, name in zip(["", *names], names, strict=False)
    }
    play.world.lives |= {name: [Life(runs=timedelta(milliseconds=50))] for name in names}
    status = await play.finish(spec_of(stages))
    assert all(stage.phase is StagePhase.SUCCEEDED for stage in status.stages.values())
    assert set(report(status)) == {(name, "compute") for name in names}
    assert report(status) == ledger(play)
    async with asyncio.timeout(PATIENCE_SECONDS):
        runs = play.client.list_workflows("WorkflowId = 'play/k'")
        assert len([run async for run in runs]) > 1
