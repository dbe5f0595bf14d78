"""What a room asks of its cloud is declared beside the call, and a pipeline gets the rights of what it does and no more."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from activities.aws import policy
from activities.aws.settings import AwsSettings
from contracts.permissions import PermissionRequest
from starter.spec.load import find, load
from tests.house import CHECKOUT
from workflows.permissions import requests_of

SERVICES = ("s3", "sagemaker", "sagemaker-runtime", "sts", "logs", "cloudwatch")
AWS = AwsSettings.from_mapping(
    {
        "CAUSEWAY_CONTAINER": "acme",
        "AWS_REGION": "eu-central-1",
        "CAUSEWAY_AWS_JOB_ROLE": "arn:aws:iam::123456789012:role/jobs",
        "CAUSEWAY_IMAGE": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/trainer:1",
    }
)

DECLARATIONS = ("NEEDS", "NEEDS_TO_CREATE", "NEEDS_FOR_TLS")


def operations() -> dict[str, str]:
    """Every operation of the SDK's clients that the room builds, by the name of its method."""
    found: dict[str, str] = {}
    for service in SERVICES:
        client: Any = boto3.client(
            service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        found |= client.meta.method_to_api_mapping
    return found


OPERATIONS = operations()
MODULES = [
    path
    for path in sorted((CHECKOUT / "activities/aws").glob("*.py"))
    # What a check asks it asks on purpose, also what it may not do.
    if not path.stem.startswith(("check", "policy"))
]


def asked(path: Path) -> set[str]:
    """The operations that a module names: as methods, or as words for a paginator or a signature."""
    tree = ast.parse(path.read_text())
    own = {id(node) for held in _declarations(tree) for node in ast.walk(held)}
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in own
    }
    # `search` is also what patterns do; nothing here searches with SageMaker.
    return ((names | words) & OPERATIONS.keys()) - {"search"}


def _declarations(tree: ast.Module) -> list[ast.stmt]:
    return [
        node
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in DECLARATIONS
    ]


def declared(path: Path) -> dict[str, tuple[str, ...]]:
    module = importlib.import_module(f"activities.aws.{path.stem}")
    return {name: held for part in DECLARATIONS for name, held in getattr(module, part, {}).items()}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_call_of_aws_declares_what_it_needs(path: Path) -> None:
    assert asked(path) <= declared(path).keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_what_is_declared_is_an_operation_that_is_called(path: Path) -> None:
    built = {"create", "describe", "delete"} if path.stem == "endpoints" else set()
    spare = {name for name in declared(path).keys() - asked(path) if name.partition("_")[0] not in built}
    assert spare == set()
    assert declared(path).keys() <= OPERATIONS.keys()


def test_what_a_module_declares_reaches_the_policy() -> None:
    held = {
        *policy.STORAGE,
        policy.metrics,
        *(module for modules in policy.SERVICES.values() for module in modules),
    }
    assert {path.stem for path in MODULES if declared(path)} == {
        name.__name__.rpartition(".")[2] for name in held
    }


def actions(document: dict[str, Any]) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def resources(document: dict[str, Any]) -> set[str]:
    return {name for statement in document["Statement"] for name in statement["Resource"]}


def test_a_connection_that_only_moves_data_gets_no_right_to_jobs() -> None:
    document = policy.worker_policy(PermissionRequest(connection="aws/default"), AWS)
    assert {action.partition(":")[0] for action in actions(document)} == {"s3"}
    assert "s3:CreateBucket" not in actions(document)
    assert policy.policies(PermissionRequest(connection="aws/default"), AWS).keys() == {"worker"}


def test_metrics_may_go_to_the_namespace_that_is_set_and_to_no_other() -> None:
    request = PermissionRequest(connection="aws/default")
    told = AWS.model_copy(update={"metrics_namespace": "Causeway"})
    (found,) = [
        held
        for held in policy.worker_policy(request, told)["Statement"]
        if held["Action"] == ["cloudwatch:PutMetricData"]
    ]
    assert found["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Causeway"}}
    assert not {item for item in actions(policy.worker_policy(request, AWS)) if item.startswith("cloudwatch")}


@pytest.mark.parametrize(
    ("feature", "kind"),
    [("jobs", "training-job"), ("batch_predict", "transform-job"), ("endpoints", "endpoint")],
)
def test_a_feature_brings_its_own_rights_on_names_of_ours_only(feature: str, kind: str) -> None:
    request = PermissionRequest.model_validate({"connection": "aws/default", "features": [feature]})
    document = policy.worker_policy(request, AWS)
    named = {name for name in resources(document) if ":sagemaker:" in name}
    assert f"arn:aws:sagemaker:eu-central-1:123456789012:{kind}/cw-*" in named
    assert all(name.endswith("/cw-*") for name in named)
    starred = [held["Action"] for held in document["Statement"] if held["Resource"] == ["*"]]
    assert all(action.startswith("sagemaker:List") for held in starred for action in held)


