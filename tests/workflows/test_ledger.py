"""The ledger on a real server, as activities reach it: each charge once, in its month, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Worker

from activities.ledger import TemporalLedger
from contracts.ledger import (
    COSTS_QUERY,
    Charge,
    MonthCosts,
    MonthQuery,
    MonthState,
    Posted,
    PostRequest,
    ReleaseRequest,
    ReserveRequest,
    ledger_id,
    month_of,
    reservation_of,
)
from contracts.queues import WORKFLOW_QUEUE
from tests.charges import TB, job, sent
from tests.fakes.sweeps import FakeOwners
from tests.house import PATIENCE_SECONDS
from tests.workflows.play import Play
from workflows.ledger import LedgerWorkflow

LAST = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)


@asynccontextmanager
async def books(play: Play) -> AsyncIterator[TemporalLedger]:
    owners = FakeOwners(play.world).owners
    async with Worker(
        play.client, task_queue=WORKFLOW_QUEUE, workflows=[LedgerWorkflow], activities=[owners]
    ):
        yield TemporalLedger(play.client)


async def post(ledger: TemporalLedger, *charges: Charge) -> Posted:
    return await ledger.post(PostRequest(charges=charges))


async def costs(play: Play, month: str = "2026-11") -> MonthCosts:
    handle = play.client.get_workflow_handle(ledger_id(month))
    found: MonthCosts = await handle.query(COSTS_QUERY, result_type=MonthCosts)
    return found


def reserving(key: str, size_bytes: int) -> ReserveRequest:
    return ReserveRequest(
        id=reservation_of("uid", key),
        run_uid="uid",
        source="aws/default",
        destination="gcp/default",
        size_bytes=size_bytes,
    )


async def test_posting_twice_counts_once_also_from_many_at_once(real: Play) -> None:
    async with books(real) as ledger:
        charges = [job(number) for number in range(1, 31)]
        posts = [post(ledger, *charges[at : at + 3]) for at in range(0, 30, 2)]
        answers = await asyncio.gather(*posts, *(post(ledger, charge) for charge in charges))
        assert {month for answer in answers for month in answer.months} == {"2026-11"}
        (line,) = (await costs(real)).spent
        assert (line.count, line.cost) == (30, Decimal("7.5"))


async def test_a_month_nobody_wrote_to_is_empty(real: Play) -> None:
    async with books(real) as ledger:
        assert await ledger.month(MonthQuery(month="2020-01")) == MonthState(month="2020-01")
        assert (await ledger.month(MonthQuery())).month == month_of(datetime.now(UTC))
        assert (await ledger.release(ReleaseRequest(run_uid="uid"))).size_bytes == 0


async def test_each_charge_goes_into_the_month_it_ended_in_and_tiers_begin_anew(real: Play) -> None:
    async with books(real) as ledger:
        november = sent(10 * TB, "play/one", ended_at=LAST)
        december = sent(10 * TB, "play/two", ended_at=LAST + timedelta(seconds=1))
        posted = await post(ledger, november, december)
        assert posted.months == ("2026-11", "2026-12")
        assert [entered.cost for entered in posted.entered] == [Decimal("921.6")] * 2
        for month in posted.months:
            state = await ledger.month(MonthQuery(month=month))
            assert state.before("aws/default") == 10 * TB


async def test_a_transfer_that_ends_in_the_next_month_lets_go_what_it_reserved_in_the_last(
    real: Play,
) -> None:
    async with books(real) as ledger:
        request = reserving("data", TB).model_copy(update={"month": "2026-11"})
        reserved = await ledger.reserve(request)
        assert (reserved.granted, reserved.month.before("aws/default")) == (True, TB)
        await post(ledger, sent(TB, ended_at=LAST + timedelta(hours=2), settles=request.id))
        assert (await ledger.month(MonthQuery(month="2026-11"))).egress_bytes == 0
        assert (await ledger.month(MonthQuery(month="2026-12"))).egress_bytes == TB


async def test_two_runs_of_a_month_are_priced_by_its_tiers_whichever_comes_first(real: Play) -> None:
    async with books(real) as ledger:
        answers = await asyncio.gather(
            *(post(ledger, sent(size * TB, f"play/{size}")) for size in (7, 3, 50))
        )
        paid = sum(entered.cost or Decimal(0) for answer in answers for entered in answer.entered)
        assert paid == Decimal(5120)


async def test_a_history_that_grows_long_is_cut_and_the_month_goes_on(forgetful: Play) -> None:
    async with books(forgetful) as ledger:
        for number in range(1, 61):
            await post(ledger, job(number), sent(number * TB))
        runs = [
            run.status
            async for run in forgetful.client.list_workflows(f"WorkflowId = '{ledger_id('2026-11')}'")
        ]
        assert (await costs(forgetful)).state.totals == (
            await ledger.month(MonthQuery(month="2026-11"))
        ).totals
        lines = {line.kind: line for line in (await costs(forgetful)).spent}
        assert (lines["compute"].count, lines["compute"].cost) == (60, Decimal(15))
        assert lines["transfer"].quantity == 1830 * TB
        assert (await post(ledger, job(1))).entered[0].new is False
    async with asyncio.timeout(PATIENCE_SECONDS):
        while WorkflowExecutionStatus.CONTINUED_AS_NEW not in runs:
            found = forgetful.client.list_workflows(f"WorkflowId = '{ledger_id('2026-11')}'")
            runs = [run.status async for run in found]


async def test_what_a_run_reserved_that_is_over_is_let_go(play: Play) -> None:
    play.world.owners = {}
    async with books(play) as ledger:
        now = month_of(await play.env.get_current_time())
        await ledger.reserve(reserving("data", TB).model_copy(update={"month": now}))
        assert (await ledger.month(MonthQuery(month=now))).egress_bytes == TB
        await play.env.sleep(timedelta(hours=2))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await ledger.month(MonthQuery(month=now))).egress_bytes:
                await asyncio.sleep(0.1)
