"""A private Azure for tests: our Azure server beside a real Blob emulator, on free ports."""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml import Input, MLClient, Output, command
from azure.ai.ml.entities import Environment, Job
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient, ContainerClient

from sandbox import environment
from sandbox.layout import CONTAINER, Endpoints, Layout
from sandbox.servers.faults import Fault, Faults
from sandbox.services import blob, fronts, ours
from tests.house import PATIENCE_SECONDS, until
from tests.sandbox.servers import Servers, laid_out

CALL_SECONDS = PATIENCE_SECONDS
MANAGEMENT = "https://management.azure.com/.default"
AZURE = next(service for service in ours.SERVICES if service.name == "azure")
ENDED = ("Completed", "Failed", "Canceled")


class AzureCloud(Servers):
    """The servers, and what a worker would build from its settings to reach them."""

    def __init__(self, layout: Layout, endpoints: Endpoints) -> None:
        super().__init__(layout, endpoints)
        self.faults = Faults(layout.faults_of("azure"))

    @cached_property
    def credential(self) -> DefaultAzureCredential:
        return DefaultAzureCredential(disable_instance_discovery=True)

    @cached_property
    def client(self) -> MLClient:
        ours = self.endpoints
        place = (ours.azure_subscription_id, ours.azure_resource_group, ours.azure_workspace)
        return MLClient(self.credential, *place, enable_telemetry=False, show_progress=False, retry_total=0)

    @property
    def workspace_url(self) -> str:
        ours = self.endpoints
        group = f"/subscriptions/{ours.azure_subscription_id}/resourceGroups/{ours.azure_resource_group}"
        provider = "/providers/Microsoft.MachineLearningServices"
        return f"{ours.azure_url}{group}{provider}/workspaces/{ours.azure_workspace}"

    def container(self) -> ContainerClient:
        return BlobServiceClient(self.endpoints.blob_url, credential=self.credential).get_container_client(
            CONTAINER
        )

    def put(self, name: str, text: str) -> str:
        self.container().upload_blob(name, text, overwrite=True)
        return f"azureml://datastores/workspaceblobstore/paths/{name}"

    def text(self, name: str) -> str:
        return self.container().download_blob(name).readall().decode()

    def job(self, line: str, name: str = "", **more: Any) -> Any:
        """A command job as the product describes it."""
        seconds = more.pop("timeout", None)
        described: dict[str, Any] = {
            "name": name or f"job-{uuid.uuid4().hex[:12]}",
            "environment": Environment(image="sandbox"),
            "compute": "cpu-cluster",
            "experiment_name": "tests",
        }
        made = command(command=line, **(described | more))
        if seconds:
            made.set_limits(timeout=seconds)
        return made

    def submit(self, line: str, name: str = "", **more: Any) -> Job:
        accepted: Job = self.client.jobs.create_or_update(self.job(line, name, **more))
        return accepted

    def until(self, name: str, *states: str) -> Job:
        def look() -> Job | None:
            seen: Job = self.client.jobs.get(name)
            return seen if seen.status in states else None

        found: Job = until(look, f"{name} is one of {states}")
        return found

    def finished(self, name: str) -> Job:
        return self.until(name, *ENDED)

    def call(self, method: str, path: str, body: Any = None, token: str | None = "") -> requests.Response:
        """One raw call; `token` is the management token unless another, or None, is given."""
        bearer = self.credential.get_token(MANAGEMENT).token if token == "" else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        url = path if path.startswith("https:") else f"{self.workspace_url}{path}"
        query = {} if "/history/" in url else {"api-version": "2025-01-01-preview"}
        return requests.request(
            method, url, params=query, json=body, headers=headers, timeout=CALL_SECONDS, verify=self.authority
        )

    def details(self, name: str) -> dict[str, Any]:
        """What the run history says of a job."""
        base = self.workspace_url.replace("/subscriptions/", "/history/v1.0/subscriptions/", 1)
        found: dict[str, Any] = self.call("GET", f"{base}/runs/{name}/details").json()
        return found

    def log(self, name: str) -> requests.Response:
        link = self.details(name)["logFiles"]["user_logs/std_log.txt"]
        return requests.get(link, timeout=CALL_SECONDS, verify=self.authority)

    def token_request(self, **changed: str) -> requests.Response:
        ours = self.endpoints
        fields = {
            "grant_type": "client_credentials",
            "client_id": ours.azure_client_id,
            "client_secret": ours.azure_client_secret,
            "scope": MANAGEMENT,
        }
        url = f"{ours.azure_url}/{ours.azure_tenant_id}/oauth2/v2.0/token"
        return requests.post(url, data=fields | changed, timeout=CALL_SECONDS, verify=self.authority)

    @property
    def authority(self) -> str:
        return str(self.endpoints.ca_certificate)

    def fault(self, kind: str, **more: Any) -> None:
        self.faults.add(Fault(kind, **({"times": 1} | more)))

    def operations(self, resource: str) -> list[tuple[str, int]]:
        lines = [json.loads(line) for line in self.layout.requests_of("azure").read_text().splitlines()]
        return [(line["operation"], line["status"]) for line in lines if line["resource"] == resource]


def output(uri: str) -> Output:
    """A folder at an explicit path, as the product always asks for."""
    return Output(type="uri_folder", path=uri, mode="rw_mount")


def file(uri: str) -> Input:
    """One file to read."""
    return Input(type="uri_file", path=uri)


def folder(uri: str) -> Input:
    """One folder to read."""
    return Input(type="uri_folder", path=uri)


@contextmanager
def running(root: Path) -> Iterator[AzureCloud]:
    """Servers on free ports with state below `root`, and a worker's environment; nothing is left."""
    layout, endpoints = laid_out(root, "blob")
    cloud = AzureCloud(layout, endpoints)
    # The SDK warns of experimental classes that it uses itself.
    logging.getLogger("azure.ai.ml._utils._experimental").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.worker("azure", layout, endpoints).items():
            patched.setenv(name, value)
        # The SDK writes its cloud's name here, for the whole process.
        patched.delenv("AZUREML_CURRENT_CLOUD", raising=False)
        patched.setenv("AZUREML_CURRENT_CLOUD", "CausewaySandbox")
        # The SDK makes the commit it runs in a property of the job. Commits may change between two submits of
        # the same job, and properties may not.
        patched.setenv("GIT_DIR", os.devnull)
        try:
            cloud.start(blob.SERVICE)
            blob.seed(layout, endpoints)
            cloud.start(fronts.BLOB)
            cloud.start(AZURE)
            yield cloud
        finally:
            cloud.end_all()
