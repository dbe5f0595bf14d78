"""Transfers on their own: what they go on from, what they stop before, what they leave to be seen."""

from io import StringIO

import pytest
from rich.console import Console

from contracts.errors import ErrorKind
from contracts.limits import Limits
from contracts.parts import SPAN_PARTS
from contracts.runs import TRANSFER_MEMO
from contracts.transfers import LIMITS_UPDATE, TransferOutcome
from starter.copy_show import report_of
from tests.charges import LISTED
from tests.workflows.play import Play
from tests.workflows.transferring import LARGE, PRICE, SPAN, Transfer, ended, error_of, lay, lay_large, start
from workflows.rounds import COSTLY_ROUNDS, ROUNDS
from workflows.transfer import TransferWorkflow


async def test_a_folder_is_moved_and_its_manifest_says_what_came_to_lie_there(play: Play) -> None:
    lay(play, 7)
    result = await ended(await start(play))
    assert result.result == play.world.folder("az://causeway/out/")
    assert result.manifest == "az://causeway/.causeway/manifests/uid-k/k.tsv"
    assert (result.tally.objects, result.objects) == (7, 7)


async def test_a_copy_is_called_done_only_when_what_it_came_to_can_be_read(play: Play) -> None:
    lay(play, 1)
    play.world.price = LISTED
    hold = play.world.hold("ledger.post")
    transfer = await start(play)
    await play.reach(hold)
    assert (await transfer.query(TransferWorkflow.status)).phase == "RUNNING"
    hold.release()
    await ended(transfer)
    assert (await transfer.query(TransferWorkflow.status)).phase == "SUCCEEDED"


async def test_what_a_copy_left_undone_is_all_that_the_next_one_does(play: Play) -> None:
    lay(play, 5)
    play.world.page, play.world.objects_at_once = 100, 2
    result = await ended(await start(play))
    asked = [
        [item.target.rsplit("/")[-1] for item in call.request.items]
        for call in play.world.asked("storage.copy")
    ]
    assert asked == [[f"{n:05}" for n in range(first, 5)] for first in (0, 2, 4)]
    assert result.tally.objects == 5
    assert len(play.world.asked("storage.grant_read")) == 3


async def test_grants_that_run_out_are_minted_anew_as_often_as_it_takes(play: Play) -> None:
    lay(play, ROUNDS + 5)
    play.world.page, play.world.objects_at_once = 100, 1
    assert (await ended(await start(play))).tally.objects == ROUNDS + 5


async def test_the_next_batch_is_granted_while_one_flows_and_waits_for_its_turn(play: Play) -> None:
    lay(play, 6)
    play.world.page = 2
    hold = play.world.hold("storage.copy")
    transfer = await start(play, limits=Limits(streams=4))
    await play.reach(hold)
    await play.settle()
    asked = {name: len(play.world.asked(f"storage.{name}")) for name in ("grant_read", "copy")}
    assert asked == {"grant_read": 2, "copy": 1}
    hold.release()
    assert (await ended(transfer)).tally.objects == 6
    copies = play.world.asked("storage.copy")
    assert [call.request.pace.streams for call in copies] == [4, 4, 4]


async def test_rounds_that_come_to_nothing_end_the_transfer(play: Play) -> None:
    lay(play, 1)
    play.world.fail("storage.copy", ErrorKind.UNAVAILABLE, times=10 * ROUNDS)
    assert (await error_of(await start(play))).type == ErrorKind.UNAVAILABLE
    assert len(play.world.asked("storage.copy")) == 2 * ROUNDS


async def test_wrong_checksums_and_absences_are_counted_apart(play: Play) -> None:
    lay(play, 1)
    play.world.fail("storage.copy", ErrorKind.CHECKSUM_MISMATCH, times=2 * (COSTLY_ROUNDS - 1))
    play.world.fail("storage.copy", ErrorKind.UNAVAILABLE, times=2 * (ROUNDS - 1))
    assert (await ended(await start(play))).tally.objects == 1


