"""Placement in words: why each place was chosen or lost, and what is told when none is left."""

from decimal import Decimal
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.planning import Planner
from contracts.candidates import Candidate, Standing
from contracts.errors import ErrorKind
from contracts.plan import Plan, PlanRequest
from contracts.policy import Policy, StoreFacts
from tests.placements import book, report, request_of, tiers

GB = 1_000_000_000
PRICES = book(aws=tiers(None, "0.09"), gcp=tiers(None, "0.12"), azure=tiers(None, "0.08"))
INGEST = {"kind": "copy", "on": "aws", "source": "s3://theirs/data/", "expect": {"output_size": "10GB"}}
TRAIN = {
    "kind": "train",
    "on": ["aws", "gcp"],
    "command": "python go.py",
    "inputs": {"data": "in"},
    "outputs": ["model"],
    "expect": {"duration": "1h"},
    "timeout": "4h",
}


def planned(stages: dict[str, Any], policy: Policy | None = None, **fields: Any) -> Plan:
    return Planner(PRICES, policy=policy).make(request_of(stages, **fields))


def candidates(plan: Plan, stage: str = "train") -> dict[str, Candidate]:
    return {held.connection.removesuffix("/default"): held for held in plan.placements[stage].candidates}


def whys(plan: Plan, stage: str = "train") -> dict[str, str]:
    return {name: held.why for name, held in candidates(plan, stage).items()}


def reports(**prices: str | None) -> dict[str, Any]:
    """Connections whose machine for `train` costs so much an hour."""
    found = [report(cloud, train=price) for cloud, price in prices.items()]
    return {held.connection: held for held in found}


def test_bytes_that_would_leave_decide_and_are_named() -> None:
    plan = planned({"in": INGEST, "train": TRAIN}, connections=reports(aws="1.00", gcp="0.50"))
    assert plan.placements["train"].connection == "aws/default"
    assert plan.transfers.keys() == {"in.data-to-aws.default"}
    assert whys(plan) == {
        "aws": "0.40 USD cheaper than gcp",
        "gcp": "0.40 USD dearer: 9.3 GiB would leave aws",
    }
    held = candidates(plan)
    assert (held["aws"].cost, held["gcp"].cost) == (Decimal("1.00"), Decimal("1.40"))
    assert (held["aws"].moved_bytes, held["gcp"].moved_bytes) == (0, 10 * GB)
    assert {one.seconds for one in held.values()} == {3600}
    assert plan.weighed == "all 2 placements were compared"


def test_a_machine_that_costs_less_than_the_bytes_wins() -> None:
    plan = planned({"in": INGEST, "train": TRAIN}, connections=reports(aws="3.00", gcp="0.50"))
    assert plan.placements["train"].connection == "gcp/default"
    assert whys(plan)["aws"] == "1.60 USD dearer: its machine costs more there"


def test_the_months_tiers_count_from_what_has_left_already() -> None:
    prices = book(aws=tiers("100", "0", None, "0.09"), gcp=tiers(None, "0.12"))
    connections = reports(aws="1.00", gcp="0.50")
    request = request_of({"in": INGEST, "train": TRAIN}, connections=connections)
    assert Planner(prices).make(request).placements["train"].connection == "gcp/default"
    used = request_of({"in": INGEST, "train": TRAIN}, connections=connections, sent={"aws/default": 100 * GB})
    assert Planner(prices).make(used).placements["train"].connection == "aws/default"


def test_an_unknown_price_is_not_zero() -> None:
    plan = planned({"in": INGEST, "train": TRAIN}, connections=reports(aws="900", gcp=None))
    assert plan.placements["train"].connection == "aws/default"
    assert whys(plan)["gcp"] == "what m-gcp costs is not known"
    assert candidates(plan)["gcp"].unknown == 1


def test_a_price_in_another_currency_is_not_compared() -> None:
    connections = reports(aws="1.00", gcp="0.01 EUR")
    plan = planned({"in": INGEST, "train": TRAIN}, connections=connections)
    assert plan.placements["train"].connection == "aws/default"
    assert whys(plan)["gcp"] == "its machine is priced in EUR, which is not compared with USD"
    alone = {key: value for key, value in TRAIN.items() if key != "inputs"}
    told = planned({"train": alone}, connections=connections, budget="5 EUR")
    assert whys(told)["aws"] == "its machine is priced in USD, which is not compared with EUR"


