"""A month of the ledger counts each thing once, by the tiers of the month, and stays small."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.accounts import add_up, rounded, spent_of
from contracts.ledger import ReserveRequest, reservation_of, totals_of
from contracts.months import MonthProgress, MonthRequest
from tests.charges import LISTED, MORNING, TB, job, sent
from workflows import month as month_module
from workflows.month import Month

MANY = 50_000
ROOM_BYTES = 1_000_000
"""A payload may be 2 MB, and a codec may add to it."""


def fresh() -> Month:
    return Month(MonthRequest(month="2026-11"))


def again(month: Month) -> Month:
    """The month as the next execution has it."""
    progress = MonthProgress.model_validate_json(month.progress.model_dump_json())
    return Month(MonthRequest(month=month.name, progress=progress))


def asked(key: str, size_bytes: int, **fields: Any) -> ReserveRequest:
    given = {"id": reservation_of("uid", key), "run_uid": "uid", "size_bytes": size_bytes, **fields}
    return ReserveRequest(**{"source": "aws/default", "destination": "gcp/default", **given})


@pytest.mark.parametrize(
    ("terabytes", "dollars"), [(10, "921.600"), (11, "1008.640"), (60, "5120.000"), (100, "7987.200")]
)
def test_two_runs_of_a_month_pay_together_what_its_tiers_say(terabytes: int, dollars: str) -> None:
    month = fresh()
    first = month.enter(sent(7 * TB, "play/one")).cost
    rest = month.enter(sent((terabytes - 7) * TB, "play/two")).cost
    assert first is not None
    assert rest is not None
    assert first + rest == Decimal(dollars)
    assert [known.cost for known in month.state.totals] == [Decimal(dollars)]
    alone = LISTED.cost((terabytes - 7) * TB)
    assert rest < alone or terabytes == 10


def test_what_is_posted_twice_counts_once_and_costs_the_same() -> None:
    month = fresh()
    charges = [sent(9 * TB, "play/one"), sent(4 * TB, "play/two"), job(1)]
    first = [month.enter(charge) for charge in charges]
    later = again(month)
    second = [later.enter(charge) for charge in charges]
    assert [entered.cost for entered in second] == [entered.cost for entered in first]
    assert [entered.new for entered in (*first, *second)] == [True] * 3 + [False] * 3
    assert (later.state, later.costs) == (month.state, month.costs)


def test_a_job_that_was_begun_anew_is_another_charge_of_the_same_line() -> None:
    month = fresh()
    for number in (1, 2, 3):
        month.enter(job(number))
    (line,) = month.costs.spent
    assert (line.count, line.quantity, line.cost) == (3, Decimal(180), Decimal("0.75"))


def test_what_nobody_knows_the_price_of_is_counted_and_is_not_zero() -> None:
    month = fresh()
    month.enter(job(1))
    month.enter(job(2, cost=None))
    known, unknown = month.costs.spent
    assert (known.cost, unknown.cost, unknown.currency) == (Decimal("0.25"), None, "")
    assert month.state.unknown == 1
    assert [one.cost for one in month.state.totals] == [Decimal("0.25")]


def test_currencies_are_never_added_up() -> None:
    month = fresh()
    month.enter(job(1))
    month.enter(job(2, currency="EUR"))
    assert [(one.currency, one.cost) for one in month.state.totals] == [
        ("EUR", Decimal("0.25")),
        ("USD", Decimal("0.25")),
    ]


def test_bytes_within_a_cloud_are_no_egress() -> None:
    month = fresh()
    month.enter(sent(TB, destination="aws/eu", egress=None))
    month.enter(sent(TB, connection="onprem/default", id="other", egress=None))
    assert month.state.sent == ()
    assert month.reserve(asked("a", TB, destination="aws/eu", limit_bytes=1), MORNING).granted
    assert month.state.sent == ()


def test_what_is_reserved_counts_for_those_who_come_later_until_it_is_charged() -> None:
    month = fresh()
    assert month.reserve(asked("a", 10 * TB), MORNING).before_bytes == 0
    second = month.reserve(asked("b", TB), MORNING)
    assert second.before_bytes == 10 * TB
    assert second.month.before("aws/default") == 11 * TB
    later = again(month)
    later.enter(sent(6 * TB, settles=reservation_of("uid", "a")))
    assert later.state.before("aws/default") == 7 * TB
    assert later.release("uid") == TB
    assert later.state.before("aws/default") == 6 * TB
    assert not later.reserved


def test_reserving_again_holds_the_larger_and_counts_once() -> None:
    month = fresh()
    for size in (5, 9, 7):
        assert month.reserve(asked("a", size), MORNING).before_bytes == 0
    assert month.state.egress_bytes == 9


def test_what_would_exceed_the_limit_is_refused_and_leaves_what_was_held() -> None:
    month = fresh()
    month.enter(sent(60))
    assert month.reserve(asked("a", 40, limit_bytes=100), MORNING).granted
    refused = month.reserve(asked("b", 1, limit_bytes=100), MORNING)
    assert (refused.granted, refused.month.egress_bytes) == (False, 100)
    larger = month.reserve(asked("a", 41, limit_bytes=100), MORNING)
    assert (larger.granted, larger.month.egress_bytes) == (False, 100)


def test_only_runs_that_reserved_a_while_ago_are_looked_after() -> None:
    month = fresh()
    month.reserve(asked("a", 1), MORNING)
    assert month.reserving(MORNING) == ()
    assert month.reserving(MORNING + timedelta(seconds=1)) == ("uid",)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=30))
def test_a_month_that_goes_on_in_another_execution_forgets_nothing(posts: list[tuple[int, int]]) -> None:
    straight, cut = fresh(), fresh()
    for run, size in posts:
        charge = sent(size * TB, f"play/{run}")
        assert straight.enter(charge).cost == cut.enter(charge).cost
        cut = again(cut)
    assert cut.progress == straight.progress
    assert totals_of(straight.costs.spent) == straight.state.totals


def test_fifty_thousand_charges_of_as_many_runs_fit_into_a_payload_and_none_is_lost() -> None:
    month, total = fresh(), Decimal(0)
    for number in range(MANY):
        seconds = Decimal(number * 7919 % 100_000) / 1000
        cost = rounded(seconds * Decimal("0.115") / 3600)
        assert cost is not None
        ended = MORNING + timedelta(seconds=number)
        month.enter(
            job(1, f"pipeline-{number % 200}/{number:032x}", str(cost), quantity=seconds, ended_at=ended)
        )
        total += cost
    held = again(month)
    assert len(month.progress.model_dump_json()) < ROOM_BYTES
    assert held.state.totals == month.state.totals
    assert [known.cost for known in totals_of(held.costs.spent)] == [total]
    assert sum(line.count for line in held.costs.spent) == MANY
    runs = [line.run_id for line in held.costs.spent if line.run_id]
    assert month_module.LINES_KEPT / 3 < len(runs) < month_module.LINES_KEPT
    assert f"pipeline-{(MANY - 1) % 200}/{MANY - 1:032x}" in runs
    assert not held.enter(job(1, f"pipeline-199/{MANY - 1:032x}")).new


def test_lines_are_added_up_in_the_order_in_which_they_came() -> None:
    lines = add_up(spent_of(charge) for charge in (job(1), job(2, sku="ml.c5.large"), job(3)))
    assert [(line.sku, line.count) for line in lines] == [("ml.m5.large", 2), ("ml.c5.large", 1)]
