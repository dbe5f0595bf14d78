"""How many machines of each type the account may have at once: Service Quotas tells it, and whoever creates a job is held to it.

https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import botocore.session

from sandbox.servers.sagemaker.errors import AwsError
from sandbox.servers.sagemaker.wire import answer, checked

TARGET = "ServiceQuotasV20190624."
USUAL = 1000
"""Where nobody planted another: more than one computer carries."""
KINDS = {
    "training job": "TrainingInstanceType",
    "processing job": "ProcessingInstanceType",
    "transform job": "TransformInstanceType",
}
"""Whatever takes machines and is held to a limit here, to the vendor's list of machines for it."""
_LARGEST_PAGE = 100
_SESSION = botocore.session.get_session()
_OPERATION = _SESSION.get_service_model("service-quotas").operation_model("ListServiceQuotas")


class Limits:
    """The limits of one account, read anew each time: a file may say others by their names."""

    def __init__(self, path: Path, region: str, account: str) -> None:
        """Read limits that were planted from `path`, which need not exist: a JSON object of names and numbers."""
        self._path = path
        self._place = f"arn:aws:servicequotas:{region}:{account}:sagemaker"

    def hold(self, machine: str, noun: str, wanted: int, running: int) -> None:
        """Return only when so many machines more are within the limit.

        Raises:
            AwsError: they are not; in the vendor's words.
        """
        limit = self._planted().get(name_of(machine, noun), USUAL)
        if running + wanted > limit:
            raise exceeded(machine, noun, limit, running, wanted)

    def handle(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer an operation of Service Quotas, both as JSON.

        Raises:
            AwsError: the vendor would refuse it, or this server does not do it.
        """
        if operation != _OPERATION.name:
            raise AwsError(
                "IllegalArgumentException", f"the sandbox's Service Quotas does not do this: {operation}"
            )
        parameters = checked(_OPERATION, body)
        if parameters["ServiceCode"] != "sagemaker":
            raise AwsError("NoSuchResourceException", f"no service {parameters['ServiceCode']} here")
        every = [self._told(name, limit) for name, limit in self._all().items()]
        size = min(parameters.get("MaxResults", _LARGEST_PAGE), _LARGEST_PAGE)
        begin = _begin(parameters.get("NextToken"), len(every))
        token = _token(begin + size) if begin + size < len(every) else None
        return answer(_OPERATION, {"Quotas": every[begin : begin + size], "NextToken": token})

    def _all(self) -> dict[str, int]:
        model = _SESSION.get_service_model("sagemaker")
        names = [
            name_of(machine, noun)
            for noun, shape in KINDS.items()
            for machine in model.shape_for(shape).enum  # type: ignore[attr-defined]
        ]
        planted = self._planted()
        return {name: planted.get(name, USUAL) for name in sorted(names)}

    def _planted(self) -> dict[str, int]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}

    def _told(self, name: str, limit: int) -> dict[str, Any]:
        code = f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
        return {
            "ServiceCode": "sagemaker",
            "ServiceName": "Amazon SageMaker",
            "QuotaArn": f"{self._place}/{code}",
            "QuotaCode": code,
            "QuotaName": name,
            "Value": float(limit),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }


def name_of(machine: str, noun: str) -> str:
    """A limit's name."""
    return f"{machine} for {noun} usage"


def exceeded(machine: str, noun: str, limit: int, running: int, wanted: int) -> AwsError:
    """What the vendor answers to a job that is one too many."""
    return AwsError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{name_of(machine, noun)}' is {limit} Instances, "
        f"with current utilization of {running} Instances and a request delta of {wanted} Instances. "
        "Please use AWS Service Quotas to request an increase for this quota.",
    )


def _token(begin: int) -> str:
    return base64.urlsafe_b64encode(str(begin).encode()).decode()


def _begin(token: str | None, among: int) -> int:
    try:
        begin = int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        begin = -1
    if not 0 <= begin <= among:
        raise AwsError("InvalidPaginationTokenException", "Invalid NextToken")
    return begin
