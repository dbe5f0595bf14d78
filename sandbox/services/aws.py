"""S3, STS, IAM, KMS, CloudWatch and Logs: ministack, with signatures and policies checked (`AUTH=true`).

Objects are on disk at once and survive `kill -9`. Bucket settings, KMS keys, unfinished multipart uploads and
the like are saved only on an orderly stop; after a crash seeding sets the settings of our container again,
other buckets come back without theirs, and uploads are gone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox import environment
from sandbox.layout import CONTAINER, FORBIDDEN_BUCKET, Endpoints, Layout
from sandbox.services.aws_identity import place_identities
from sandbox.services.base import Command, Service, answers

_ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
_PRIVATE = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def command(layout: Layout, endpoints: Endpoints) -> Command:
    """Start on the old state when there is one."""
    state = layout.state / "aws"
    scratch = state / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    place_identities(state / "services" / "iam.json", endpoints)
    env = environment.bare(
        HOME=str(state),
        TMPDIR=str(scratch),
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(endpoints.ports["aws"]),
        AUTH="true",
        AWS_ACCESS_KEY_ID=endpoints.aws_root_access_key_id,
        AWS_SECRET_ACCESS_KEY=endpoints.aws_root_secret_access_key,
        MINISTACK_ACCOUNT_ID=endpoints.aws_account_id,
        MINISTACK_REGION=endpoints.aws_region,
        S3_PERSIST="1",
        S3_DATA_DIR=str(state / "s3"),
        PERSIST_STATE="1",
        STATE_DIR=str(state / "services"),
        LOG_LEVEL="WARNING",
    )
    python = layout.tools / "ministack" / "bin" / "python"
    # Without -P our file names would hide packages of the same names from ministack.
    return Command([str(python), "-P", str(Path(__file__).with_name("ministack_main.py"))], env, state)


def healthy(_layout: Layout, endpoints: Endpoints) -> bool:
    """The gateway answers for itself."""
    return answers(f"{endpoints.s3_url}/_ministack/health", below=300)


def seed(_layout: Layout, endpoints: Endpoints) -> None:
    """An encrypted, private container, and a bucket that the worker may not touch."""
    import boto3

    s3: Any = boto3.client(
        "s3",
        endpoint_url=endpoints.s3_url,
        region_name=endpoints.aws_region,
        aws_access_key_id=endpoints.aws_root_access_key_id,
        aws_secret_access_key=endpoints.aws_root_secret_access_key,
    )
    for bucket in (CONTAINER, FORBIDDEN_BUCKET):
        try:
            s3.create_bucket(Bucket=bucket)
        except (s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
            pass
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=_ENCRYPTION)
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=_PRIVATE)


SERVICE = Service(
    name="aws",
    ports=("aws",),
    tools=("ministack",),
    command=command,
    healthy=healthy,
    seed=seed,
    url=lambda endpoints: endpoints.s3_url,
)
