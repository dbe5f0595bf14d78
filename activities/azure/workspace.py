"""The Azure Machine Learning workspace of a connection: its clients, made on first use and kept."""

import os
import threading
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import PipelineResponse
from azure.core.rest import HttpRequest, HttpResponse

from activities.asked import answered
from activities.azure.actions import ML
from activities.azure.history import RunHistory
from activities.azure.invocations import Invocations
from activities.azure.ml import MLClient
from activities.azure.resources import Resources
from activities.azure.settings import AzureSettings
from contracts.errors import ErrorDetail, ErrorKind, failure

NEEDS = {
    "workspaces.get": (f"{ML}/read",),
    "compute.get": (f"{ML}/computes/read",),
    "send_request": (),
}
"""What is fetched by address alone, cloud metadata and discovery, is for everyone."""
METADATA_URL = "ARM_CLOUD_METADATA_URL"
PUBLIC_MACHINE_LEARNING = "https://ml.azure.com"
PUBLIC_MANAGER = "https://management.azure.com/"
CLIENT_OPTIONS: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 60}
"""Temporal retries, not the SDK."""


class MlWorkspace:
    """One workspace, reached by the worker's identity. Nothing is asked of Azure before it is needed."""

    def __init__(self, settings: AzureSettings, identity: TokenCredential) -> None:
        """Remember where it is; a control plane that is away now may be back when the first job comes."""
        self.name = settings.workspace
        self.resource_id = (
            f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{settings.workspace}"
        )
        self.resources = Resources(self.resource_id, self.manager_url, identity, **CLIENT_OPTIONS)
        """Its models, endpoints and deployments."""
        self._settings = settings
        self._identity = identity
        self._lock = threading.RLock()
        self._manager = PUBLIC_MANAGER
        self._seen = threading.local()
        self._machine_learning = PUBLIC_MACHINE_LEARNING
        self._client: MLClient | None = None
        self._invocations: Invocations | None = None
        self._history: RunHistory | None = None

    def created_job(self) -> bool:
        """Whether this thread's last PUT of a job made it; the SDK returns the job alone, made or found."""
        return getattr(self._seen, "job_put", None) == HTTPStatus.CREATED

    @property
    def client(self) -> MLClient:
        """The SDK's client of the control plane."""
        with self._lock:
            if self._client is None:
                cloud = self._cloud()
                self._client = MLClient(
                    self._identity,
                    self._settings.subscription,
                    self._settings.resource_group,
                    self.name,
                    show_progress=False,
                    enable_telemetry=False,
                    raw_response_hook=self._note,
                    **cloud,
                    **CLIENT_OPTIONS,
                )
            return self._client

    def cluster(self, name: str) -> tuple[str, bool]:
        """Return the VM size of a cluster's nodes, and whether they have low priority: they may be taken back."""
        found: Any = self.client.compute.get(name)
        tier = str(getattr(found, "tier", None) or "").replace("_", "").lower()
        return str(getattr(found, "size", None) or ""), tier == "lowpriority"

    @property
    def history(self) -> RunHistory:
        """The workspace's run history, at the address that its discovery names."""
        with self._lock:
            if self._history is None:
                discovery = self.client.workspaces.get(self.name).discovery_url
                url = _fetch(str(discovery))["history"]
                scope = f"{self._manager.rstrip('/')}/.default"
                self._history = RunHistory(url, self.resource_id, self._identity, scope, **CLIENT_OPTIONS)
            return self._history

    @property
    def invocations(self) -> Invocations:
        """The jobs of the workspace's batch endpoints."""
        with self._lock:
            if self._invocations is None:
                discovery = self.client.workspaces.get(self.name).discovery_url
                url = _fetch(str(discovery))["api"]
                scope = f"{self._machine_learning}/.default"
                self._invocations = Invocations(url, self.resource_id, self._identity, scope)
            return self._invocations

    def manager_url(self) -> str:
        """Return where the resource manager of this cloud answers."""
        with self._lock:
            if self._client is None:
                self._cloud()
            return self._manager

    def _note(self, answer: PipelineResponse[Any, Any]) -> None:
        answered(answer.http_response.headers.get("x-ms-request-id"))
        request = answer.http_request
        if request.method == "PUT" and urlsplit(request.url).path.startswith(f"{self.resource_id}/jobs/"):
            self._seen.job_put = answer.http_response.status_code

    def _cloud(self) -> dict[str, Any]:
        """Return what tells `MLClient` of another cloud than the public one.

        Left to itself it falls back to the public cloud, without a word, when the address does not answer.
        """
        url = os.environ.get(METADATA_URL)
        if not url:
            return {}
        clouds = _fetch(url)
        offered = clouds if isinstance(clouds, list) else [clouds]
        here = next((cloud for cloud in offered if _host(cloud["resourceManager"]) == _host(url)), None)
        if here is None:
            message = f"{METADATA_URL} names no cloud whose resource manager is at its own address"
            raise failure(ErrorKind.INVALID_REQUEST, message, ErrorDetail(cloud="azure", ref=METADATA_URL))
        self._manager = here["resourceManager"]
        suffix = ".".join(str(_host(here["portal"])).split(".")[1:])
        self._machine_learning = f"https://ml.{suffix}"
        described = {
            "azure_portal": here["portal"],
            "resource_manager": here["resourceManager"],
            "active_directory": here["authentication"]["loginEndpoint"],
            "aml_resource_id": self._machine_learning,
            "storage_endpoint": here["suffixes"]["storage"],
            "registry_discovery_endpoint": here["resourceManager"],
        }
        return {"cloud": here["name"], "cloud_metadata": described}


def _fetch(url: str) -> Any:
    client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(url, policies=[], **CLIENT_OPTIONS)
    with client:
        answer = client.send_request(HttpRequest("GET", url))
        if answer.status_code != 200:
            raise HttpResponseError(message=f"{_host(url)} answered {answer.status_code}", response=answer)
        return answer.json()


def _host(url: str) -> str | None:
    parts = urlsplit(url)
    return parts.netloc or None
