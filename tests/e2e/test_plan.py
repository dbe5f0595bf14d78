"""`starter plan` as a person calls it, on the local clouds: it says where, why and at what cost, and changes nothing."""

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.layout import CONTAINER, Endpoints, Layout
from tests.house import Answer, Sandbox
from tests.person import person
from tests.pipelines import write

KEPT = (
    "onprem",
    "state/gcs/objects",
    "state/blob/__blobstorage__",
    "state/sagemaker",
    "state/vertex",
    "state/azure",
)
"""Where the local clouds keep objects and jobs; S3 is asked itself, its objects lie in memory."""


def everything(house: Sandbox) -> set[str]:
    """All that the clouds hold: the names of objects, jobs and files."""
    layout = Layout.from_environment()
    endpoints = Endpoints.load(Layout(house.root, layout.tools, layout.checkout))
    s3: Any = boto3.client(
        "s3",
        endpoint_url=endpoints.s3_url,
        region_name=endpoints.aws_region,
        aws_access_key_id=endpoints.aws_root_access_key_id,
        aws_secret_access_key=endpoints.aws_root_secret_access_key,
    )
    buckets = [held["Name"] for held in s3.list_buckets()["Buckets"]]
    found = {f"s3://{bucket}" for bucket in buckets}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=CONTAINER):
        found |= {f"s3://{CONTAINER}/{item['Key']}" for item in page.get("Contents", [])}
    files = (path for place in KEPT for path in (house.root / place).rglob("*") if path.is_file())
    return found | {str(path) for path in files}


def planned(house: Sandbox, *arguments: str) -> Answer:
    before = everything(house)
    answer = house.starter("plan", *arguments)
    assert everything(house) == before
    return answer


@pytest.mark.parametrize("pipeline", ["quickstart", "champion-challenger"])
def test_a_plan_says_where_and_at_what_cost_and_changes_nothing(house: Sandbox, pipeline: str) -> None:
    answer = planned(house, pipeline, "--json")
    assert answer.code == 0, answer.err
    document = answer.document
    assert document["allowed"] is True
    stages = {stage["name"]: stage for stage in document["stages"]}
    assert all(stage["connection"] for stage in stages.values() if stage["kind"] != "pick")
    (ingest,) = [one for one in document["transfers"] if one["key"] == "ingest.data-to-aws.default"]
    assert ingest["bytes"] == 124_123
    lines = {line["name"]: line for line in document["quote"]["lines"]}
    job = lines["train" if pipeline == "quickstart" else "train_aws"]
    assert 0 < float(job["likely"]) < float(job["high"])
    assert (job["currency"], job["quantity"]) == ("USD", 120)
    assert document["quote"]["unknown"] == ["ingest.data-to-aws.default"]
    assert lines["ingest.data-to-aws.default"]["likely"] is None


def test_a_plan_is_for_people_too(house: Sandbox) -> None:
    answer = planned(house, "champion-challenger")
    assert answer.code == 0
    assert "nothing was changed" in answer.out
    assert "rules: none is broken" in answer.out


def test_what_a_plan_says_is_where_a_run_runs_and_the_report_has_its_quote(
    house: Sandbox, tmp_path: Path
) -> None:
    stages = {
        "fetch": {"kind": "copy", "on": ["aws", "gcp"], "source": "file:///quickstart/breast_cancer.csv"},
        "count": {
            "kind": "process",
            "on": ["gcp", "onprem"],
            "command": "python -c 'print(1)'",
            "expect": {"duration": "1m"},
        },
    }
    file = write(tmp_path, {"pipeline": "planned", "stages": stages})
    plan = planned(house, str(file), "--json").document
    run = house.starter("run", str(file), "--json", check=True).document
    places = {stage["name"]: stage["connection"] for stage in run["stages"]}
    assert places == {stage["name"]: stage["connection"] for stage in plan["stages"]}
    assert run["costs"]
    quoted = {line["name"]: line["likely"] for line in plan["quote"]["lines"]}
    assert {row["name"]: row["likely"] for row in run["costs"] if row["name"] != "in all"} == quoted
    text = house.starter("report", run["run_id"], check=True).out
    assert "at most" in text
    assert "spent" in text


def test_a_worker_that_is_needed_and_absent_is_named_and_exit_3(house: Sandbox, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"pipeline": "planned", "stages": {"a": {"kind": "process", "on": "aws/nowhere", "command": "true"}}},
    )
    answer = planned(house, str(file))
    assert answer.code == 3
    assert "python -m workers aws --connection nowhere" in answer.err


def test_a_pipeline_with_mistakes_is_refused_with_their_lines(house: Sandbox, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"pipeline": "planned", "stages": {"a": {"kind": "process", "on": "mars", "command": "true"}}},
    )
    answer = planned(house, str(file))
    assert answer.code == 2
    assert "mars" in answer.err


def test_a_size_that_cannot_be_weighed_is_unknown_and_told(house: Sandbox, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"pipeline": "planned", "stages": {"a": {"kind": "copy", "on": "aws", "source": "file:///gone.bin"}}},
    )
    answer = planned(house, str(file), "--json")
    assert answer.code == 0
    assert list(answer.document["unmeasured"]) == ["file:///gone.bin"]
    assert json.dumps(answer.document["transfers"][0]["bytes"]) == "null"


def test_a_plan_that_breaks_a_rule_says_which_and_ends_with_2(house: Sandbox, tmp_path: Path) -> None:
    copy = {
        "kind": "copy",
        "on": "aws",
        "source": "file:///quickstart/breast_cancer.csv",
        "data_class": "pii",
    }
    rules = {"classes": {"pii": {"clouds": ["azure"]}}}
    file = write(tmp_path, {"pipeline": "planned", "policy": rules, "stages": {"fetch": copy}})
    answer = planned(house, str(file))
    assert answer.code == 2
    assert "rules that a run would break" in answer.out
    assert "pii may lie on azure only" in answer.out


def test_a_person_at_a_terminal_of_80_columns_reads_a_plan_whole(house: Sandbox) -> None:
    with person("-m", "starter", "plan", "champion-challenger", variables=house.variables) as held:
        assert held.ends(60) == 0
        lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in held.seen.splitlines()]
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("train_gcp") and "gcp" in line for line in lines)
    assert any(line.startswith("in all") for line in lines)
    assert any("rules: none is broken" in line for line in lines)
