"""S3, STS, IAM, KMS, CloudWatch and Logs: ministack, with signatures and policies checked (`AUTH=true`).

The generated key is the account's root. Objects are on disk at once and survive `kill -9`. Bucket settings, roles and
unfinished multipart uploads are saved only on an orderly stop; after a crash seeding sets those of our container again,
and other buckets come back without their settings.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox import environment
from sandbox.layout import CONTAINER, Endpoints, Layout
from sandbox.services.base import Command, Service, answers

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
_ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
_PRIVATE = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def command(layout: Layout, endpoints: Endpoints) -> Command:
    """Start on the old state when there is one."""
    state = layout.state / "aws"
    scratch = state / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    env = environment.bare(
        HOME=str(state),
        TMPDIR=str(scratch),
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(endpoints.ports["aws"]),
        AUTH="true",
        AWS_ACCESS_KEY_ID=endpoints.aws_access_key_id,
        AWS_SECRET_ACCESS_KEY=endpoints.aws_secret_access_key,
        MINISTACK_ACCOUNT_ID=endpoints.aws_account_id,
        MINISTACK_REGION=endpoints.aws_region,
        S3_PERSIST="1",
        S3_DATA_DIR=str(state / "s3"),
        PERSIST_STATE="1",
        STATE_DIR=str(state / "services"),
        LOG_LEVEL="WARNING",
    )
    return Command([str(layout.tools / "ministack" / "bin" / "ministack")], env, state)


def healthy(_layout: Layout, endpoints: Endpoints) -> bool:
    """The gateway answers for itself."""
    return answers(f"{endpoints.s3_url}/_ministack/health", below=300)


def seed(_layout: Layout, endpoints: Endpoints) -> None:
    """An encrypted, private container, and the role that training jobs take."""
    s3 = _client("s3", endpoints)
    try:
        s3.create_bucket(Bucket=CONTAINER)
    except (s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        pass
    s3.put_bucket_encryption(Bucket=CONTAINER, ServerSideEncryptionConfiguration=_ENCRYPTION)
    s3.put_public_access_block(Bucket=CONTAINER, PublicAccessBlockConfiguration=_PRIVATE)
    iam = _client("iam", endpoints)
    try:
        role = endpoints.aws_job_role.rpartition("/")[2]
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(_TRUST))
    except iam.exceptions.EntityAlreadyExistsException:
        pass


def _client(service: str, endpoints: Endpoints) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=endpoints.s3_url,
        region_name=endpoints.aws_region,
        aws_access_key_id=endpoints.aws_access_key_id,
        aws_secret_access_key=endpoints.aws_secret_access_key,
    )


SERVICE = Service(
    name="aws",
    ports=("aws",),
    tools=("ministack",),
    command=command,
    healthy=healthy,
    seed=seed,
    url=lambda endpoints: endpoints.s3_url,
)
