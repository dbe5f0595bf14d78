"""Buckets: found, or made so that nothing in them lies open."""

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from activities.aws.errors import CLOUD, code_of
from activities.aws.objects import absent
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.policy import Encryption
from contracts.storage import ContainerReceipt

NEEDS = {
    "head_bucket": ("s3:ListBucket",),
    "get_bucket_encryption": ("s3:GetEncryptionConfiguration",),
    "get_public_access_block": ("s3:GetBucketPublicAccessBlock",),
}
NEEDS_TO_CREATE = {
    "create_bucket": ("s3:CreateBucket",),
    "put_public_access_block": ("s3:PutBucketPublicAccessBlock",),
    "put_bucket_encryption": ("s3:PutEncryptionConfiguration",),
    "put_bucket_lifecycle_configuration": ("s3:PutLifecycleConfiguration",),
    "put_bucket_policy": ("s3:PutBucketPolicy",),
}

NEEDS_FOR_TLS = {"get_bucket_policy": ("s3:GetBucketPolicy",)}
"""Only where a policy demands `tls`; without the right nobody knows."""

_CLOSED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_FORGET_UPLOADS_DAYS = 7
_MAY_NOT_LOOK = {"AccessDenied", "403", "MethodNotAllowed", "NotImplemented"}


def ensure_bucket(client: Any, name: str, *, create: bool, kms_key: str | None) -> ContainerReceipt:
    """Find the bucket, or create it if asked; one that is found is looked at and left as it is.

    Raises:
        ApplicationError: `SOURCE_MISSING`, it is absent and was not to be made.
    """
    created, found = False, {}
    try:
        found = client.head_bucket(Bucket=name)
    except ClientError as error:
        if not absent(error):
            raise
        if not create:
            raise _missing(client, name) from None
        created = _create(client, name, kms_key)
    rules = _encrypted(client, name)
    return ContainerReceipt(
        uri=f"s3://{name}/",
        created=created,
        encrypted=bool(rules) if rules is not None else None,
        encryption=_key_of(rules) if rules else None,
        public_access_blocked=_closed(client, name),
        region=client.meta.region_name if created else _region_of(found),
    )


def refuses_plain(client: Any, name: str) -> bool | None:
    """Say whether the bucket's policy denies what comes without TLS; None where nobody may look."""
    if client.meta.endpoint_url.startswith("http://"):
        return False
    try:
        policy = json.loads(client.get_bucket_policy(Bucket=name)["Policy"])
    except ClientError as error:
        return _unless_denied(error, "NoSuchBucketPolicy")
    return any(is_tls_only(statement, name) for statement in policy["Statement"])


def is_tls_only(statement: Any, name: str) -> bool:
    """Whether a statement denies everybody everything in a bucket that comes without TLS, and under no other condition."""
    conditions = {kind: dict(said) for kind, said in statement.get("Condition", {}).items()}
    asked = str(conditions.get("Bool", {}).get("aws:SecureTransport", "")).lower()
    objects = f":s3:::{name}/*"
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and bool({"s3:*", "*"} & _listed(statement.get("Action")))
        and any(held == "*" or held.endswith(objects) for held in _listed(statement.get("Resource")))
        and asked == "false"
        and conditions.keys() == {"Bool"}
        and len(conditions["Bool"]) == 1
    )


def _listed(said: Any) -> set[str]:
    return {said} if isinstance(said, str) else set(said or ())


def _region_of(found: Any) -> str:
    # Boto3 has had the field since 2023; stores that only speak S3's protocol send neither.
    headers = found.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(found.get("BucketRegion") or headers.get("x-amz-bucket-region") or "")


def _create(client: Any, name: str, kms_key: str | None) -> bool:
    region = client.meta.region_name
    # The first region is the default and may not be named.
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        client.create_bucket(Bucket=name, **where)
    except ClientError as error:
        if code_of(error) != "BucketAlreadyOwnedByYou":
            raise
        return False
    client.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(_CLOSED, True))
    client.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [_rule(kms_key)]})
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=_forget_uploads())
    # A store on loopback speaks plain HTTP, and such a policy would lock its own owner out.
    if client.meta.endpoint_url.startswith("https://"):
        client.put_bucket_policy(Bucket=name, Policy=json.dumps(_tls_only(client.meta.partition, name)))
    return True


def _rule(kms_key: str | None) -> dict[str, Any]:
    how = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key} if kms_key else {"SSEAlgorithm": "AES256"}
    return {"ApplyServerSideEncryptionByDefault": how, "BucketKeyEnabled": kms_key is not None}


def _forget_uploads() -> dict[str, Any]:
    """Return the rules by which parts that nobody came back for stop costing money."""
    rule = {
        "ID": "causeway-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _FORGET_UPLOADS_DAYS},
    }
    return {"Rules": [rule]}


def _tls_only(partition: str, name: str) -> dict[str, Any]:
    bucket = f"arn:{partition}:s3:::{name}"
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _encrypted(client: Any, name: str) -> Sequence[Any] | None:
    """Return the rules of encryption; None where nobody may look."""
    try:
        found = client.get_bucket_encryption(Bucket=name)
    except ClientError as error:
        denied = _unless_denied(error, "ServerSideEncryptionConfigurationNotFoundError") is None
        return None if denied else ()
    rules: Sequence[Any] = found["ServerSideEncryptionConfiguration"]["Rules"]
    return rules


def _key_of(rules: Sequence[Any]) -> Encryption:
    # KMS without a key's name takes the one that Amazon keeps for the account.
    key = rules[0].get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", "")
    return "customer_key" if key and not key.endswith("alias/aws/s3") else "provider"


def _closed(client: Any, name: str) -> bool | None:
    try:
        found = client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        return _unless_denied(error, "NoSuchPublicAccessBlockConfiguration")
    return all(found.get(part) for part in _CLOSED)


def _unless_denied(error: ClientError, not_set: str) -> bool | None:
    if code_of(error) == not_set:
        return False
    if code_of(error) in _MAY_NOT_LOOK:
        return None
    raise error


def _missing(client: Any, name: str) -> Exception:
    region = client.meta.region_name
    make = f"aws s3 mb s3://{name} --region {region}"
    message = f"there is no bucket {name} in {region}; make it with: {make}, or run with --create"
    return failure(ErrorKind.SOURCE_MISSING, message, ErrorDetail(cloud=CLOUD, ref=f"s3://{name}/"))