def test_a_size_that_nobody_knows_is_not_zero() -> None:
    ingest = {**INGEST, "expect": {}}
    plan = planned({"in": ingest, "train": TRAIN}, connections=reports(aws="1.00", gcp="0.50"))
    assert plan.placements["train"].connection == "aws/default"
    assert whys(plan)["gcp"] == "in.data would go from aws to gcp, and what it weighs is not known"
    assert candidates(plan)["gcp"].moved_bytes is None


def test_what_was_measured_goes_before_what_was_expected() -> None:
    stages = {"in": INGEST, "train": TRAIN}
    plan = planned(stages, connections=reports(aws="1.00", gcp="0.50"), sizes={"s3://theirs/data/": GB})
    assert plan.placements["train"].connection == "gcp/default"
    assert whys(plan)["aws"] == "0.41 USD dearer: its machine costs more there"


def test_what_lies_there_already_is_not_paid_again() -> None:
    stages = {"in": INGEST, "train": TRAIN}
    standing = Standing(lies={"in.data": ("gcp/default",)})
    plan = planned(stages, connections=reports(aws="1.00", gcp="0.90"), standing=standing)
    assert plan.placements["train"].connection == "gcp/default"
    assert candidates(plan)["gcp"].moved_bytes == 0


def test_equals_go_by_the_order_in_which_they_were_written() -> None:
    train = {key: value for key, value in TRAIN.items() if key != "inputs"}
    for written in (["aws", "gcp"], ["gcp", "aws"]):
        plan = planned({"train": {**train, "on": written}}, connections=reports(aws="1", gcp="1"))
        first, second = written
        assert plan.placements["train"].connection == f"{first}/default"
        assert whys(plan) == {
            first: f"as good as {second}, and written first",
            second: f"as good as {first}, which is written first",
        }


def test_an_artifact_that_two_stages_read_in_one_place_goes_there_once() -> None:
    stages = {
        "in": INGEST,
        "one": {**TRAIN, "on": "gcp"},
        "train": TRAIN,
    }
    plan = planned(stages, connections=reports(aws="1.00", gcp="0.50"))
    assert plan.placements["train"].connection == "gcp/default"
    assert list(plan.transfers) == ["in.data-to-aws.default", "in.data-to-gcp.default"]


def test_the_fastest_is_where_the_job_and_the_way_to_it_take_the_shortest() -> None:
    train = {**TRAIN, "expect": {"duration": {"aws": "60m", "gcp": "50m"}}}
    fast = planned({"in": INGEST, "train": train}, connections=reports(aws="1", gcp="9"), choose="fastest")
    assert fast.placements["train"].connection == "gcp/default"
    assert whys(fast)["aws"] == "7 min later"
    heavy = {**INGEST, "expect": {"output_size": "100GB"}}
    slow = planned({"in": heavy, "train": train}, connections=reports(aws="1", gcp="9"), choose="fastest")
    assert slow.placements["train"].connection == "aws/default"
    assert whys(slow)["gcp"] == "23 min later: 93.1 GiB would be brought there first"


def test_near_data_moves_as_little_as_it_can_whatever_that_costs() -> None:
    plan = planned({"in": INGEST, "train": TRAIN}, connections=reports(aws="99", gcp="1"), choose="near_data")
    assert plan.placements["train"].connection == "aws/default"
    assert whys(plan)["gcp"] == "9.3 GiB more would be moved"


SECRET = Policy.model_validate(
    {"classes": {"secret": {"clouds": ["gcp", "azure"]}, "eu": {"regions": ["eu-*"]}}}
)


def test_a_rule_takes_a_place_and_is_named() -> None:
    ingest = {**INGEST, "on": ["aws", "gcp"], "data_class": "secret"}
    plan = planned({"in": ingest, "train": TRAIN}, SECRET, connections=reports(aws="1", gcp="9"))
    assert plan.placements["train"].connection == plan.placements["in"].connection == "gcp/default"
    lost = candidates(plan)["aws"]
    assert lost.rule == "clouds"
    assert lost.why == "data of class secret may lie on gcp, azure only, not on aws/default"
    assert whys(plan)["gcp"] == "the only place that is left"


WAIVABLE = SECRET.model_copy(update={"waivers": {"clouds": ("dana",)}})


