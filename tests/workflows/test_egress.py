"""What leaves clouds is agreed before it does: limits of a run and of a month, costs of bytes, and a source that grows."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.errors import ErrorKind
from contracts.ledger import ReserveRequest, leaves_cloud
from contracts.months import MonthRequest
from contracts.prices import EgressPrice, Tier
from contracts.runs import RunStatus, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, Run, spec_of
from tests.workflows.spending import GB, HOURLY, answer, asked, per_gb, question
from workflows.month import Month

MOVED = {"train": {"outputs": ["model"]}, "use": {"on": "gcp", "inputs": {"model": "train"}}}
BIG = "a model"


async def start(
    play: Play,
    stages: dict[str, Any] | None = None,
    gb: int = 10,
    price: EgressPrice | None = None,
    **fields: Any,
) -> Run:
    """A model of some GB, each of which costs 0.10 USD to leave AWS; machines are free."""
    play.world.hour_price = HOURLY.model_copy(update={"per_hour": Decimal(0)})
    play.world.price = price or per_gb("0.10")
    play.world.sizes[BIG] = gb * GB
    play.world.lives["train"] = [Life(leaves={"model": {"m": BIG.encode()}})]
    return await play.start(spec_of(stages or MOVED, **fields))


def spending(status: RunStatus) -> tuple[Decimal, int]:
    assert status.spending is not None
    assert status.spending.held == {}
    return status.spending.spent, status.spending.sent_bytes


async def test_a_transfer_that_fits_is_counted_with_what_it_sent(play: Play) -> None:
    status = await play.result(await start(play, budget="2 USD", max_egress="20GB"))
    assert spending(status) == (Decimal(1), 10 * GB)
    assert status.decisions == ()


async def test_what_a_transfer_had_sent_before_it_failed_counts_and_what_it_might_have_sent_no_more(
    play: Play,
) -> None:
    play.world.fail("storage.publish_manifest", ErrorKind.ACCESS_DENIED)
    run = await start(play, budget="2 USD", max_egress="20GB")
    status = await play.until(run, lambda now: now.stages["use"].error is not None)
    assert spending(status) == (Decimal(1), 10 * GB)
    await play.decide(run, "retry", "use")
    status = await play.result(run)
    sent = sum(line.quantity for line in status.charges if line.kind == "transfer")
    assert spending(status) == (sent / 10 / GB, sent), "as the ledger has it, of both times"


async def test_a_transfer_that_failed_before_it_sent_anything_counts_with_nothing(play: Play) -> None:
    play.world.fail("storage.list", ErrorKind.SOURCE_MISSING)
    run = await start(play, budget="2 USD", max_egress="20GB")
    status = await play.until(run, lambda now: now.stages["use"].error is not None)
    assert spending(status) == (Decimal(0), 0)
    await play.decide(run, "retry", "use")
    assert spending(await play.result(run)) == (Decimal(1), 10 * GB)


async def test_a_transfer_that_could_exceed_the_budget_asks_before_a_byte_moves(play: Play) -> None:
    run = await start(play, budget="0.50 USD")
    status = await asked(play, run, "use")
    assert question(status, "use") == (
        "bringing train.model from aws/default to gcp/default may cost 1.00 USD, which could exceed the budget of "
        "0.50 USD by 0.50 USD. Go on?"
    )
    assert not play.world.asked("storage.copy")
    await answer(run, "use", by="ann")
    assert spending(await play.result(run)) == (Decimal(1), 10 * GB)


async def test_a_transfer_is_priced_on_top_of_what_the_month_has_sent(play: Play) -> None:
    run = await start(play, budget="2 USD")
    await play.result(run)
    (call,) = play.world.asked("ledger.reserve")
    assert isinstance(call.request, ReserveRequest)
    assert (call.request.size_bytes, call.request.limit_bytes) == (10 * GB, None)
    assert leaves_cloud(call.request.source, call.request.destination)


async def others(play: Play, gb: int) -> None:
    """Another run that has reserved so much of this month, and sent none of it."""
    now = await play.env.get_current_time()
    month = Month(MonthRequest(month=f"{now:%Y-%m}"))
    size, ends = gb * GB, {"source": "aws/default", "destination": "gcp/default"}
    month.reserve(ReserveRequest(id="o/k", run_uid="o", size_bytes=size, **ends), now)
    play.world.months[month.name] = month


async def test_what_others_have_reserved_and_may_never_send_makes_no_transfer_cheaper(play: Play) -> None:
    await others(play, 50)
    tiers = (Tier(up_to_gb=Decimal(20), per_gb=Decimal("0.10")), Tier(up_to_gb=None, per_gb=Decimal("0.01")))
    run = await start(play, price=per_gb("0").model_copy(update={"tiers": tiers}), budget="0.50 USD")
    status = await asked(play, run, "use")
    assert "may cost 1.00 USD" in question(status, "use")
    await answer(run, "use", "no")


async def test_a_transfer_that_was_agreed_on_in_another_month_is_counted_into_the_one_it_begins_in(
    play: Play,
) -> None:
    run = await start(play, budget="0.50 USD")
    await asked(play, run, "use")
    assert len(play.world.asked("ledger.reserve")) == 1
    await play.pass_time(days=32)
    await answer(run, "use")
    assert spending(await play.result(run)) == (Decimal(1), 10 * GB)
    assert len(play.world.asked("ledger.reserve")) == 2


async def test_a_run_whose_ledger_is_away_counts_with_the_dearest_tier(play: Play) -> None:
    play.world.fail("ledger.reserve", ErrorKind.INVALID_REQUEST, "no ledger")
    run = await start(play, budget="0.50 USD")
    status = await asked(play, run, "use")
    assert "at the dearest tier" in status.asking["use"].shown["this step"]
    await answer(run, "use")
    await play.result(run)


async def test_a_pipelines_limit_of_egress_is_asked_about(play: Play) -> None:
    run = await start(play, max_egress="8GB")
    status = await asked(play, run, "use")
    assert "more than max_egress of" in question(status, "use")
    await answer(run, "use", "no")
    status = await play.until(run, lambda now: now.stages["use"].error is not None)
    error = status.stages["use"].error
    assert error is not None
    assert error.kind == ErrorKind.BUDGET_EXCEEDED
    assert play.world.asked("ledger.release"), "what will not be sent is reserved no more"
    assert not play.world.asked("storage.copy")


async def test_nobody_may_exceed_what_a_pipeline_forbids_itself_by_policy(play: Play) -> None:
    stages = {**MOVED, "use": {**MOVED["use"], "on_failure": "fail"}}
    run = await start(play, stages, policy={"max_egress": {"run": "8GB"}})
    kind, status = await play.failure(run)
    assert kind == ErrorKind.POLICY_VIOLATION
    assert status.stages["use"].error is not None
    assert "nobody may waive it" in status.stages["use"].error.message
    assert not play.world.asked("storage.copy")


async def test_a_limit_of_the_month_counts_what_other_runs_have_sent(play: Play) -> None:
    await others(play, 95)
    stages = {**MOVED, "use": {**MOVED["use"], "on_failure": "fail"}}
    run = await start(play, stages, policy={"max_egress": {"month": "100GB"}})
    kind, status = await play.failure(run)
    assert kind == ErrorKind.POLICY_VIOLATION
    assert status.stages["use"].error is not None
    assert "have left clouds, or still may" in status.stages["use"].error.message


async def test_bytes_whose_price_nobody_knows_are_asked_about(play: Play) -> None:
    run = await start(play, budget="20 USD")
    play.world.egress_of = {}
    stages = {
        "train": {"on": "gcp", "outputs": ["model"]},
        "use": {"on": "aws", "inputs": {"model": "train"}},
    }
    run = await play.start(spec_of(stages, budget="20 USD"), key="unpriced")
    status = await asked(play, run, "use")
    assert "what it costs is not known" in question(status, "use")
    assert "give an entry in the file of CAUSEWAY_PRICES" in status.asking["use"].shown["this step"]
    await answer(run, "use")
    await play.result(run)


COPY: dict[str, Any] = {"in": {"kind": "copy", "on": "gcp", "source": "s3://causeway/data/"}}


async def test_a_source_is_weighed_before_it_is_copied(play: Play) -> None:
    play.put("aws", "data/one", BIG.encode())
    run = await start(play, COPY, max_egress="8GB")
    status = await asked(play, run, "in")
    assert "more than max_egress of" in question(status, "in")
    assert not play.world.asked("storage.copy")
    await answer(run, "in")
    assert spending(await play.result(run))[1] == 10 * GB


@pytest.mark.parametrize("answered", ["yes", "no"])
async def test_a_budget_that_cannot_be_enough_is_told_before_a_byte_moves(play: Play, answered: str) -> None:
    play.put("aws", "data/one", BIG.encode())
    run = await start(play, COPY, budget="0.50 USD")
    status = await asked(play, run, "")
    assert status.waiting_for == "an answer before it begins"
    assert question(status, "") == ("The run costs at least 1.00 USD, and its budget is 0.50 USD. Begin it?")
    assert not play.world.asked("storage.copy")
    await answer(run, "", answered)
    if answered == "no":
        assert (await play.failure(run))[0] == ErrorKind.BUDGET_EXCEEDED
        return
    await asked(play, run, "in")
    await answer(run, "in")
    assert spending(await play.result(run)) == (Decimal(1), 10 * GB)


async def test_a_folder_that_grew_stops_before_it_exceeds_and_is_agreed_on_again(play: Play) -> None:
    play.put("aws", "data/one", BIG.encode())
    hold = play.world.hold("ledger.reserve")
    run = await start(play, COPY, max_egress="15GB")
    await play.reach(hold)
    play.put("aws", "data/two", BIG.encode())
    hold.release()
    status = await asked(play, run, "in")
    assert "more than max_egress of" in question(status, "in")
    sent = [item.source.uri for call in play.world.asked("storage.copy") for item in call.request.items]
    assert "s3://causeway/data/two" not in sent
    await answer(run, "in")
    status = await play.result(run)
    assert status.stages["in"].phase is StagePhase.SUCCEEDED
    assert status.spending is not None
    assert status.spending.held == {}


async def test_a_folder_too_large_to_be_listed_is_one_that_nobody_knows_the_weight_of(play: Play) -> None:
    for number in range(70):
        play.put("aws", f"data/{number:03}", b"x")
    run = await start(play, COPY, max_egress="8GB")
    status = await asked(play, run, "in")
    assert "how much it sends is not known" in question(status, "in")
    await answer(run, "in")
    assert spending(await play.result(run))[1] == 70


@pytest.mark.parametrize("bounds", [{}, {"budget": "20 USD"}])
async def test_what_stays_on_its_connection_is_never_asked_about(play: Play, bounds: dict[str, str]) -> None:
    play.world.hour_price = HOURLY
    play.world.lives["a"] = [Life(runs=timedelta(minutes=1))]
    stages: dict[str, Any] = {"a": {"timeout": "10m"}, "b": {"timeout": "10m", "inputs": {"x": "a"}}}
    status = await play.finish(spec_of(stages, **bounds))
    assert status.decisions == ()
    assert not play.world.asked("ledger.reserve")
