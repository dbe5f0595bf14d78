"""How a bucket is kept, from its own metadata: where, closed, under which key, and what of it is billed after its end."""

from typing import Any

from google.cloud import storage

from activities.looking import finding, passed
from contracts.checks import CheckLine

_TIMEOUT = (5.0, 8.0)
MULTI_REGIONS = {"US": ("us-", "northamerica-"), "EU": ("europe-",), "ASIA": ("asia-",)}
"""Which regions' names lie in a multi-region: https://cloud.google.com/storage/docs/locations"""


class BucketLooks:
    """One bucket; its metadata are asked for once."""

    def __init__(self, client: storage.Client, name: str, location: str) -> None:
        self._client = client
        self._name = name
        self._location = location
        self._uri = f"gs://{name}/"
        self._update = f"gcloud storage buckets update gs://{name}"

    def all(self) -> list[CheckLine]:
        """Say all that the bucket's metadata tell."""
        bucket: Any = self._client.get_bucket(self._name, timeout=_TIMEOUT, retry=None)
        return [
            self._placed(bucket),
            self._closed(bucket),
            self._uniform(bucket),
            self._encrypted(bucket),
            self._retained(bucket),
            self._deleted(bucket),
            self._versions(bucket),
        ]

    def _placed(self, bucket: Any) -> CheckLine:
        there = str(bucket.location or "").upper()
        if not there:
            return finding(
                "region",
                self._uri,
                "unknown",
                "the store does not tell",
                "Data of another region are billed when jobs read them.",
            )
        if there == self._location.upper() or self._location.startswith(MULTI_REGIONS.get(there, ("-",))):
            return passed("region", self._uri, there)
        why = f"Jobs run in {self._location}; every byte they read from another region is billed."
        return finding(
            "region",
            self._uri,
            "failed",
            f"lies in {there}",
            why,
            f"set CAUSEWAY_GCP_LOCATION to {there.lower()}, or choose a bucket in {self._location}",
        )

    def _closed(self, bucket: Any) -> CheckLine:
        held = bucket.iam_configuration.public_access_prevention
        if held == "enforced":
            return passed("public_access", self._uri, "prevented")
        why = "One wrong binding would show its objects to everyone."
        return finding(
            "public_access",
            self._uri,
            "warning",
            f"public access prevention is {held or 'not set'}",
            why,
            f"{self._update} --public-access-prevention",
        )

    def _uniform(self, bucket: Any) -> CheckLine:
        if bucket.iam_configuration.uniform_bucket_level_access_enabled:
            return passed("public_access", self._uri, "rights are the bucket's, not each object's")
        why = "An object may have rights of its own, which the bucket's policy does not show."
        return finding(
            "public_access",
            self._uri,
            "warning",
            "objects may have ACLs",
            why,
            f"{self._update} --uniform-bucket-level-access",
        )

    def _encrypted(self, bucket: Any) -> CheckLine:
        # Google encrypts every object at rest: https://cloud.google.com/storage/docs/encryption
        return passed("encryption", self._uri, f"with {bucket.default_kms_key_name or 'keys of Google'}")

    def _retained(self, bucket: Any) -> CheckLine:
        period = bucket.retention_period
        if not period:
            return passed("retention", self._uri, "no retention policy")
        why = "Large copies are sent in part objects that are removed afterwards; under a retention policy they cannot be."
        return finding(
            "retention",
            self._uri,
            "failed",
            f"objects are kept for {period} s",
            why,
            f"{self._update} --clear-retention-period",
        )

    def _deleted(self, bucket: Any) -> CheckLine:
        policy = bucket.soft_delete_policy
        seconds = int(policy.retention_duration_seconds or 0) if policy is not None else 0
        if seconds == 0:
            return passed("retention", self._uri, "deleted objects are gone at once")
        why = "Every part object of a large copy is billed that much longer, at the price of storage."
        return finding(
            "retention",
            self._uri,
            "warning",
            f"deleted objects are kept for {seconds // 86400} days",
            why,
            f"{self._update} --clear-soft-delete",
        )

    def _versions(self, bucket: Any) -> CheckLine:
        if not bucket.versioning_enabled:
            return passed("versions", self._uri, "off")
        if any(
            "numNewerVersions" in rule.get("condition", {})
            or "daysSinceNoncurrentTime" in rule.get("condition", {})
            for rule in bucket.lifecycle_rules
        ):
            return passed("versions", self._uri, "on, and old versions expire")
        why = "Every object that is replaced or removed is kept, and billed, for ever."
        return finding(
            "versions",
            self._uri,
            "warning",
            "on, and old versions never expire",
            why,
            f"{self._update} --no-versioning",
        )
