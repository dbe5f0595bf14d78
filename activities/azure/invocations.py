"""The data plane of batch endpoints: invocations, and the jobs that came of them.

The calls are those of the SDK, made without it: each of its invocations carries a repeatability id of its own and may be sent
five times (Azure/azure-sdk-for-python#31166), so that one which was lost on the way becomes several jobs.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest, HttpResponse

from activities.azure.actions import ML
from activities.azure.errors import CLOUD
from activities.azure.history import time_of
from activities.azure.states import phase_of
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobPhase

NEEDS = {
    "send_request": (
        f"{ML}/batchEndpoints/jobs/read",
        f"{ML}/batchEndpoints/jobs/write",
        f"{ML}/batchEndpoints/deployments/jobs/write",
        f"{ML}/experiments/runs/submit/action",
        f"{ML}/experiments/runs/write",
        f"{ML}/environments/build/action",
        f"{ML}/environments/readSecrets/action",
        f"{ML}/metadata/artifacts/write",
    ),
}
"""From the second on, what the service demands of who invokes:
https://learn.microsoft.com/azure/machine-learning/how-to-authenticate-batch-endpoint#configure-rbac-for-batch-endpoints-invoke.
Runs are also written to by us: their tags."""
API_VERSION = "2020-09-01-dataplanepreview"
PREFIX = "/mferp/managementfrontend"
OPTIONS: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 20}
"""Once, and together less than the lease of a claim."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Invocation:
    """A job that came of an invocation."""

    name: str
    created_at: datetime
    phase: JobPhase


class Invocations:
    """One workspace's batch endpoints."""

    def __init__(self, url: str, workspace_id: str, credential: TokenCredential, scope: str) -> None:
        """Ask the API at this URL about the workspace with this ARM id."""
        policy = BearerTokenCredentialPolicy(credential, scope)
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            url, policies=[policy], **OPTIONS
        )
        self._endpoints = f"{url.rstrip('/')}{PREFIX}{workspace_id}/batchEndpoints"

    def invoke(self, url: str, deployment: str, key: str, body: Mapping[str, Any]) -> Invocation:
        """Start a job by posting to an endpoint's scoring URI; another call with the same key may start another one.

        Raises:
            HttpResponseError: the service refused.
        """
        if urlsplit(url).scheme != "https":
            raise failure(
                ErrorKind.UNAVAILABLE, "the batch endpoint has no address", ErrorDetail(cloud=CLOUD)
            )
        headers = {
            "azureml-model-deployment": deployment,
            # The SDK's own spelling. No page says what the service makes of it, so nothing here relies on it.
            "repeatability_request-id": str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
        }
        answer = self._client.send_request(HttpRequest("POST", url, json=dict(body), headers=headers))
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise HttpResponseError(response=answer)
        return _read(answer.json())

    def of(self, endpoint: str) -> list[Invocation]:
        """List the jobs of an endpoint, oldest first; none of an endpoint that there is not."""
        found: list[Invocation] = []
        url = f"{self._endpoints}/{endpoint}/jobs?{urlencode({'api-version': API_VERSION})}"
        while url:
            answer = self._client.send_request(HttpRequest("GET", url))
            if answer.status_code == HTTPStatus.NOT_FOUND:
                return []
            if answer.status_code >= HTTPStatus.BAD_REQUEST:
                raise HttpResponseError(response=answer)
            page = answer.json()
            found += [_read(held) for held in page.get("value") or []]
            url = page.get("nextLink") or ""
        return sorted(found, key=lambda held: (held.created_at, held.name))


def _read(held: Mapping[str, Any]) -> Invocation:
    # The id of a job leaves its endpoint's name out at times, but never the job's.
    name = str(held.get("name") or str(held["id"]).rpartition("/")[2])
    created = time_of((held.get("systemData") or {}).get("createdAt")) or _LONG_AGO
    status = str((held.get("properties") or {}).get("status") or "")
    return Invocation(name, created, phase_of(status))
