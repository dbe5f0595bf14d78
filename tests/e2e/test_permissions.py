"""The rights that `starter permissions` prints, attached to the very identity that the worker has: a run needs no more."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.layout import CONTAINER, FORBIDDEN_BUCKET, Endpoints, Layout
from sandbox.services.aws_identity import USER
from tests.e2e.runs import Run
from tests.house import CHECKOUT, Sandbox
from tests.pipelines import SLEEPER, write

POLICY = "causeway"
NEVER = {
    "s3:DeleteBucket": f"arn:aws:s3:::{CONTAINER}",
    "s3:PutBucketPolicy": f"arn:aws:s3:::{CONTAINER}",
    "s3:PutEncryptionConfiguration": f"arn:aws:s3:::{CONTAINER}",
    "s3:ListAllMyBuckets": "*",
    "s3:CreateBucket": "arn:aws:s3:::another",
    "s3:GetObject": f"arn:aws:s3:::{FORBIDDEN_BUCKET}/data",
    "s3:PutObject": f"arn:aws:s3:::{CONTAINER}/elsewhere/data",
    "sagemaker:CreateNotebookInstance": "*",
    "sagemaker:CreateEndpoint": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/cw-x",
    "sagemaker:StopTrainingJob": "arn:aws:sagemaker:us-east-1:000000000000:training-job/somebody-elses",
    "iam:CreateUser": "*",
    "iam:PutUserPolicy": "*",
    "iam:PassRole": "arn:aws:iam::000000000000:role/admin",
    "kms:Decrypt": "*",
    "ec2:RunInstances": "*",
}
"""What nobody who runs this pipeline may do, each on a resource."""


@pytest.fixture
def iam(house: Sandbox) -> Iterator[Any]:
    """The account's own identity, which may change the worker's; the worker has its old rights again afterwards."""
    endpoints = Endpoints.load(Layout(root=house.root, tools=house.root, checkout=house.root))
    client = boto3.client(
        "iam",
        endpoint_url=endpoints.s3_url,
        region_name=endpoints.aws_region,
        aws_access_key_id=endpoints.aws_root_access_key_id,
        aws_secret_access_key=endpoints.aws_root_secret_access_key,
    )
    held = client.get_user_policy(UserName=USER, PolicyName=POLICY)["PolicyDocument"]
    try:
        yield client
    finally:
        client.put_user_policy(
            UserName=USER,
            PolicyName=POLICY,
            PolicyDocument=held if isinstance(held, str) else json.dumps(held),
        )


def pipeline(folder: Path) -> Path:
    job = {"kind": "train", "code": "src", "command": "python sleep.py --seconds 1 --out {outputs.o}"}
    stages = {
        "ingest": {"kind": "copy", "on": "aws", "source": "file:///permitted/"},
        "fit": {**job, "on": "aws", "inputs": {"data": "ingest"}, "outputs": ["o"]},
        "home": {"kind": "copy", "on": "onprem", "inputs": {"data": "fit.o"}},
    }
    spec = {"pipeline": "permitted", "stages": stages, "defaults": {"on_failure": "fail", "retries": 0}}
    return write(folder, spec, {"src/sleep.py": SLEEPER})


def permitted(house: Sandbox, file: Path) -> dict[str, Any]:
    """The policies, as the command prints them for the settings that the worker has."""
    command = [sys.executable, "-m", "starter", "permissions", str(file), "--cloud", "aws"]
    told = {**house.variables, **house.environment("aws")}
    done = subprocess.run(command, cwd=CHECKOUT, env=told, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)["aws/default"]
    return document


def test_a_run_succeeds_with_exactly_the_rights_that_are_printed(
    house: Sandbox, iam: Any, tmp_path: Path
) -> None:
    source = house.root / "onprem" / "permitted"
    source.mkdir(exist_ok=True)
    (source / "small.txt").write_text("small")
    # Large enough to be sent in parts.
    (source / "large.bin").write_bytes(os.urandom(36 * 2**20))
    file = pipeline(tmp_path)
    policy = permitted(house, file)["worker"]
    iam.put_user_policy(UserName=USER, PolicyName=POLICY, PolicyDocument=json.dumps(policy))
    before = len(house.requests("sagemaker"))
    document = Run.start(house, file).until("SUCCEEDED")
    assert document["state"] == "SUCCEEDED"
    principal = iam.get_user(UserName=USER)["User"]["Arn"]
    asked = {entry["operation"] for entry in house.requests("sagemaker")[before:]}
    assert {"CreateTrainingJob", "DescribeTrainingJob"} <= asked
    for operation in asked:
        assert decisions(iam, principal, actions_of(operation), policy) == {"allowed"}, operation
    # The simulation here reads no context, so a statement with a condition never matches; its text is what counts.
    (passing,) = [held for held in policy["Statement"] if held["Action"] == ["iam:PassRole"]]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert passing["Resource"] == [house.environment("aws")["CAUSEWAY_AWS_JOB_ROLE"]]
    for action, resource in NEVER.items():
        assert decision(iam, principal, action, resource) == "implicitDeny", action


def actions_of(operation: str) -> tuple[str, ...]:
    """What IAM calls an operation of SageMaker's, and what it needs beside; of the role there is a test of its own."""
    if operation.startswith("Create"):
        return f"sagemaker:{operation}", "sagemaker:AddTags"
    return (f"sagemaker:{operation}",)


def decisions(iam: Any, principal: str, actions: tuple[str, ...], policy: dict[str, Any]) -> set[str]:
    """Of each action on each resource that its statement names, with a name of ours for the star."""
    resources = {action: held["Resource"] for held in policy["Statement"] for action in held["Action"]}
    return {
        decision(iam, principal, action, resource.replace("*", "x") if resource != "*" else resource)
        for action in actions
        for resource in resources[action]
    }


def decision(iam: Any, principal: str, action: str, resource: str) -> str:
    answer = iam.simulate_principal_policy(
        PolicySourceArn=principal, ActionNames=[action], ResourceArns=[resource]
    )
    found: str = answer["EvaluationResults"][0]["EvalDecision"]
    return found
