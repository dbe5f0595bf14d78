"""How a bucket is kept: encrypted, closed, over TLS only, its leftovers ended. Only questions; nothing is changed."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from activities.aws.errors import code_of
from activities.looking import Look, finding, passed
from contracts.checks import CheckLine

_CLOSED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_CLOSING = ",".join(f"{part}=true" for part in _CLOSED)


class BucketLooks:
    """One bucket. The client is boto3's for S3."""

    def __init__(self, client: Any, bucket: str, region: str, kms_key: str | None) -> None:
        self._client = client
        self._bucket = bucket
        self._region = region
        self._key = kms_key
        self._uri = f"s3://{bucket}/"

    def all(self) -> Sequence[Look]:
        """Every look that needs no object."""
        looks: dict[str, tuple[Callable[[], list[CheckLine]], str]] = {
            "region": (self._placed, "s3:GetBucketLocation"),
            "encryption": (self._encrypted, "s3:GetEncryptionConfiguration"),
            "public_access": (self._closed, "s3:GetBucketPublicAccessBlock"),
            "tls_only": (self._tls_only, "s3:GetBucketPolicy"),
            "retention": (self._lifecycle, "s3:GetLifecycleConfiguration"),
            "versions": (self._versions, "s3:GetBucketVersioning"),
        }
        return [
            Look(check, self._uri, take, fix=f"grant {right} on {self._bucket} to look")
            for check, (take, right) in looks.items()
        ]

    def readable(self) -> list[CheckLine]:
        """Whether its objects may be listed."""
        self._client.list_objects_v2(Bucket=self._bucket, MaxKeys=1)
        return [passed("read", self._uri, "can list")]

    def _placed(self) -> list[CheckLine]:
        # The first region is told as no region at all.
        there = self._client.get_bucket_location(Bucket=self._bucket).get("LocationConstraint") or "us-east-1"
        if there == self._region:
            return [passed("region", self._uri, there)]
        why = f"Jobs run in {self._region}: SageMaker refuses data of another region, and what crosses is billed."
        return [
            finding(
                "region",
                self._uri,
                "failed",
                f"lies in {there}",
                why,
                f"set AWS_REGION to {there}, or choose a bucket in {self._region}",
            )
        ]

    def _encrypted(self) -> list[CheckLine]:
        rule = self._unless_unset(
            lambda: self._client.get_bucket_encryption(Bucket=self._bucket)[
                "ServerSideEncryptionConfiguration"
            ]["Rules"][0]["ApplyServerSideEncryptionByDefault"],
            "ServerSideEncryptionConfigurationNotFoundError",
        )
        wanted = (
            {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self._key}
            if self._key
            else {"SSEAlgorithm": "AES256"}
        )
        told = json.dumps({"Rules": [{"ApplyServerSideEncryptionByDefault": wanted}]}, separators=(",", ":"))
        fix = f"aws s3api put-bucket-encryption --bucket {self._bucket} --server-side-encryption-configuration '{told}'"
        if rule is None:
            why = "What others write here without asking for encryption lies there in the clear."
            return [finding("encryption", self._uri, "failed", "no default encryption", why, fix)]
        found = " with ".join(filter(None, (rule["SSEAlgorithm"], rule.get("KMSMasterKeyID"))))
        if self._key and rule.get("KMSMasterKeyID") != self._key:
            why = f"The worker writes with {self._key}; what others write is not under it."
            return [finding("encryption", self._uri, "warning", found, why, fix)]
        return [passed("encryption", self._uri, found)]

    def _closed(self) -> list[CheckLine]:
        held = (
            self._unless_unset(
                lambda: self._client.get_public_access_block(Bucket=self._bucket)[
                    "PublicAccessBlockConfiguration"
                ],
                "NoSuchPublicAccessBlockConfiguration",
            )
            or {}
        )
        open_ = [part for part in _CLOSED if not held.get(part)]
        if not open_:
            return [passed("public_access", self._uri, "blocked")]
        why = "One wrong policy or ACL would show its objects to everyone."
        fix = f"aws s3api put-public-access-block --bucket {self._bucket} --public-access-block-configuration {_CLOSING}"
        return [finding("public_access", self._uri, "failed", f"not blocked: {', '.join(open_)}", why, fix)]

    def _tls_only(self) -> list[CheckLine]:
        policy = self._unless_unset(
            lambda: json.loads(self._client.get_bucket_policy(Bucket=self._bucket)["Policy"]),
            "NoSuchBucketPolicy",
        )
        if not self._client.meta.endpoint_url.startswith("https://"):
            return [
                finding(
                    "tls_only",
                    self._uri,
                    "unknown",
                    "this store has no TLS",
                    "A local store on loopback; of S3 itself it would be told.",
                )
            ]
        if policy and any(_refuses_plain(statement) for statement in policy["Statement"]):
            return [passed("tls_only", self._uri, "plain HTTP is denied")]
        why = "A client that is set up wrongly would send data in the clear."
        fix = self._deny_plain((policy or {"Statement": []})["Statement"])
        return [finding("tls_only", self._uri, "warning", "plain HTTP is not denied", why, fix)]

    def _deny_plain(self, statements: Sequence[Any]) -> str:
        """Return the command that denies plain HTTP and keeps what the policy says already."""
        arn = f"arn:{self._client.meta.partition}:s3:::{self._bucket}"
        statement = {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        whole = json.dumps(
            {"Version": "2012-10-17", "Statement": [*statements, statement]}, separators=(",", ":")
        )
        return f"aws s3api put-bucket-policy --bucket {self._bucket} --policy '{whole}'"

    def _lifecycle(self) -> list[CheckLine]:
        rules = (
            self._unless_unset(
                lambda: self._client.get_bucket_lifecycle_configuration(Bucket=self._bucket)["Rules"],
                "NoSuchLifecycleConfiguration",
            )
            or []
        )
        ends = [
            rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
            for rule in rules
            if rule.get("Status") == "Enabled" and "AbortIncompleteMultipartUpload" in rule
        ]
        if ends:
            return [passed("retention", self._uri, f"unfinished uploads end after {min(ends)} days")]
        rule = {
            "ID": "causeway-unfinished-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
        told = json.dumps({"Rules": [*rules, rule]}, separators=(",", ":"), default=str)
        fix = f"aws s3api put-bucket-lifecycle-configuration --bucket {self._bucket} --lifecycle-configuration '{told}'"
        why = "Parts of uploads that nobody ends are billed like objects, for ever; a sweep ends only Causeway's."
        return [finding("retention", self._uri, "warning", "unfinished uploads never end", why, fix)]

    def _versions(self) -> list[CheckLine]:
        status = self._client.get_bucket_versioning(Bucket=self._bucket).get("Status", "never on")
        if status != "Enabled":
            return [passed("versions", self._uri, f"versioning is {status.lower()}")]
        rules = (
            self._unless_unset(
                lambda: self._client.get_bucket_lifecycle_configuration(Bucket=self._bucket)["Rules"],
                "NoSuchLifecycleConfiguration",
            )
            or []
        )
        if any("NoncurrentVersionExpiration" in rule for rule in rules):
            return [passed("versions", self._uri, "versioning is on, and old versions expire")]
        why = "Every object that is replaced or removed is kept, and billed, for ever."
        fix = (
            f"aws s3api put-bucket-lifecycle-configuration --bucket {self._bucket} "
            "--lifecycle-configuration file://lifecycle.json  # with NoncurrentVersionExpiration"
        )
        return [
            finding(
                "versions", self._uri, "warning", "versioning is on, and old versions never expire", why, fix
            )
        ]

    def _unless_unset(self, ask: Callable[[], Any], unset: str) -> Any:
        try:
            return ask()
        except ClientError as error:
            if code_of(error) != unset:
                raise
            return None


def _refuses_plain(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool", {})
    return (
        statement.get("Effect") == "Deny" and str(condition.get("aws:SecureTransport", "")).lower() == "false"
    )
