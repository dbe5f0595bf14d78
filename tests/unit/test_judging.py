"""Plans that break rules: what the planner says of residency, crossing, images, prices, egress and declassification."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.planning import Planner
from activities.prices import PriceBook
from contracts.connections import ConnectionReport
from contracts.errors import ErrorKind
from contracts.jobs import RunRef
from contracts.machines import Machine
from contracts.plan import Plan, PlanRequest
from contracts.policy import Policy, StoreFacts
from contracts.spec import PipelineSpec

RUN = RunRef(pipeline="p", key="k", run_uid="ab" * 16)
PLACES = {
    "aws/default": ("s3://c/", "eu-central-1"),
    "aws/us": ("s3://us/", "us-east-1"),
    "azure/default": ("az://c/", "westeurope"),
    "gcp/default": ("gs://c/", "europe-west4"),
    "onprem/default": ("file:///", "cellar"),
}
RULES: dict[str, Any] = {
    "classes": {"pii": {"clouds": ["aws", "azure"], "regions": ["eu-*", "westeurope"]}, "open": {}},
    "data": {"s3://landing/": "pii", "s3://c/published/": "pii"},
    "waivers": {"regions": ["dana"], "crossing": ["erin"], "declassify": ["erin"]},
    "places": {name: region for name, (_, region) in PLACES.items()},
}
SIZES = {"s3://landing/a/": 10**9, "file:///a/": 10**9}
CUSTOMERS: dict[str, Any] = {"kind": "copy", "on": "aws", "source": "s3://landing/a/"}
JOB: dict[str, Any] = {"kind": "train", "command": "x", "outputs": ["out"], "inputs": {"x": "a"}}
ASK: dict[str, Any] = {"kind": "approve", "question": "?", "approvers": ["erin"], "after": ["a"]}


def plan(stages: dict[str, Any], policy: dict[str, Any] | None = None, own: Any = None) -> Plan:
    price = {
        "per_hour": 1,
        "currency": "USD",
        "region": "eu-central-1",
        "as_of": "2026-01-01",
        "source": "test",
    }
    machine = Machine.model_validate({"instance": "m", "why": "it fits", "price": price})
    reports = {
        name: ConnectionReport(
            connection=name,
            identity="me",
            container=container,
            region=region,
            machines=dict.fromkeys(stages, machine),
        )
        for name, (container, region) in PLACES.items()
    }
    spec = PipelineSpec.model_validate({"pipeline": "p", "stages": stages, "policy": own})
    rules = Policy.model_validate(RULES if policy is None else policy)
    request = PlanRequest(run=RUN, spec=spec, connections=reports, sizes=SIZES)
    return Planner(PriceBook.from_environment(), policy=rules).make(request)


def broken(found: Plan) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(item.rule, item.stage, item.value, item.may_waive) for item in found.violations]


def test_a_plan_that_keeps_to_the_policy_breaks_no_rule_and_says_classes_in_its_paths() -> None:
    found = plan({"a": CUSTOMERS, "b": {**JOB, "on": "azure"}})
    assert broken(found) == []
    assert found.placements["b"].classes == ("pii",)
    assert found.placements["a"].prefix == f"s3://c/runs/{RUN.run_uid}/classes.pii/a/"
    assert found.transfers["a.data-to-aws.default"].target == f"s3://c/runs/{RUN.run_uid}/classes.pii/a/data/"
    moved = found.transfers["a.data-to-azure.default"].target
    assert moved == f"az://c/runs/{RUN.run_uid}/classes.pii/transfers/a/data/"


def test_a_stage_without_a_class_has_the_paths_that_it_had() -> None:
    found = plan({"a": {**CUSTOMERS, "source": "s3://other/a/"}, "b": {**JOB, "on": "gcp"}})
    assert broken(found) == []
    assert found.placements["b"].prefix == f"gs://c/runs/{RUN.run_uid}/b/"


@pytest.mark.parametrize(
    ("stages", "policy", "expected"),
    [
        pytest.param(
            {"a": CUSTOMERS, "b": {**JOB, "on": "gcp"}},
            RULES,
            [("clouds", "b", "gcp/default", ()), ("regions", "b", "europe-west4", ("dana",))],
            id="residency of a job",
        ),
        pytest.param(
            {"a": {**CUSTOMERS, "on": "aws/us"}},
            RULES,
            [("regions", "a", "us-east-1", ("dana",))],
            id="residency of a copy",
        ),
        pytest.param(
            {"a": CUSTOMERS, "b": {**JOB, "on": "azure"}},
            {**RULES, "approvals": {"crossing": ["pii"]}},
            [("crossing", "a.data-to-azure.default", "westeurope", ("erin",))],
            id="crossing",
        ),
        pytest.param(
            {"a": {**CUSTOMERS, "target": "s3://c/mine/"}},
            RULES,
            [("declassify", "a", "pii", ("erin",))],
            id="a target of nobody's class",
        ),
        pytest.param(
            {"a": {**CUSTOMERS, "target": "s3://c/published/"}}, RULES, [], id="a target of its class"
        ),
        pytest.param(
            {"b": {**JOB, "on": "aws", "inputs": {}, "image": "ghcr.io/other/x"}},
            {"images": ["ghcr.io/team/"]},
            [("images", "b", "ghcr.io/other/x", ())],
            id="images",
        ),
        pytest.param(
            {"a": CUSTOMERS, "b": {**JOB, "on": "azure"}},
            {**RULES, "max_egress": {"run": "999MB"}},
            [("egress_run", "", "1000000000", ())],
            id="egress",
        ),
        pytest.param(
            {"b": {**JOB, "on": "aws", "inputs": {}, "timeout": "3h", "expect": {"duration": "2h"}}},
            {"approvals": {"price": "1 USD"}, "waivers": {"price": ["fay"]}},
            [("price", "", "2 USD", ("fay",))],
            id="price",
        ),
        pytest.param(
            {"b": {**JOB, "on": "aws", "inputs": {}, "timeout": "3h", "retries": 1}},
            {"approvals": {"price": "5 USD"}, "waivers": {"price": ["fay"]}},
            [("price", "", "6 USD", ("fay",))],
            id="the most that a job costs of which nobody says how long it takes",
        ),
        pytest.param(
            {
                "b": {**JOB, "on": "aws", "inputs": {}, "retries": 0},
                "c": {**JOB, "on": "gcp", "inputs": {"x": "b"}, "retries": 0},
            },
            {"approvals": {"price": "50 USD"}, "waivers": {"price": ["fay"]}},
            [("price", "", "not known", ("fay",))],
            id="a price that nobody knows",
        ),
        pytest.param(
            {"a": CUSTOMERS, "ask": {**ASK, "approvers": ["erin", "guy"]}, "b": {**JOB, "on": "aws"}},
            RULES,
            [("declassify", "b", "ask", ())],
            id="somebody may answer whose yes takes no class off",
        ),
    ],
)
def test_what_a_plan_breaks(
    stages: dict[str, Any], policy: dict[str, Any], expected: list[tuple[str, str, str, tuple[str, ...]]]
) -> None:
    if "ask" in stages:
        stages = {**stages, "b": {**stages["b"], "declassify": "ask", "when": 'ask.answer == "yes"'}}
    assert broken(plan(stages, policy)) == expected


@pytest.mark.parametrize(
    ("approvals", "expected"),
    [
        ({}, {("regions", "dana")}),
        ({"crossing": ["pii"]}, {("regions", "dana"), ("crossing", "erin")}),
    ],
    ids=["residency", "crossing too"],
)
def test_a_plan_says_beforehand_what_a_worker_will_refuse_that_knows_no_region_of_the_other(
    approvals: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    stages = {"a": CUSTOMERS, "b": {**JOB, "on": "azure"}}
    told = {**RULES, "approvals": approvals, "places": {"azure": "westeurope"}}
    held = plan(stages, told)
    unsaid = plan(stages, {**told, "places": {}})
    assert [item.rule for item in held.violations] == list(approvals)
    assert {(item.rule, *item.may_waive) for item in unsaid.violations} == expected
    assert {item.stage for item in unsaid.violations} == {"a.data-to-azure.default"}
    assert any("name the region of azure/default under places" in item.message for item in unsaid.violations)


@pytest.mark.parametrize(("source", "on"), [("file:///a/", "aws"), ("s3://landing/a/", "aws/us")])
def test_what_leaves_no_cloud_is_not_counted_as_egress(source: str, on: str) -> None:
    copy = {"a": {"kind": "copy", "on": on, "source": source}}
    found = plan(copy, {"max_egress": {"run": "1MB"}})
    assert found.quote is not None
    assert [line.quantity for line in found.quote.of_kind("transfer").lines] == [10**9]
    assert broken(found) == []


def test_a_declassified_job_may_not_run_where_what_it_reads_may_not_lie() -> None:
    released = {**JOB, "declassify": "ask", "when": 'ask.answer == "yes"'}
    found = plan({"a": CUSTOMERS, "ask": ASK, "b": {**released, "on": "aws"}})
    assert (broken(found), found.placements["b"].prefix) == ([], f"s3://c/runs/{RUN.run_uid}/b/")
    elsewhere = plan({"a": CUSTOMERS, "ask": ASK, "b": {**released, "on": "gcp"}})
    assert {rule for rule, *_ in broken(elsewhere)} == {"clouds", "regions"}


def test_what_a_copy_declassifies_may_lie_anywhere() -> None:
    copy = {"kind": "copy", "on": "gcp", "inputs": {"x": "a"}, "declassify": "ask"}
    found = plan({"a": CUSTOMERS, "ask": ASK, "b": {**copy, "when": 'ask.answer == "yes"'}})
    assert broken(found) == []


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"encryption": "customer_key", "public_access_blocked": True}, []),
        ({"encryption": "provider", "public_access_blocked": False}, ["encryption", "public_access"]),
        ({}, ["encryption", "public_access"]),
    ],
    ids=["guarded", "open", "nobody says"],
)
def test_a_store_has_to_be_guarded_as_demanded_and_what_it_does_not_say_breaks_a_rule(
    facts: dict[str, Any], expected: list[str]
) -> None:
    rules = {"encryption": "customer_key", "public_access": "blocked"}
    spec = PipelineSpec.model_validate({"pipeline": "p", "stages": {"b": {**JOB, "on": "aws", "inputs": {}}}})
    held = StoreFacts(uri="s3://c/", **facts)
    report = ConnectionReport(connection="aws/default", identity="me", container="s3://c/", facts=(held,))
    request = PlanRequest(run=RUN, spec=spec, connections={"aws/default": report})
    found = Planner(policy=Policy.model_validate(rules)).make(request)
    assert [item.rule for item in found.violations] == expected


def test_a_pipelines_own_rule_is_broken_for_good() -> None:
    stages = {"b": {**JOB, "on": "aws", "inputs": {}, "data_class": "open"}}
    rules = {"classes": {"open": {}}, "waivers": {"clouds": ["dana"]}}
    assert broken(plan(stages, rules)) == []
    own = {"classes": {"open": {"clouds": ["azure"]}}}
    assert broken(plan(stages, rules, own)) == [("clouds", "b", "aws/default", ())]


def test_a_class_that_no_policy_has_is_a_mistake_of_the_pipeline() -> None:
    with pytest.raises(ApplicationError, match="no policy has a class 'pij'; did you mean 'pii'") as raised:
        plan({"b": {**JOB, "on": "aws", "inputs": {}, "data_class": "pij"}})
    assert raised.value.type == ErrorKind.INVALID_REQUEST
