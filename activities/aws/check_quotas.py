"""How many machines SageMaker lets this account have: a fresh account may have none, and every job is refused then."""

from collections.abc import Iterator, Sequence
from typing import Any

from activities.aws.machines import SageMakerMachines
from activities.looking import Look, finding, passed
from contracts.checks import CheckLine
from contracts.jobs import JobKind
from contracts.machines import Resources

NOUNS: dict[str, JobKind] = {
    "training job": "train",
    "processing job": "process",
    "transform job": "batch_predict",
}
"""What SageMaker counts machines of, to the kind of stage that has them."""
_SERVICE = "--service-code sagemaker"
Limit = tuple[str, float]
"""A quota's code and its value."""


class QuotaLooks:
    """Service Quotas' limits on the machines that stages get here which ask for none."""

    def __init__(self, client: Any, region: str, machines: SageMakerMachines) -> None:
        """Ask this client of Service Quotas."""
        self._client = client
        self._region = region
        self._machines = machines

    def look(self) -> Look:
        """Return what is looked at; what may not be seen is no pass."""
        return Look("quota", "SageMaker", self._all, fix="grant servicequotas:ListServiceQuotas to look")

    def _all(self) -> Sequence[CheckLine]:
        wanted = [
            f"{self._machines.choose(kind, Resources()).instance} for {noun} usage"
            for noun, kind in NOUNS.items()
        ]
        told = {name: limit for name, limit in self._limits() if name in wanted}
        none_at_all = bool(told) and not any(value for _, value in told.values())
        return [self._line(name, told.get(name), none_at_all=none_at_all) for name in dict.fromkeys(wanted)]

    def _limits(self) -> Iterator[tuple[str, Limit]]:
        for page in self._client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker"):
            for quota in page["Quotas"]:
                yield quota["QuotaName"], (quota["QuotaCode"], quota["Value"])

    def _line(self, name: str, limit: Limit | None, *, none_at_all: bool) -> CheckLine:
        why = "A job that is one too many is refused, and its stage says so."
        region = f"--region {self._region}"
        if limit is None:
            fix = f"aws service-quotas list-aws-default-service-quotas {_SERVICE} {region}"
            return finding("quota", name, "unknown", "Service Quotas lists no such limit", why, fix)
        code, value = limit
        if value:
            return passed("quota", name, f"{value:g}")
        fix = f"aws service-quotas request-service-quota-increase {_SERVICE} --quota-code {code} --desired-value 1 {region}"
        why = "Every such job of a stage that names no machine is refused."
        return finding("quota", name, "failed" if none_at_all else "warning", "0", why, fix)
