"""A check of AWS finds each fault that is planted, names it, and says the command that mends it."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from temporalio.testing import ActivityEnvironment

from activities.aws import room
from activities.aws.check import AwsCheck
from activities.aws.settings import AwsSettings
from activities.aws.store import S3Store
from contracts.checks import CheckLine, CheckReport, CheckRequest
from contracts.connections import PreflightRequest
from sandbox.layout import FORBIDDEN_BUCKET, Endpoints, Layout

AES = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
CLOSED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def checked(settings: AwsSettings, needs: PreflightRequest | None = None, **how: Any) -> CheckReport:
    check = AwsCheck(settings, room.store(settings), partial(room.client, settings), **how)
    report: CheckReport = ActivityEnvironment().run(
        check.check, CheckRequest(connection="aws/default", needs=needs)
    )
    return report


def lines(report: CheckReport, check: str) -> list[CheckLine]:
    return [line for line in report.lines if line.check == check]


def only(report: CheckReport, check: str) -> CheckLine:
    (line,) = lines(report, check)
    return line


@pytest.fixture(scope="session")
def account(sandbox: Any) -> Any:
    """Builds clients of the account's own identity, which plants faults."""
    endpoints = Endpoints.load(Layout(root=sandbox.root, tools=sandbox.root, checkout=sandbox.root))
    return partial(
        boto3.client,
        endpoint_url=endpoints.s3_url,
        region_name=endpoints.aws_region,
        aws_access_key_id=endpoints.aws_root_access_key_id,
        aws_secret_access_key=endpoints.aws_root_secret_access_key,
    )


@pytest.fixture
def kept(settings: AwsSettings, s3: Any) -> Iterator[AwsSettings]:
    """Settings whose bucket is a fresh one, kept as it should be."""
    name = f"checked-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=AES)
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=CLOSED)
    ends = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, **ends}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    yield settings.model_copy(update={"container": name})
    s3.delete_bucket(Bucket=name)


def test_a_connection_that_is_as_it_should_be_has_nothing_failed_and_leaves_no_probe(
    kept: AwsSettings, s3: Any
) -> None:
    report = checked(kept)
    assert {line.verdict for line in report.lines} <= {"passed", "warning", "unknown"}
    assert report.identity.startswith("arn:aws:iam::")
    asked = (
        "identity",
        "reach",
        "clock",
        "region",
        "read",
        "write",
        "encryption",
        "public_access",
        "retention",
        "jobs",
    )
    assert {line.check for line in report.lines if line.verdict == "passed"} >= set(asked)
    assert s3.list_objects_v2(Bucket=kept.container)["KeyCount"] == 0
    assert all(line.why and line.fix for line in report.lines if line.verdict in {"failed", "warning"})


def test_a_bucket_under_another_key_is_warned_of_and_its_fix_mends_it(kept: AwsSettings, s3: Any) -> None:
    # S3 encrypts every bucket since 2023, so that it is off cannot be planted; which key it is can.
    key = "arn:aws:kms:us-east-1:000000000000:key/causeway"
    mine = kept.model_copy(update={"kms_key": key})
    line = next(line for line in lines(checked(mine), "encryption"))
    assert (line.verdict, line.found) == ("warning", "AES256")
    command, told = line.fix.split(" --server-side-encryption-configuration ")
    assert command == f"aws s3api put-bucket-encryption --bucket {kept.container}"
    s3.put_bucket_encryption(
        Bucket=kept.container, ServerSideEncryptionConfiguration=json.loads(told.strip("'"))
    )
    assert only(checked(mine), "encryption").verdict == "passed"


def test_a_bucket_that_may_be_made_public_fails(kept: AwsSettings, s3: Any) -> None:
    s3.delete_public_access_block(Bucket=kept.container)
    line = only(checked(kept), "public_access")
    assert line.verdict == "failed"
    assert line.fix.startswith(f"aws s3api put-public-access-block --bucket {kept.container}")


def test_unfinished_uploads_that_never_end_are_warned_of(kept: AwsSettings, s3: Any) -> None:
    s3.delete_bucket_lifecycle(Bucket=kept.container)
    line = only(checked(kept), "retention")
    assert line.verdict == "warning"
    assert "AbortIncompleteMultipartUpload" in line.fix


def test_versions_that_never_expire_are_warned_of(kept: AwsSettings, s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=kept.container, VersioningConfiguration={"Status": "Enabled"})
    try:
        assert only(checked(kept), "versions").verdict == "warning"
    finally:
        s3.put_bucket_versioning(Bucket=kept.container, VersioningConfiguration={"Status": "Suspended"})
        for found in s3.list_object_versions(Bucket=kept.container).get("DeleteMarkers", []):
            s3.delete_object(Bucket=kept.container, Key=found["Key"], VersionId=found["VersionId"])
        for found in s3.list_object_versions(Bucket=kept.container).get("Versions", []):
            s3.delete_object(Bucket=kept.container, Key=found["Key"], VersionId=found["VersionId"])


def test_a_bucket_of_another_region_fails(kept: AwsSettings) -> None:
    line = only(checked(kept.model_copy(update={"region": "eu-west-1"})), "region")
    assert line.verdict == "failed"
    assert "us-east-1" in line.found


def test_a_bucket_that_is_not_there_and_one_that_is_forbidden_name_the_command(settings: AwsSettings) -> None:
    absent = checked(settings.model_copy(update={"container": "nowhere-at-all"}))
    assert only(absent, "read").verdict == "failed"
    assert "aws s3 mb s3://nowhere-at-all" in only(absent, "read").fix
    forbidden = checked(settings.model_copy(update={"container": FORBIDDEN_BUCKET}))
    for check in ("read", "write"):
        assert only(forbidden, check).verdict == "failed"
        assert "put-role-policy" in only(forbidden, check).fix