def test_a_place_that_needs_a_yes_is_weighed_and_loses_to_a_dearer_one_that_needs_none() -> None:
    train = {**TRAIN, "data_class": "secret"}
    plan = planned({"in": INGEST, "train": train}, WAIVABLE, connections=reports(aws="1", gcp="9"))
    assert plan.placements["train"].connection == "gcp/default"
    assert plan.violations == ()
    lost = candidates(plan)["aws"]
    assert (lost.rule, lost.asks, lost.cost is not None) == ("", ("clouds",), True)
    assert whys(plan)["aws"] == (
        "only with a yes: rule clouds: data of class secret may lie on gcp, azure only, not on aws/default "
        "(dana may waive it)"
    )
    assert whys(plan)["gcp"] == "fewer rules have to be waived than on aws"


def test_where_every_place_needs_a_yes_the_best_is_chosen_and_the_plan_says_so() -> None:
    train = {**TRAIN, "data_class": "secret", "on": ["aws", "onprem"]}
    plan = planned({"in": INGEST, "train": train}, WAIVABLE, connections=reports(aws="1", onprem="9"))
    assert plan.placements["train"].connection == "aws/default"
    assert whys(plan)["aws"].endswith("; only with a yes (rule clouds)")
    assert [(one.rule, one.stage, one.may_waive) for one in plan.violations] == [
        ("clouds", "train", ("dana",))
    ]


def test_a_place_whose_store_lacks_what_is_demanded_is_none() -> None:
    demanding = Policy.model_validate({"encryption": "customer_key"})
    held = reports(aws="1", gcp="9")
    facts = {"gcp/default": "customer_key", "aws/default": "provider"}
    guarded = {
        name: one.model_copy(
            update={"facts": (StoreFacts(uri=one.container, encryption=facts.get(name, "customer_key")),)}
        )
        for name, one in held.items()
    }
    plan = planned({"in": {**INGEST, "on": "gcp"}, "train": TRAIN}, demanding, connections=guarded)
    assert plan.placements["train"].connection == "gcp/default"
    assert candidates(plan)["aws"].rule == "encryption"


def test_where_no_place_is_left_each_is_told_with_the_rule_that_took_it() -> None:
    train = {**TRAIN, "data_class": "eu"}
    with pytest.raises(ApplicationError) as refused:
        planned(
            {"in": INGEST, "train": train},
            SECRET,
            connections=reports(aws="1"),
            refused={"gcp/default": "away"},
        )
    assert refused.value.type == ErrorKind.POLICY_VIOLATION
    assert refused.value.message.splitlines() == [
        "stage train can run nowhere:",
        "aws/default: rule regions: data of class eu may lie in eu-* only; aws/default is in us-east-1",
        "gcp/default: away",
    ]


def test_two_stores_that_nobody_can_reach_are_not_paired() -> None:
    connections = {
        held.connection: held
        for held in (report("aws", hidden=True), report("onprem", hidden=True), report("gcp", train="9"))
    }
    stages = {"in": INGEST, "train": {**TRAIN, "on": ["onprem", "gcp"]}}
    plan = planned(stages, connections=connections)
    assert plan.placements["train"].connection == "gcp/default"
    assert whys(plan)["onprem"] == (
        "neither aws nor onprem can be reached from outside, so that in.data could not be brought"
    )
    with pytest.raises(ApplicationError, match="neither aws nor onprem can be reached") as refused:
        planned({"in": INGEST, "train": {**TRAIN, "on": ["onprem", "azure"]}}, connections=connections)
    assert refused.value.type == ErrorKind.UNSUPPORTED


def test_a_plan_that_is_made_again_keeps_what_began_and_avoids_what_was_tried() -> None:
    stages = {"in": {**INGEST, "on": "any"}, "train": TRAIN}
    standing = Standing(
        fixed={"in": "aws/default"}, excluded={"train": {"aws/default": "CAPACITY: no machine was free"}}
    )
    plan = planned(stages, connections=reports(aws="1", gcp="9", azure="1"), standing=standing)
    assert plan.placements["in"].connection == "aws/default"
    assert plan.placements["train"].connection == "gcp/default"
    assert whys(plan) == {"aws": "CAPACITY: no machine was free", "gcp": "the only place that is left"}
    assert whys(plan, "in")["gcp"] == "it began on aws/default"


def test_the_same_request_in_another_order_makes_the_same_plan() -> None:
    stages = {"in": {**INGEST, "on": "any"}, "train": TRAIN, "too": {**TRAIN, "on": "any"}}
    connections = reports(aws="1", gcp="0.9", azure="0.8")
    first = Planner(PRICES).make(request_of(stages, connections=connections))
    other = Planner(PRICES).make(
        PlanRequest.model_validate(
            request_of(stages, connections=dict(reversed(connections.items()))).model_dump(by_alias=True)
        )
    )
    assert first.model_dump_json() == other.model_dump_json()