async def test_bytes_that_come_to_another_checksum_are_not_sent_for_ever(play: Play) -> None:
    lay(play, 1)
    play.world.fail("storage.copy", ErrorKind.CHECKSUM_MISMATCH, times=10 * ROUNDS)
    assert (await error_of(await start(play))).type == ErrorKind.CHECKSUM_MISMATCH
    assert len(play.world.asked("storage.copy")) == 2 * COSTLY_ROUNDS


@pytest.mark.parametrize("source", ["aws", "onprem"])
async def test_a_large_object_is_moved_span_by_span_and_sealed_once(play: Play, source: str) -> None:
    uri = lay_large(play, source)
    result = await ended(await start(play, source=source))
    assert result.tally.size_bytes == result.tally.bytes_sent == LARGE
    assert sorted(index for _, index in play.world.parts_sent) == list(range(3 * SPAN_PARTS + 1))
    assert len(play.world.asked("storage.seal")) == 1
    assert "az://causeway/out/large" in play.world.objects
    assert result.objects == 1
    assert uri


async def test_parts_that_came_to_another_checksum_are_told_as_that_however_they_end(play: Play) -> None:
    lay_large(play)
    play.world.fail("storage.seal", ErrorKind.CHECKSUM_MISMATCH, times=10 * ROUNDS)
    assert (await error_of(await start(play))).type == ErrorKind.CHECKSUM_MISMATCH
    # They are given up with the first attempt, so a second one would only miss them.
    assert len(play.world.asked("storage.seal")) == COSTLY_ROUNDS


@pytest.mark.parametrize("source", ["aws", "onprem"])
async def test_no_part_is_sent_twice_however_often_a_span_is_cut(play: Play, source: str) -> None:
    lay_large(play, source)
    play.world.parts_at_once = 3
    await ended(await start(play, source=source))
    assert sorted(index for _, index in play.world.parts_sent) == list(range(3 * SPAN_PARTS + 1))


async def test_parts_that_were_lost_before_the_seal_are_brought_again(play: Play) -> None:
    lay_large(play)
    hold = play.world.hold("storage.seal")
    transfer = await start(play)
    await play.reach(hold)
    play.world.parts["az://causeway/out/large"].discard(7)
    hold.release()
    result = await ended(transfer)
    assert [index for _, index in play.world.parts_sent].count(7) == 2
    assert result.tally.size_bytes == LARGE


async def test_a_pause_keeps_what_has_landed(play: Play) -> None:
    lay(play, 4)
    play.world.page, play.world.objects_at_once, play.world.cut = 100, 2, "STOPPED"
    hold = play.world.hold("storage.copy", lands=True)
    transfer = await start(play)
    await play.reach(hold)
    await transfer.signal(TransferWorkflow.pause, {})
    play.world.objects_at_once = 1000
    await play.cut(hold)
    hold.release()
    await transfer.signal(TransferWorkflow.resume, {})
    assert (await ended(transfer)).tally.objects == 4


async def test_new_limits_take_hold_while_it_runs(play: Play) -> None:
    lay(play, 2)
    hold = play.world.hold("storage.copy")
    transfer = await start(play, limits=Limits(streams=4))
    await play.reach(hold)
    limits = Limits(streams=2, bytes_per_second=1000)
    said = await transfer.execute_update(LIMITS_UPDATE, limits, result_type=str)
    assert "2 streams" in said
    await ended(transfer)
    first, last = play.world.asked("storage.copy")[0], play.world.asked("storage.copy")[-1]
    assert first.request.pace.streams == 4
    assert (last.request.pace.streams, last.request.pace.bytes_per_second) == (2, 1000)