def test_a_key_that_nobody_knows_is_one_failed_line_and_the_rest_is_not_asked(
    settings: AwsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7NOBODY1")
    report = checked(settings)
    assert only(report, "identity").verdict == "failed"
    assert lines(report, "write") == []


def test_a_clock_that_is_off_is_told(settings: AwsSettings) -> None:
    report = checked(settings, now=lambda: datetime.now(UTC) + timedelta(minutes=7))
    assert {line.verdict for line in lines(report, "clock")} == {"failed"}


def test_an_endpoint_that_is_away_is_told_and_nothing_hangs(settings: AwsSettings) -> None:
    away = {**settings.endpoints, "AWS_ENDPOINT_URL_SAGEMAKER": "http://127.0.0.1:1"}
    report = checked(settings.model_copy(update={"endpoints": away}))
    assert [line.subject for line in lines(report, "reach") if line.verdict == "unreachable"] == [
        "sagemaker 127.0.0.1:1"
    ]
    assert "unreachable" in {line.verdict for line in lines(report, "jobs")}


def test_a_role_that_sagemaker_may_not_take_fails(settings: AwsSettings, account: Any) -> None:
    name = f"untrusted-{uuid.uuid4().hex[:8]}"
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = account("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    report = checked(settings.model_copy(update={"job_role": role}))
    (line,) = [line for line in lines(report, "jobs") if line.subject == role]
    assert line.verdict == "failed"
    assert f"update-assume-role-policy --role-name {name}" in line.fix


def test_a_trail_that_is_off_fails_and_one_that_logs_passes(settings: AwsSettings, account: Any) -> None:
    trail = account("cloudtrail")
    assert only(checked(settings), "audit").verdict == "warning"
    trail.create_trail(Name="causeway", S3BucketName=settings.container)
    try:
        off = only(checked(settings), "audit")
        assert (off.verdict, off.fix[:50]) == ("failed", "aws cloudtrail start-logging --name causeway --reg")
        trail.start_logging(Name="causeway")
        assert only(checked(settings), "audit").verdict == "passed"
    finally:
        trail.delete_trail(Name="causeway")


def test_what_a_worker_may_do_beyond_its_need_is_warned_of(settings: AwsSettings) -> None:
    held = {line.subject: line.verdict for line in lines(checked(settings), "excess")}
    assert held == {"iam:ListUsers": "passed", "s3:ListAllMyBuckets": "warning"}


def test_a_long_lived_key_is_warned_of_and_one_of_a_session_is_not(settings: AwsSettings) -> None:
    held = {"AWS_ACCESS_KEY_ID": "x"}
    assert only(checked(settings, environment=held), "keys").verdict == "warning"
    assert only(checked(settings, environment={**held, "AWS_SESSION_TOKEN": "y"}), "keys").verdict == "passed"
    assert only(checked(settings, environment={}), "keys").verdict == "passed"


def test_a_pipelines_needs_are_looked_at_and_no_more(settings: AwsSettings, store: S3Store) -> None:
    needs = PreflightRequest(
        connection="aws/default", needs=("storage",), containers=("s3://nowhere-at-all/",)
    )
    report = checked(settings, needs)
    assert {line.subject for line in lines(report, "read")} == {
        store.default_container,
        "s3://nowhere-at-all/",
    }
    assert lines(report, "jobs") == []
    tables = checked(settings, needs.model_copy(update={"needs": ("storage", "tables")}))
    assert only(tables, "tables").verdict == "failed"
    image = checked(
        settings.model_copy(update={"image": None}),
        PreflightRequest(connection="aws/default", needs=("jobs",), image_given=False),
    )
    assert "CAUSEWAY_IMAGE" in {line.subject for line in lines(image, "jobs") if line.verdict == "failed"}


def test_the_machines_that_stages_get_are_within_the_account_s_limits(settings: AwsSettings) -> None:
    found = lines(checked(settings), "quota")
    assert [line.subject for line in found] == [
        "ml.m5.large for training job usage",
        "ml.m5.large for processing job usage",
        "ml.m5.large for transform job usage",
    ]
    assert {(line.verdict, line.found) for line in found} == {("passed", "1000")}


def test_an_account_without_a_machine_for_one_kind_of_job_is_warned_and_without_any_fails(
    settings: AwsSettings, limits: Path
) -> None:
    names = [line.subject for line in lines(checked(settings), "quota")]
    limits.write_text(json.dumps({names[0]: 0}))
    verdicts = {line.subject: line for line in lines(checked(settings), "quota")}
    assert [verdicts[name].verdict for name in names] == ["warning", "passed", "passed"]
    assert "request-service-quota-increase" in verdicts[names[0]].fix
    limits.write_text(json.dumps(dict.fromkeys(names, 0)))
    assert {line.verdict for line in lines(checked(settings), "quota")} == {"failed"}


def test_limits_that_nobody_answers_for_are_no_pass(settings: AwsSettings) -> None:
    away = {**settings.endpoints, "AWS_ENDPOINT_URL_SERVICE_QUOTAS": "http://127.0.0.1:1"}
    line = only(checked(settings.model_copy(update={"endpoints": away})), "quota")
    assert line.verdict == "unreachable"
    assert "servicequotas:ListServiceQuotas" in line.fix
