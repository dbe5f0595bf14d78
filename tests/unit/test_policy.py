"""The policy: what its rules say of a table of cases, each with its message, and how classes flow."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts import rules
from contracts.money import parse_money
from contracts.policy import Place, Policy, StoreFacts, Tightening, Violation

POLICY = Policy.model_validate(
    {
        "classes": {
            "pii": {
                "clouds": ["azure", "aws/eu"],
                "regions": ["eu-*", "westeurope"],
                "encryption": "customer_key",
            },
            "open": {},
        },
        "data": {"s3://landing/customers/": "pii", "gs://shared/": "open"},
        "encryption": "provider",
        "public_access": "blocked",
        "tls": "required",
        "audit": "required",
        "max_egress": {"run": "10GB", "month": "1TB"},
        "images": ["ghcr.io/team/", "docker.io/library/python"],
        "approvals": {"crossing": ["pii"], "price": "50 USD"},
        "waivers": {
            "crossing": ["dana"],
            "regions": ["erin", "dana"],
            "declassify": ["erin"],
            "price": ["fay"],
        },
    }
)
SAFE = StoreFacts(
    uri="s3://c/", encryption="customer_key", public_access_blocked=True, tls_required=True, audited=True
)
EU, US = Place(connection="aws/eu", region="eu-central-1"), Place(connection="aws/us", region="us-east-1")
PII = ("pii",)
RUN_UID = "ab" * 16


def facts(**changed: Any) -> StoreFacts:
    return SAFE.model_copy(update=changed)


def test_data_in_its_region_and_guarded_as_demanded_breaks_nothing() -> None:
    found = [
        *rules.residence((POLICY,), PII, EU),
        *rules.guards((POLICY,), PII, SAFE),
        *rules.images((POLICY,), "ghcr.io/team/train:1"),
        *rules.images((POLICY,), "docker.io/library/python:3.13"),
        *rules.egress((POLICY,), 10**10, 10**12),
        *rules.price((POLICY,), [parse_money("50 USD")]),
        *rules.crossing((POLICY,), PII, EU, Place(connection="aws/other", region="eu-central-1")),
        *rules.write_down((POLICY,), PII, "s3://c/runs/u/classes.pii/a/"),
        *rules.residence((POLICY,), (), US),
    ]
    assert found == []


@pytest.mark.parametrize(
    ("found", "rule", "value", "message", "may_waive"),
    [
        pytest.param(
            rules.residence((POLICY,), PII, Place(connection="gcp/default", region="eu-west3")),
            *("clouds", "gcp/default"),
            "data of class pii may lie on azure, aws/eu only, not on gcp/default",
            (),
            id="clouds",
        ),
        pytest.param(
            rules.residence((POLICY,), PII, Place(connection="azure/us", region="eastus")),
            *("regions", "eastus"),
            "data of class pii may lie in eu-*, westeurope only; azure/us is in eastus",
            ("erin", "dana"),
            id="regions",
        ),
        pytest.param(
            rules.residence((POLICY,), PII, Place(connection="azure/us")),
            *("regions", "an unknown region"),
            "data of class pii may lie in eu-*, westeurope only; azure/us is in an unknown region",
            ("erin", "dana"),
            id="a region that nobody knows",
        ),
        pytest.param(
            rules.guards((POLICY,), PII, facts(encryption="provider")),
            *("encryption", "provider"),
            "data of class pii has to be encrypted at rest with a key of: customer key; s3://c/: provider",
            (),
            id="encryption of a class",
        ),
        pytest.param(
            rules.guards((POLICY,), (), facts(encryption=None)),
            *("encryption", "unknown"),
            "every store has to be encrypted at rest with a key of: provider; s3://c/: its store does not say",
            (),
            id="encryption that nobody knows",
        ),
        pytest.param(
            rules.guards((POLICY,), (), facts(public_access_blocked=False)),
            *("public_access", "s3://c/"),
            "s3://c/ breaks public_access: blocked: the public is not blocked",
            (),
            id="public access",
        ),
        pytest.param(
            rules.guards((POLICY,), (), facts(tls_required=False)),
            *("tls", "s3://c/"),
            "s3://c/ breaks tls: required: requests without TLS are taken",
            (),
            id="tls",
        ),
        pytest.param(
            rules.guards((POLICY,), (), facts(audited=None)),
            *("audit", "s3://c/"),
            "s3://c/ breaks audit: required: its store does not say",
            (),
            id="audit",
        ),
        pytest.param(
            rules.images((POLICY,), "ghcr.io/teams/train:1"),
            *("images", "ghcr.io/teams/train:1"),
            "jobs may run images of ghcr.io/team/, docker.io/library/python only, not ghcr.io/teams/train:1",
            (),
            id="images",
        ),
        pytest.param(
            rules.images((POLICY,), "docker.io/library/python-evil:1"),
            *("images", "docker.io/library/python-evil:1"),
            "jobs may run images of ghcr.io/team/, docker.io/library/python only, not docker.io/library/python-evil:1",
            (),
            id="an image of nearly that name",
        ),
        pytest.param(
            rules.egress((POLICY,), 10**10 + 1, 10**10 + 1),
            *("egress_run", "10000000001"),
            "the run would send 10000000001 bytes out of clouds; at most 10000000000 may leave",
            (),
            id="egress of a run",
        ),
        pytest.param(
            rules.egress((POLICY,), 1, 10**12 + 1),
            *("egress_month", "1000000000001"),
            "the month with the run would send 1000000000001 bytes out of clouds; at most 1000000000000 may leave",
            (),
            id="egress of a month",
        ),
        pytest.param(
            rules.price((POLICY,), [parse_money("50.01 USD")]),
            *("price", "50.01 USD"),
            "the quote is 50.01 USD; above 50 USD it needs an approval",
            ("fay",),
            id="price",
        ),
        pytest.param(
            rules.price((POLICY,), [parse_money("1 EUR")]),
            *("price", "1 EUR"),
            "the quote is 1 EUR; above 50 USD it needs an approval",
            ("fay",),
            id="a price that cannot be compared",
        ),
        pytest.param(
            rules.crossing((POLICY,), PII, EU, Place(connection="azure/eu", region="westeurope")),
            *("crossing", "westeurope"),
            "data of class pii would cross from aws/eu (eu-central-1) to azure/eu (westeurope); that needs an approval",
            ("dana",),
            id="crossing",
        ),
        pytest.param(
            rules.write_down((POLICY,), PII, "s3://c/mine/"),
            *("declassify", "pii"),
            "data of class pii would be written to s3://c/mine/, of which nothing says so: name it under data of the "
            "policy, or let an approved stage declassify it",
            ("erin",),
            id="write down",
        ),
    ],
)
def test_what_breaks_a_rule_is_told_with_its_value_and_who_may_waive_it(
    found: Any, rule: str, value: str, message: str, may_waive: tuple[str, ...]
) -> None:
    expected = {"rule": rule, "stage": "", "value": value, "message": message, "may_waive": may_waive}
    assert list(found) == [Violation.model_validate(expected)]


def test_what_the_pipeline_forbids_is_forbidden_besides_and_nobody_may_waive_it() -> None:
    own = Tightening.model_validate({"classes": {"pii": {"clouds": ["azure"]}}})
    found = list(rules.residence((POLICY, own), PII, EU))
    assert [(item.rule, item.may_waive) for item in found] == [("clouds", ())]
    assert list(rules.residence((POLICY, own), PII, Place(connection="azure/eu", region="westeurope"))) == []


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"data": {"s3://b/": "x"}}, "there is no class 'x' under classes"),
        ({"data": {"ftp://b/": "x"}}, "is not a URI Causeway knows"),
        ({"waivers": {"residence": ["a"]}}, "Input should be 'clouds'"),
        ({"classes": {"a": {"clouds": ["awz"]}}}, "is not a connection"),
        ({"classes": {"a.b": {}}}, "String should match pattern"),
        ({"max_egres": {}}, "Extra inputs are not permitted"),
    ],
)
def test_a_policy_with_a_mistake_is_refused(written: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Policy.model_validate(written)
