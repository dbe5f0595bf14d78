"""The quote of a plan: bounds and expectations by the second and the byte, and what nobody knows said to be unknown."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from activities.planning import Planner
from activities.prices import PriceBook
from contracts.connections import ConnectionReport
from contracts.jobs import RunRef
from contracts.ledger import MonthState, Sent
from contracts.machines import HourPrice, Machine
from contracts.plan import PlanRequest
from contracts.prices import GB
from contracts.quotes import Quote, QuoteLine
from contracts.spec import PipelineSpec

RUN = RunRef(pipeline="p", key="k", run_uid="ab" * 16)
CONTAINERS = {"aws": "s3://c/", "azure": "az://c/", "gcp": "gs://c/", "onprem": "file:///"}
REGIONS = {"aws": "us-east-1", "azure": "eastus", "gcp": "us-central1", "onprem": ""}
TB = 1024 * GB
JOB: dict[str, Any] = {"kind": "train", "command": "x", "outputs": ["out"], "timeout": "1h", "retries": 1}


def hour(price: str, currency: str = "USD", region: str = "us-east-1") -> HourPrice:
    return HourPrice(
        per_hour=Decimal(price), currency=currency, region=region, as_of=date(2026, 11, 1), source="us"
    )


def quoted(
    stages: dict[str, Any],
    *,
    prices: Mapping[str, HourPrice | None] | None = None,
    spot: bool = False,
    workflow: str = "pipeline",
    **request: Any,
) -> Quote:
    spec = PipelineSpec.model_validate({"pipeline": "p", "workflow": workflow, "stages": stages})
    machines = {
        name: Machine(instance="m", price=price, spot=spot, why="asked")
        for name, price in (prices or {}).items()
    }
    connections = {
        f"{cloud}/default": ConnectionReport(
            connection=f"{cloud}/default",
            identity="me",
            container=container,
            region=REGIONS[cloud],
            machines=machines,
        )
        for cloud, container in CONTAINERS.items()
    }
    asked = PlanRequest(run=RUN, spec=spec, connections=connections, **request)
    quote = Planner(PriceBook.from_environment()).make(asked).quote
    assert quote is not None
    return quote


def line_of(quote: Quote, name: str) -> QuoteLine:
    (found,) = [line for line in quote.lines if line.name == name]
    return found


def test_a_job_costs_what_is_expected_and_at_most_all_its_generations_to_their_timeouts() -> None:
    stages = {"train": {**JOB, "on": "aws", "expect": {"duration": "15m"}}}
    line = line_of(quoted(stages, prices={"train": hour("4")}), "train")
    assert (line.low, line.likely, line.high) == (0, 1, 8)
    assert line.quantity == 900
    assert "15m of m at 4 USD an hour" in line.why
    assert "stopped after 1h and tried again once at most" in line.why


def test_what_is_expected_beyond_the_timeout_is_cut_there() -> None:
    stages = {"train": {**JOB, "on": "aws", "retries": 0, "expect": {"duration": "9h"}}}
    line = line_of(quoted(stages, prices={"train": hour("4")}), "train")
    assert line.likely == line.high == 4


def test_a_duration_by_connection_is_that_of_where_the_stage_runs() -> None:
    expect = {"duration": {"aws": "30m"}}
    line = line_of(
        quoted({"train": {**JOB, "on": "aws", "expect": expect}}, prices={"train": hour("4")}), "train"
    )
    assert line.likely == 2


@pytest.mark.parametrize(
    ("stage", "price", "spot", "words"),
    [
        pytest.param({}, hour("4"), False, "give expect.duration", id="no-duration"),
        pytest.param({"expect": {"duration": "9m"}}, None, False, "CAUSEWAY_MACHINES", id="no-price"),
        pytest.param(
            {"on": "onprem", "expect": {"duration": "9m"}}, None, False, "CAUSEWAY_ONPREM_PRICE", id="on-prem"
        ),
        pytest.param({"expect": {"duration": "9m"}}, hour("4"), True, "spot costs less", id="spot"),
    ],
)
def test_what_nobody_knows_is_no_zero_and_says_how_to_give_it(
    stage: dict[str, Any], price: HourPrice | None, spot: bool, words: str
) -> None:
    quote = quoted({"train": {**JOB, "on": "aws", **stage}}, prices={"train": price}, spot=spot)
    line = line_of(quote, "train")
    assert line.likely is None
    assert words in line.why
    assert quote.unknown == (line,)
    assert line.high == (None if price is None else 8)


@pytest.mark.parametrize(
    ("foreach", "likely", "high"),
    [({"list": [1, 2, 3]}, 3, 24), ({"range": 5}, 5, 40), ({"query": "select 1 as x"}, None, None)],
)
def test_a_stage_over_items_costs_each_of_them(
    foreach: dict[str, Any], likely: int | None, high: int | None
) -> None:
    stages = {"train": {**JOB, "on": "aws", "foreach": foreach, "expect": {"duration": "15m"}}}
    line = next(one for one in quoted(stages, prices={"train": hour("4")}).lines if one.kind == "compute")
    assert (line.likely, line.high) == (likely, high)
    assert likely or "how many items there are is not known, each costs at most 8 USD" in line.why


def test_an_endpoint_costs_by_the_hour_until_it_is_retired_and_nothing_bounds_it() -> None:
    stages: dict[str, Any] = {"serve": {"kind": "deploy", "on": "aws", "command": "x"}}
    line = line_of(quoted(stages, prices={"serve": hour("4")}), "serve")
    assert (line.likely, line.high) == (None, None)
    assert "4 USD an hour" in line.why
    assert "until it is retired" in line.why
    stages["serve"]["expect"] = {"duration": "2h"}
    quote = quoted(stages, prices={"serve": hour("4")})
    assert (line_of(quote, "serve").kind, line_of(quote, "serve").likely) == ("endpoint", 8)
    stages["serve"]["temporary"] = False
    stays = line_of(quoted(stages, prices={"serve": hour("4")}), "serve")
    assert (stays.likely, stays.high) == (8, None)
    assert "until you remove it: it stays when the run has ended" in stays.why
    assert not quote.totals[0].bounded


def test_what_a_workflow_of_ones_own_runs_it_runs_as_often_as_it_decides_or_not_at_all() -> None:
    stages = {
        "in": {"kind": "copy", "on": "gcp", "source": "s3://theirs/data/"},
        "train": {**JOB, "on": "gcp", "inputs": {"it": "in"}, "expect": {"duration": "15m"}},
    }
    sizes = {"s3://theirs/data/": 1124 * GB}
    quote = quoted(stages, prices={"train": hour("4")}, workflow="until_good", sizes=sizes)
    assert [(line.low, line.likely, line.high) for line in quote.lines] == [
        (0, 1, None),
        (0, Decimal("92.16"), None),
    ]
    assert all(line.why.endswith("; as often as until_good has it done") for line in quote.lines)
    assert not quote.totals[0].bounded


def test_a_price_of_another_region_is_told() -> None:
    stages = {"train": {**JOB, "on": "aws", "expect": {"duration": "15m"}}}
    there = line_of(quoted(stages, prices={"train": hour("4", region="eu-west-1")}), "train").why
    assert "in eu-west-1, not in us-east-1 where the job runs" in there
    assert "where the job runs" not in line_of(quoted(stages, prices={"train": hour("4")}), "train").why


INGEST: dict[str, Any] = {"in": {"kind": "copy", "on": "gcp", "source": "s3://theirs/data/"}}


@pytest.mark.parametrize(
    ("terabytes", "before", "dollars"),
    [(10, 0, 922 - 9), (1, 10, 87), (49, 11, 4111), (40, 60, 2867)],
    ids=["first-ten", "the-eleventh", "twelfth-to-sixtieth", "sixty-first-to-hundredth"],
)
def test_a_transfer_costs_by_the_tiers_that_the_month_has_reached(
    terabytes: int, before: int, dollars: int
) -> None:
    sent = Sent(connection="aws/default", size_bytes=before * TB)
    month = MonthState(month="2026-11", sent=(sent,))
    quote = quoted(INGEST, sizes={"s3://theirs/data/": terabytes * TB}, month=month)
    line = line_of(quote, "in.data-to-gcp.default")
    assert round(line.likely or 0) == dollars
    assert line.low == line.likely == line.high


def test_what_other_runs_may_still_send_counts_as_sent() -> None:
    sent = Sent(connection="aws/default", size_bytes=4 * TB, reserved_bytes=6 * TB)
    quote = quoted(INGEST, sizes={"s3://theirs/data/": TB}, month=MonthState(month="2026-11", sent=(sent,)))
    assert line_of(quote, "in.data-to-gcp.default").likely == Decimal("87.04")


def test_transfers_of_one_run_share_the_tiers() -> None:
    stages = {**INGEST, "also": {"kind": "copy", "on": "azure", "source": "s3://theirs/more/"}}
    sizes = {"s3://theirs/data/": 10 * TB, "s3://theirs/more/": TB}
    (total,) = quoted(stages, sizes=sizes).totals
    assert round(total.likely) == 1009 - 9


def test_what_was_counted_in_part_is_a_floor_and_no_more() -> None:
    name = "s3://theirs/data/"
    line = line_of(quoted(INGEST, sizes={name: 10 * TB}, at_least=(name,)), "in.data-to-gcp.default")
    assert (line.likely, line.high) == (None, None)
    assert line.low == Decimal("912.60")
    assert "at least" in line.why


def test_what_a_stage_is_expected_to_leave_is_likely_and_bounds_nothing() -> None:
    stages = {
        "train": {**JOB, "on": "aws", "outputs": ["a", "b"], "expect": {"output_size": "400GB"}},
        "score": {**JOB, "on": "gcp", "inputs": {"x": "train.a"}},
    }
    line = line_of(quoted(stages), "train.a-to-gcp.default")
    assert (line.low, line.likely, line.high) == (0, 9, None)
    del stages["train"]["expect"]
    assert "expect.output_size of train" in line_of(quoted(stages), "train.a-to-gcp.default").why


@pytest.mark.parametrize(
    "change",
    [{"when": "1 == 1"}, {"on_failure": "skip"}, {"target": "gs://c/kept/"}],
    ids=lambda one: str(one),
)
def test_a_transfer_that_may_not_be_needed_may_cost_nothing(change: dict[str, Any]) -> None:
    quote = quoted({"in": {**INGEST["in"], **change}}, sizes={"s3://theirs/data/": TB})
    line = line_of(quote, "in.data-to-gcp.default")
    assert line.low == 0
    assert line.high == line.likely != 0


def test_of_the_alternatives_of_a_pick_one_is_paid() -> None:
    train = {**JOB, "outputs": ["model", "metrics"], "expect": {"output_size": "400GB"}}
    stages = {
        "one": {**train, "on": "aws"},
        "two": {**train, "on": "azure"},
        "best": {"kind": "pick", "from": ["one", "two"], "by": "max(metrics.auc)"},
        "score": {**JOB, "on": "gcp", "inputs": {"x": "best.model"}},
    }
    quote = quoted(stages).of_kind("transfer")
    likely = [line.likely for line in quote.lines]
    assert likely == [Decimal("4.5"), Decimal("4.35")]
    assert all("one of 2 that may be picked" in line.why for line in quote.lines)


@pytest.mark.parametrize(
    ("foreach", "likely", "words"),
    [
        ({"range": 4}, Decimal(6), "about 46.6 GiB"),
        ({"query": "select 1 as x"}, None, "one item of many is moved, and how many there are is not known"),
    ],
)
def test_of_a_stage_over_items_a_pick_takes_what_one_of_them_left(
    foreach: dict[str, Any], likely: Decimal | None, words: str
) -> None:
    expect = {"output_size": "400GB"}
    train = {**JOB, "outputs": ["model", "metrics"], "on": "gcp", "foreach": foreach, "expect": expect}
    stages = {
        "many": train,
        "best": {"kind": "pick", "from": ["many"], "by": "max(metrics.auc)"},
        "score": {**JOB, "on": "aws", "inputs": {"x": "best.model"}},
    }
    (line,) = quoted(stages).of_kind("transfer").lines
    assert (line.low, line.likely, line.high) == (0, likely, None)
    assert words in line.why


def test_bytes_that_leave_the_premises_have_no_known_price_and_those_that_stay_no_line() -> None:
    stages = {
        "in": {"kind": "copy", "on": "onprem", "source": "file:///a/"},
        "train": {**JOB, "on": "aws", "inputs": {"x": "in"}},
    }
    moved = quoted(stages, sizes={"file:///a/": TB}).of_kind("transfer")
    assert [line.name for line in moved.lines] == ["in.data-to-aws.default"]
    assert moved.lines[0].likely is None
    assert "from: onprem/default, to: aws/default" in moved.lines[0].why


def test_a_query_costs_what_it_reads() -> None:
    ask: dict[str, Any] = {"kind": "query", "on": "gcp", "sql": "select 1"}
    line = line_of(quoted({"ask": ask}), "ask")
    assert line.likely is None
    assert "give expect.scanned" in line.why
    line = line_of(quoted({"ask": {**ask, "expect": {"scanned": "2TiB"}}}), "ask")
    assert line.likely == Decimal("12.5")


def test_each_currency_has_a_total_of_its_own() -> None:
    stages = {
        name: {**JOB, "on": "aws", "expect": {"duration": "15m"}} for name in ("one", "two", "three", "four")
    }
    prices = {"one": hour("4"), "two": hour("8"), "three": hour("2", "EUR"), "four": None}
    quote = quoted(stages, prices=prices)
    assert [(total.currency, total.low, total.likely, total.high) for total in quote.totals] == [
        ("EUR", 0, Decimal("0.5"), 4),
        ("USD", 0, 3, 24),
    ]
    assert [line.name for line in quote.unknown] == ["four"]
