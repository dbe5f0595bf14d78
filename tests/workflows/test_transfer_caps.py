"""What a transfer stops before, and what it still commits when its time is over or a pause holds."""

import asyncio
from datetime import timedelta
from decimal import Decimal

from contracts.errors import ErrorKind
from contracts.limits import Caps
from contracts.parts import SPAN_PARTS
from tests.house import PATIENCE_SECONDS
from tests.workflows.play import Play
from tests.workflows.transferring import PRICE, SPAN, ended, error_of, lay, lay_large, start
from workflows.transfer import TransferWorkflow


async def test_a_cap_on_bytes_stops_it_before_it_breaks(play: Play) -> None:
    lay_large(play)
    error = await error_of(await start(play, caps=Caps(size_bytes=SPAN + 1)))
    assert error.type == ErrorKind.BUDGET_EXCEEDED
    assert len(play.world.parts_sent) <= SPAN_PARTS


async def test_a_cap_on_cost_stops_it_before_it_breaks(play: Play) -> None:
    lay_large(play)
    play.world.price = PRICE
    error = await error_of(await start(play, caps=Caps(cost=Decimal("0.03"))))
    assert (error.type, "0.03 USD" in error.message) == (ErrorKind.BUDGET_EXCEEDED, True)
    assert len(play.world.parts_sent) <= SPAN_PARTS


async def test_a_cost_is_not_capped_where_nobody_knows_the_price(play: Play) -> None:
    lay(play, 1)
    error = await error_of(await start(play, caps=Caps(cost=Decimal(1))))
    assert error.type == ErrorKind.BUDGET_EXCEEDED
    assert play.world.asked("storage.list") == []


async def test_a_transfer_that_takes_too_long_lands_and_stops(play: Play) -> None:
    lay(play, 2)
    hold = play.world.hold("storage.copy")
    transfer = await start(play, caps=Caps(duration=timedelta(seconds=2)))
    await play.reach(hold)
    assert (await error_of(transfer)).type == ErrorKind.BUDGET_EXCEEDED
    assert hold.cancelled.is_set()


async def test_what_was_pushed_when_the_time_is_over_is_committed(real: Play) -> None:
    play = real
    lay(play, 2, on="onprem")
    play.world.hold("storage.push").tells = True
    transfer = await start(play, source="onprem", caps=Caps(duration=timedelta(seconds=2)))
    assert (await error_of(transfer)).type == ErrorKind.BUDGET_EXCEEDED
    assert len(play.world.below("az://causeway/out/")) == 2


async def test_what_was_pushed_before_a_pause_is_committed_after_it(real: Play) -> None:
    play = real
    lay(play, 2, on="onprem")
    hold = play.world.hold("storage.push")
    hold.tells = True
    transfer = await start(play, source="onprem")
    await play.reach(hold)
    await transfer.signal(TransferWorkflow.pause, {"by": "ann"})
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await transfer.query(TransferWorkflow.status)).phase != "PAUSED":
            await asyncio.sleep(0.1)
    assert play.world.asked("storage.commit") == []
    await transfer.signal(TransferWorkflow.resume, {})
    assert (await ended(transfer)).tally.objects == 2
    assert len(play.world.asked("storage.push")) == len(play.world.asked("storage.commit")) == 1