async def test_a_dry_run_moves_nothing(play: Play) -> None:
    lay(play, 5)
    play.world.price = PRICE
    transfer = await start(play, dry_run=True)
    result = await ended(transfer)
    assert (result.result.object_count, result.tally.objects) == (5, 0)
    assert result.cost == PRICE.cost(result.result.size_bytes) > 0
    told = await (await transfer.describe()).memo_value(TRANSFER_MEMO, type_hint=TransferOutcome)
    out = StringIO()
    report_of(Console(file=out, width=80), "copy/k", "SUCCEEDED", told, None)
    assert "a dry run: that lies at the source, and nothing was sent" in out.getvalue()
    assert "egress: at most 0." in out.getvalue()
    assert play.world.asked("storage.grant_read") == play.world.asked("storage.copy") == []


async def test_what_it_costs_is_told_with_the_date_of_the_price(play: Play) -> None:
    lay_large(play)
    play.world.price = PRICE
    result = await ended(await start(play))
    assert result.cost == PRICE.cost(LARGE)
    assert (result.currency, result.price_as_of) == ("USD", PRICE.as_of)


async def test_what_it_costs_depends_on_where_its_two_ends_lie(play: Play) -> None:
    lay(play, 1)
    play.world.regions = {
        "aws/default": "us-east-1",
        "azure/default": "westeurope",
        "s3://causeway/": "eu-west-1",
    }
    await ended(await start(play))
    (asked,) = play.world.priced
    assert (asked.source_region, asked.destination_region) == ("eu-west-1", "westeurope")


async def test_an_end_that_does_not_say_where_it_lies_keeps_no_copy_waiting(play: Play) -> None:
    lay(play, 1)
    play.world.regions = {"azure/default": "westeurope"}
    play.world.fail("connections.preflight", ErrorKind.SOURCE_MISSING, on="aws/default")
    result = await ended(await start(play))
    (asked,) = play.world.priced
    assert (asked.source_region, asked.destination_region) == ("", "westeurope")
    assert result.objects == 1


async def test_its_memo_outlives_it(play: Play) -> None:
    lay(play, 2)
    transfer = await start(play)
    result = await ended(transfer)
    description = await transfer.describe()
    outcome = await description.memo_value(TRANSFER_MEMO, None, type_hint=TransferOutcome)
    assert outcome is not None
    assert (outcome.result, outcome.status.objects_done) == (result, 2)


async def test_ten_thousand_objects_take_under_three_hundred_events(play: Play) -> None:
    play.world.page = 1000
    lay(play, 10_000)
    transfer = await start(play)
    assert (await ended(transfer)).tally.objects == 10_000
    assert (await transfer.describe()).history_length < 300


async def cuts(play: Play, transfer: Transfer) -> int:
    """How often the transfer went on as new."""
    count, run_id = 0, transfer.first_execution_run_id
    while run_id:
        history = await play.client.get_workflow_handle(transfer.id, run_id=run_id).fetch_history()
        run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        count += bool(run_id)
    return count


@pytest.mark.parametrize("pauses", [False, True], ids=["straight on", "with a pause"])
async def test_a_long_transfer_goes_on_as_new_and_misses_nothing(forgetful: Play, pauses: bool) -> None:
    play = forgetful
    lay(play, 60)
    transfer = await start(play)
    if pauses:
        await transfer.signal(TransferWorkflow.pause, {"by": "ann"})
        await transfer.signal(TransferWorkflow.resume, {})
    result = await ended(transfer)
    assert await cuts(play, transfer) >= 2
    assert result.result == play.world.folder("az://causeway/out/")
    assert result.tally.objects == 60
    copied = [item.target for call in play.world.asked("storage.copy") for item in call.request.items]
    assert len(copied) == len(set(copied)) == 60


async def test_a_large_object_is_not_divided_by_the_cut(forgetful: Play) -> None:
    play = forgetful
    play.world.sizes["large"] = 12 * SPAN
    for number in range(3):
        play.put("aws", f"data/{number}", b"large")
    transfer = await start(play)
    result = await ended(transfer)
    assert await cuts(play, transfer) >= 1
    assert len(play.world.asked("storage.seal")) == 3
    assert len(play.world.parts_sent) == len(set(play.world.parts_sent)) == 3 * 12 * SPAN_PARTS
    assert result.tally.size_bytes == 3 * 12 * SPAN