def test_what_is_only_read_may_not_be_written() -> None:
    request = PermissionRequest(
        connection="aws/default", reads=("s3://lake/raw/", "s3://lake/one.csv"), writes=("s3://mart/out/",)
    )
    document = policy.worker_policy(request, AWS)
    by_name = {held["Sid"]: held for held in document["Statement"]}
    assert by_name["Sources"]["Resource"] == ["arn:aws:s3:::lake/raw/*", "arn:aws:s3:::lake/one.csv"]
    assert set(by_name["Sources"]["Action"]) == {"s3:GetObject", "s3:GetObjectTagging"}
    assert "arn:aws:s3:::mart/out/*" in by_name["Objects"]["Resource"]
    assert not [name for name in by_name["Objects"]["Resource"] if "lake" in name]
    assert set(by_name["Buckets"]["Resource"]) == {
        f"arn:aws:s3:::{name}" for name in ("acme", "lake", "mart")
    }


def test_a_key_of_ones_own_and_making_buckets_are_granted_when_asked_for() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/x"
    request = PermissionRequest(connection="aws/default", create=True)
    document = policy.worker_policy(request, AWS.model_copy(update={"kms_key": key}))
    assert {"s3:CreateBucket", "kms:GenerateDataKey", "kms:Decrypt"} <= actions(document)
    assert key in resources(document)


def test_a_jobs_role_reaches_its_own_image_and_prefix() -> None:
    request = PermissionRequest(connection="aws/default", features=("jobs",), images=("python:3.11",))
    document = policy.job_role_policy(request, AWS)
    assert "arn:aws:ecr:eu-central-1:123456789012:repository/team/trainer" in resources(document)
    written = [held["Resource"] for held in document["Statement"] if "s3:PutObject" in held["Action"]]
    assert written == [["arn:aws:s3:::acme/runs/*"]]


def test_a_policy_is_no_longer_than_iam_takes() -> None:
    # 6 144 characters without white space for a managed policy:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    request = PermissionRequest(
        connection="aws/default", features=("jobs", "batch_predict", "endpoints"), create=True
    )
    assert len(json.dumps(policy.worker_policy(request, AWS), separators=(",", ":"))) < 6144


def test_the_quickstart_asks_of_each_connection_what_its_stages_do() -> None:
    asked_for = {held.connection: held for held in requests_of(load(find("quickstart")).spec)}
    assert asked_for["aws/default"].features == ("jobs",)
    assert asked_for["azure/default"].features == ("jobs",)
    assert asked_for["gcp/default"].features == ("tables",)
    assert [table for table in asked_for["gcp/default"].tables if table]
    assert asked_for["onprem/default"].reads


@pytest.mark.parametrize("example", ["champion-challenger", "sweep", "fanout-score"])
def test_the_examples_ask_for_something_on_each_connection_they_name(example: str) -> None:
    spec = load(find(example)).spec
    named = {stage.on for stage in spec.stages.values() if stage.on}
    assert named <= {held.connection for held in requests_of(spec)}


def test_where_nobody_is_given_rights_is_told_so() -> None:
    request = '[{"connection": "onprem/default"}]'
    done = subprocess.run(
        [sys.executable, "-m", "workers", "permissions", "onprem"],
        cwd=CHECKOUT,
        input=request,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "'aws', 'azure', 'gcp'" in done.stderr


def test_who_keeps_logs_may_write_them_below_the_pipeline_s_own_folder_and_nowhere_else() -> None:
    quick = load(find("quickstart")).spec.model_copy(update={"logs_uri": "s3://kept/logs/"})
    (aws,) = (request for request in requests_of(quick) if request.connection == "aws/default")
    assert aws.writes == (f"s3://kept/logs/{quick.pipeline}/",)
    allowed = policy.worker_policy(aws, AWS)["Statement"][0]
    assert f"arn:aws:s3:::kept/logs/{quick.pipeline}/*" in allowed["Resource"]
    assert not [name for name in allowed["Resource"] if name.startswith("arn:aws:s3:::kept/*")]


def test_each_connection_is_told_whose_pipeline_it_serves() -> None:
    asked_for = requests_of(load(find("quickstart")).spec, create=True)
    assert {(held.pipeline, held.create) for held in asked_for} == {("quickstart", True)}
