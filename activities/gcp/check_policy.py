"""Who a bucket's own policy lets in: nobody without a name."""

from collections.abc import Sequence
from typing import Any

from google.api_core.exceptions import Forbidden
from google.cloud import storage

from activities.looking import finding, passed
from contracts.checks import CheckLine

EVERYONE = ("allUsers", "allAuthenticatedUsers")
"""Whoever asks, and whoever has any account of Google's: https://cloud.google.com/iam/docs/principals-overview#all-users"""

NEEDS = {
    "get_iam_policy": ("storage.buckets.getIamPolicy",),
    "get_bucket": ("storage.buckets.get",),
}
_TIMEOUT = (5.0, 8.0)
_CONDITIONAL = 3
"""The version of a policy that tells of conditions: who asks for less is refused where there are some."""


class PolicyLooks:
    """One bucket's policy; what it inherits from its project and organisation does not stand in it."""

    def __init__(self, client: storage.Client, name: str) -> None:
        self._client = client
        self._name = name
        self._uri = f"gs://{name}/"

    def opened(self) -> list[CheckLine]:
        """Say who of everyone may do what, and the commands that end it."""
        bucket: Any = self._client.bucket(self._name)
        policy = bucket.get_iam_policy(requested_policy_version=_CONDITIONAL, timeout=_TIMEOUT, retry=None)
        given = _given_to_everyone(policy.bindings)
        if not given:
            return [passed("public_access", self._uri, "no role is everyone's")]
        told = ", ".join(f"{member} has {role}" for member, role in given)
        if self._prevented():
            return [passed("public_access", self._uri, f"prevented, though {told}")]
        why = "Anyone on the internet may use it so: allUsers without a name, allAuthenticatedUsers with any account."
        fix = " && ".join(self._ending(member, role) for member, role in given)
        return [finding("public_access", self._uri, "failed", f"open to everyone: {told}", why, fix)]

    def _prevented(self) -> bool:
        try:
            bucket: Any = self._client.get_bucket(self._name, timeout=_TIMEOUT, retry=None)
        except Forbidden:
            return False
        return bool(bucket.iam_configuration.public_access_prevention == "enforced")

    def _ending(self, member: str, role: str) -> str:
        # Without `--all` gcloud asks for a condition as soon as any binding has one.
        remove = f"gcloud storage buckets remove-iam-policy-binding gs://{self._name}"
        return f"{remove} --member={member} --role={role} --all"


def _given_to_everyone(bindings: Sequence[Any]) -> list[tuple[str, str]]:
    held = {
        (member, binding["role"])
        for binding in bindings
        for member in EVERYONE
        if member in binding["members"]
    }
    return sorted(held)
