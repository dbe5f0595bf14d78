"""The page for a fresh AWS account, done as it stands on the local one: what it makes is what a check wants."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.layout import Endpoints, Layout
from sandbox.services.aws_identity import USER
from tests.docs import walk
from tests.house import CHECKOUT, PATIENCE_SECONDS, Sandbox, until

PAGE = "docs/how-to/aws.md"
END = "Take it all down"
WORKER, JOBS = "causeway-worker", "causeway-page-jobs"
TOLD_BY_THE_PAGE = ("CAUSEWAY_CONTAINER", "CAUSEWAY_AWS_JOB_ROLE", "CAUSEWAY_IMAGE", "AWS_REGION")
SEEN = {
    "audit",
    "encryption",
    "excess",
    "jobs",
    "public_access",
    "read",
    "region",
    "retention",
    "versions",
    "write",
}


def page(**sections: Any) -> str:
    """The page's shell; the local account has a role of the jobs' name already."""
    return walk.shell(PAGE, also="", **sections).replace("causeway-jobs", JOBS)


@pytest.fixture(scope="module")
def root(house: Sandbox) -> dict[str, str]:
    """The account's own identity, as the reader has it."""
    endpoints = Endpoints.load(Layout(root=house.root, tools=house.root, checkout=house.root))
    return {
        "AWS_ENDPOINT_URL": endpoints.s3_url,
        "AWS_ACCESS_KEY_ID": endpoints.aws_root_access_key_id,
        "AWS_SECRET_ACCESS_KEY": endpoints.aws_root_secret_access_key,
    }


@pytest.fixture(scope="module")
def made(root: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> walk.Walked:
    """The page, done to where its end begins."""
    done = walk.walk(page(until=END), tmp_path_factory.mktemp("page"), root)
    assert done.code == 0, done.err
    return done


@pytest.fixture(scope="module")
def connection(house: Sandbox, made: walk.Walked, root: dict[str, str]) -> Iterator[str]:
    """A worker that has nothing but what the page gives its role.

    The local SageMaker knows the keys of one user only, so that user is given the role's policies for its own.
    """
    file = made.folder / "fresh.yaml"
    file.write_text((made.folder / "connections.yaml").read_text().replace("  aws:", "  aws/fresh:"))
    # A store without TLS refuses everybody once plain HTTP is denied, as the page has it.
    client("s3", root).delete_bucket_policy(Bucket=bucket(made))
    environment = {**house.variables, **house.environment("aws")}
    environment = {name: value for name, value in environment.items() if name not in TOLD_BY_THE_PAGE}
    command = [sys.executable, "-m", "workers", "aws", "--connections", str(file), "--connection", "fresh"]
    ready = made.folder / "ready"
    with worn(client("iam", root)):
        worker = subprocess.Popen([*command, "--ready-file", str(ready)], cwd=CHECKOUT, env=environment)
        try:
            until(ready.exists, "the worker")
            yield "aws/fresh"
        finally:
            worker.terminate()
            worker.wait(PATIENCE_SECONDS)


@contextmanager
def worn(iam: Any) -> Iterator[None]:
    """The user has the role's policies and no other; it has its old one again afterwards."""
    held = iam.get_user_policy(UserName=USER, PolicyName="causeway")["PolicyDocument"]
    names = iam.list_role_policies(RoleName=WORKER)["PolicyNames"]
    try:
        for name in names:
            given = iam.get_role_policy(RoleName=WORKER, PolicyName=name)["PolicyDocument"]
            iam.put_user_policy(UserName=USER, PolicyName=name, PolicyDocument=as_text(given))
        yield
    finally:
        for name in names:
            iam.delete_user_policy(UserName=USER, PolicyName=name)
        iam.put_user_policy(UserName=USER, PolicyName="causeway", PolicyDocument=as_text(held))


def as_text(document: Any) -> str:
    """A policy as it is put: the SDK reads what IAM tells, the local one may tell text."""
    return document if isinstance(document, str) else json.dumps(document)


def client(service: str, root: dict[str, str]) -> Any:
    return boto3.client(
        service,
        endpoint_url=root["AWS_ENDPOINT_URL"],
        region_name="eu-central-1",
        aws_access_key_id=root["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=root["AWS_SECRET_ACCESS_KEY"],
    )


def bucket(made: walk.Walked) -> str:
    return next(words[words.index("--bucket") + 1] for words in made.commands if "create-bucket" in words)


def test_the_bucket_refuses_plain_http(made: walk.Walked, root: dict[str, str]) -> None:
    (statement,) = json.loads(client("s3", root).get_bucket_policy(Bucket=bucket(made))["Policy"])[
        "Statement"
    ]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [f"arn:aws:s3:::{bucket(made)}", f"arn:aws:s3:::{bucket(made)}/*"]


def test_what_the_page_makes_is_green_with_no_right_beside_those_it_gives(
    house: Sandbox, connection: str
) -> None:
    answer = house.starter("check", connection, "--json")
    assert answer.code == 0, answer.out
    (held,) = answer.document["connections"]
    # The user has a key where the role has none, and the local store no TLS to insist on.
    looked = [line for line in held["lines"] if line["check"] not in {"keys", "tls_only"}]
    assert [line for line in looked if line["verdict"] != "passed"] == []
    assert {line["check"] for line in looked} >= SEEN


def test_the_end_of_the_page_leaves_nothing(made: walk.Walked, root: dict[str, str], tmp_path: Path) -> None:
    s3, name = client("s3", root), "runs/left over & odd.bin"
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket(made), Key=name, Body=body)
    s3.delete_object(Bucket=bucket(made), Key=name)
    done = walk.walk(page(only=("1. Names", END)), tmp_path, root)
    assert done.code == 0, done.err
    account = bucket(made).removeprefix("causeway-")
    assert [held["Name"] for held in s3.list_buckets()["Buckets"] if account in held["Name"]] == []
    assert client("cloudtrail", root).describe_trails()["trailList"] == []
    assert client("ecr", root).describe_repositories()["repositories"] == []
    for role in (WORKER, JOBS):
        with pytest.raises(ClientError, match="NoSuchEntity"):
            client("iam", root).get_role(RoleName=role)
