"""Batch endpoints of the local Azure as its tests ask them."""

from __future__ import annotations

import uuid
from typing import Any

import requests
from azure.ai.ml.entities._deployment.batch_job import BatchJob

from tests.house import until
from tests.sandbox.azure_cloud import CALL_SECONDS, AzureCloud


def put(cloud: AzureCloud, path: str, properties: dict[str, Any]) -> None:
    answer = cloud.call("PUT", path, {"location": "local", "properties": properties})
    assert answer.status_code == 201, answer.text
    until(
        lambda: cloud.call("GET", path).json()["properties"]["provisioningState"] == "Succeeded",
        f"{path} is there",
    )


def invoked(cloud: AzureCloud, endpoint: str, files: int = 5) -> Any:
    """Start a job as the SDK does, which in a process that knows several clouds asks another one for its token."""
    place = f"rows/{uuid.uuid4().hex}"
    for number in range(files):
        cloud.put(f"{place}/{number}.txt", str(number))
    source = {"jobInputType": "UriFolder", "uri": f"azureml://datastores/workspaceblobstore/paths/{place}/"}
    answer = asked(cloud, "POST", endpoint, {"properties": {"inputData": {"rows": source}}})
    assert answer.status_code == 201, answer.text
    return BatchJob._from_rest_object(answer.json())


def asked(
    cloud: AzureCloud, method: str, endpoint: str, body: Any = None, below: str = ""
) -> requests.Response:
    base = cloud.workspace_url.replace("/subscriptions/", "/mferp/managementfrontend/subscriptions/", 1)
    token = cloud.credential.get_token("https://ml.azure.com/.default").token
    return requests.request(
        method,
        f"{base}/batchEndpoints/{endpoint}{below}/jobs?api-version=2020-09-01-dataplanepreview",
        json=body,
        headers={"Authorization": f"Bearer {token}", "azureml-model-deployment": "blue"},
        timeout=CALL_SECONDS,
        verify=cloud.authority,
    )


def listed(cloud: AzureCloud, endpoint: str, below: str = "") -> list[str]:
    return [held["name"] for held in asked(cloud, "GET", endpoint, below=below).json()["value"]]


def step_of(cloud: AzureCloud, job: str) -> dict[str, Any]:
    base = cloud.workspace_url.replace("/subscriptions/", "/history/v1.0/subscriptions/", 1)
    (found,) = cloud.call("GET", f"{base}/runs/{job}/children").json()["value"]
    step: dict[str, Any] = found
    return step


def scored(cloud: AzureCloud, job: str) -> list[str]:
    place = step_of(cloud, job)["outputs"]["score"]["assetId"].split("/paths/")[1]
    return cloud.text(place).splitlines()


def log_of(cloud: AzureCloud, job: str) -> str:
    (link,) = cloud.details(step_of(cloud, job)["runId"])["logFiles"].values()
    return requests.get(link, timeout=CALL_SECONDS, verify=cloud.authority).text
