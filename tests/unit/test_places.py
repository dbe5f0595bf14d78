"""Stages that may run in several places: what is a mistake, who goes together, and the pipeline once all are chosen."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.connections import PreflightRequest, Wish
from contracts.graph import problems_of
from contracts.places import leader_of, narrowed, open_places, placed, reopened
from contracts.spec import PipelineSpec
from workflows.asked import insisted, needed, requests_of

JOB = {"kind": "train", "command": "python go.py", "outputs": ["out"]}
SERVER = {"kind": "deploy", "command": "python serve.py"}


def spec(stages: dict[str, Any]) -> PipelineSpec:
    return PipelineSpec.model_validate({"pipeline": "p", "stages": stages})


def told(stages: dict[str, Any]) -> list[tuple[str, str]]:
    return [(".".join(map(str, found.path)), found.message) for found in problems_of(spec(stages))]


@pytest.mark.parametrize(
    ("stage", "field", "words"),
    [
        pytest.param(
            {"kind": "query", "on": ["aws", "azure"], "sql": "select 1"},
            "a.on",
            "needs tables",
            id="no-tables",
        ),
        pytest.param(
            {"kind": "copy", "on": ["aws", "azure"], "source": "s3://b/x", "target": "gs://b/x"},
            "a.target",
            "does not lie on 'azure/default'",
            id="target-elsewhere",
        ),
        pytest.param(
            {**JOB, "on": ["aws", "gcp"], "resources": {"instance": "ml.m5.large"}},
            "a.resources.instance",
            "one cloud's own name",
            id="one-clouds-machine",
        ),
        pytest.param(
            {**JOB, "on": "any", "resources": {"instance": "ml.m5.large"}},
            "a.resources.instance",
            "one cloud's own name",
            id="one-clouds-machine-anywhere",
        ),
        pytest.param(
            {**JOB, "on": ["aws", "gcp"], "expect": {"duration": {"azure": "1h"}}},
            "a.expect.duration",
            "never runs on 'azure/default'; it may run on aws or gcp",
            id="expected-elsewhere",
        ),
    ],
)
def test_a_stage_that_could_run_in_none_of_its_places_is_a_mistake(
    stage: dict[str, Any], field: str, words: str
) -> None:
    ((at, message),) = told({"a": stage})
    assert at == f"stages.{field}"
    assert words in message


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param({"kind": "query", "on": ["aws", "gcp/eu"], "sql": "select 1"}, id="one-has-tables"),
        pytest.param({"kind": "query", "on": "any", "sql": "select 1"}, id="any-may-have-tables"),
        pytest.param(
            {"kind": "copy", "on": ["aws", "gcp"], "source": "s3://b/x", "target": "gs://b/x"}, id="target"
        ),
        pytest.param(
            {**JOB, "on": ["aws", "aws/eu"], "resources": {"instance": "ml.m5.large"}}, id="one-cloud"
        ),
    ],
)
def test_a_stage_that_can_run_in_one_of_its_places_is_sound(stage: dict[str, Any]) -> None:
    assert told({"a": stage}) == []


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        pytest.param({"duration": "-1h"}, "duration", id="negative-time"),
        pytest.param({"duration": "0s"}, "duration", id="no-time"),
        pytest.param({"output_size": "-1GB"}, "output_size", id="negative-size"),
        pytest.param({"duration": {"mars": "1h"}}, "connection", id="no-cloud"),
        pytest.param({"duration": "1000000d"}, "duration", id="absurd-time"),
        pytest.param({"output_size": "9999999999999999999TB"}, "output_size", id="absurd-size"),
    ],
)
def test_absurd_expectations_are_refused(expect: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        spec({"a": {**JOB, "on": ["aws", "gcp"], "expect": expect}})


@pytest.mark.parametrize(
    ("deploy", "invoke", "wrong"),
    [
        pytest.param(["aws", "gcp"], ["aws", "gcp"], "", id="the-same"),
        pytest.param(["aws", "gcp"], "any", "", id="anywhere"),
        pytest.param("aws", "any", "", id="anywhere-beside-one"),
        pytest.param("any", "any", "", id="both-anywhere"),
        pytest.param(["aws", "gcp"], "aws", "may run on aws or gcp, not aws; write the same", id="fewer"),
        pytest.param("any", "aws", "may run on any, not aws; write the same", id="one-of-any"),
    ],
)
def test_who_asks_an_endpoint_is_where_it_is(deploy: Any, invoke: Any, wrong: str) -> None:
    rows = {"kind": "copy", "on": "aws", "source": "s3://b/x"}
    ask = {"kind": "invoke", "endpoint": "serve", "inputs": {"data": "rows"}, "on": invoke}
    stages = {"rows": rows, "serve": {**SERVER, "on": deploy}, "ask": ask}
    messages = [message for _, message in told(stages)]
    assert [wrong in message for message in messages] == ([True] if wrong else [])
    assert leader_of(spec(stages), "ask") == "serve"


def test_a_placed_pipeline_is_the_one_its_author_could_have_written() -> None:
    written = spec(
        {"a": {**JOB, "on": ["aws", "gcp/eu"]}, "b": {**JOB, "on": "any"}, "c": {**JOB, "on": "azure"}}
    )
    chosen = {"a": "gcp/eu", "b": "onprem/default", "c": "azure/default"}
    found = placed(written, chosen)
    by_hand = spec({name: {**JOB, "on": connection} for name, connection in chosen.items()})
    assert found == by_hand
    assert found.digest == by_hand.digest
    assert reopened(found, open_places(written)) == written
    assert open_places(narrowed(written, ("aws/default", "gcp/default")))["b"] == (
        "aws/default",
        "gcp/default",
    )


def test_a_connection_that_a_stage_might_use_is_asked_and_not_needed() -> None:
    asked = {
        request.connection: request
        for request in requests_of(
            spec({"a": {**JOB, "on": ["aws", "gcp"]}, "b": {**JOB, "on": "aws"}}), create=False
        )
    }
    assert needed(spec({"a": {**JOB, "on": ["aws", "gcp"]}, "b": {**JOB, "on": "aws"}})) == {"aws/default"}
    assert set(asked["aws/default"].machines) == {"b"}
    assert set(asked["aws/default"].wishes) == set(asked["gcp/default"].wishes) == {"a"}
    assert asked["gcp/default"].needs == ("storage",)


def test_a_check_looks_for_all_that_might_be_asked() -> None:
    asked = PreflightRequest(
        connection="aws/default", wishes={"a": Wish(needs=("jobs", "storage"), image_given=False)}
    )
    found = insisted(asked)
    assert (found.needs, found.image_given, found.wishes) == (("jobs", "storage"), False, {})
