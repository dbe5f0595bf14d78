"""The sandbox's batch endpoints by the vendor's own SDK: scoring scripts really run, and jobs show as the service shows them."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml.entities import (
    BatchEndpoint,
    CodeConfiguration,
    Environment,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from sandbox.layout import CONTAINER
from tests.house import until
from tests.sandbox.azure_batch import invoked, listed, log_of, put, scored, step_of
from tests.sandbox.azure_cloud import AZURE, CALL_SECONDS, AzureCloud, running

NAMES = """
import os, pathlib
def init():
    assert pathlib.Path(os.environ["AZUREML_MODEL_DIR"]).rglob("weights")
    print("loaded", flush=True)
def run(mini_batch):
    return [f"{len(mini_batch)} {pathlib.Path(path).name} {os.environ['WHO']}" for path in mini_batch]
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureCloud]:
    with running(tmp_path_factory.mktemp("azure")) as started:
        yield started


@pytest.fixture
def deployed(cloud: AzureCloud) -> Callable[..., str]:
    """Have an endpoint with a deployment `blue` of a scoring script, by the resource manager's own calls."""

    def build(script: str, **settings: Any) -> str:
        name, place = f"be-{uuid.uuid4().hex[:12]}", f"batches/{uuid.uuid4().hex}"
        cloud.put(f"{place}/model/weights", "1")
        cloud.put(f"{place}/code/score.py", script)
        base = "azureml://datastores/workspaceblobstore/paths"
        made = {
            f"/models/{name}/versions/1": {"modelUri": f"{base}/{place}/model/", "modelType": "custom_model"},
            f"/codes/{name}/versions/1": {"codeUri": f"{cloud.endpoints.blob_url}/{CONTAINER}/{place}/code/"},
            f"/environments/{name}/versions/1": {"image": "sandbox"},
        }
        ids = [cloud.call("PUT", path, {"properties": body}).json()["id"] for path, body in made.items()]
        put(cloud, f"/batchEndpoints/{name}", {"authMode": "AADToken"})
        body = {
            "model": {"referenceType": "Id", "assetId": ids[0]},
            "codeConfiguration": {"codeId": ids[1], "scoringScript": "score.py"},
            "environmentId": ids[2],
            "environmentVariables": {"WHO": "me"},
            "compute": ids[0].replace(f"/models/{name}/versions/1", "/computes/cpu-cluster"),
        }
        put(cloud, f"/batchEndpoints/{name}/deployments/blue", body | settings)
        return name

    return build


def test_the_sdk_makes_invokes_and_deletes_an_endpoint(cloud: AzureCloud, tmp_path: Path) -> None:
    name, client = f"be-{uuid.uuid4().hex[:12]}", cloud.client
    (tmp_path / "score.py").write_text("def init(): pass\ndef run(mini_batch): return ['done']\n")
    client.batch_endpoints.begin_create_or_update(BatchEndpoint(name=name)).result()
    deployment = ModelBatchDeployment(
        name="blue",
        endpoint_name=name,
        environment=Environment(image="sandbox"),
        code_configuration=CodeConfiguration(code=str(tmp_path), scoring_script="score.py"),
        compute="cpu-cluster",
        settings=ModelBatchDeploymentSettings(mini_batch_size=1, output_file_name="predictions.csv"),
    )
    client.batch_deployments.begin_create_or_update(deployment).result()
    job = invoked(cloud, name, 1)
    assert cloud.finished(job.name).status == "Completed"
    assert scored(cloud, job.name) == ["done"]
    client.batch_endpoints.begin_delete(name).result()
    with pytest.raises(ResourceNotFoundError):
        client.batch_endpoints.get(name)


def test_every_mini_batch_is_scored_and_its_rows_are_appended_to_one_file(
    cloud: AzureCloud, deployed: Callable[..., str]
) -> None:
    endpoint = deployed(NAMES, miniBatchSize=2, maxConcurrencyPerInstance=2)
    job = invoked(cloud, endpoint)
    assert cloud.finished(job.name).status == "Completed"
    assert sorted(scored(cloud, job.name)) == [
        "1 4.txt me",
        "2 0.txt me",
        "2 1.txt me",
        "2 2.txt me",
        "2 3.txt me",
    ]
    assert log_of(cloud, job.name).count("loaded") == 2


def test_a_job_shows_as_a_pipeline_of_one_step_that_names_its_endpoint(
    cloud: AzureCloud, deployed: Callable[..., str]
) -> None:
    endpoint = deployed(NAMES)
    job = invoked(cloud, endpoint, 1)
    shown = cloud.finished(job.name)
    assert (shown.type, shown.tags["azureml.batchrun"]) == ("pipeline", "true")
    assert shown.properties["azureml.endpointname"] == endpoint
    step = step_of(cloud, job.name)
    assert (step["rootRunId"], step["parentRunId"], step["status"]) == (job.name, job.name, "Completed")
    assert listed(cloud, endpoint) == listed(cloud, endpoint, "/deployments/blue") == [job.name]
    everything = [held.name for held in cloud.client.jobs.list() if held]
    assert job.name in everything
    assert step["runId"] not in everything


def test_two_invocations_are_two_jobs_whatever_their_repeatability_id(
    cloud: AzureCloud, deployed: Callable[..., str]
) -> None:
    endpoint = deployed(NAMES)
    address = cloud.client.batch_endpoints.get(endpoint).scoring_uri
    rows = cloud.put(f"rows/{uuid.uuid4().hex}/0.txt", "0").rpartition("/")[0]
    body = {"properties": {"InputData": {"rows": {"JobInputType": "UriFolder", "Uri": f"{rows}/"}}}}
    token = cloud.credential.get_token("https://ml.azure.com/.default").token
    headers = {"repeatability_request-id": str(uuid.uuid4()), "azureml-model-deployment": "blue"}
    headers["Authorization"] = f"Bearer {token}"
    answers = [
        requests.post(address, json=body, headers=headers, timeout=CALL_SECONDS, verify=cloud.authority)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.json()["name"] for answer in answers}) == 2
    assert len(listed(cloud, endpoint)) == 2
    refused = cloud.call("POST", address, body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (
        401,
        "InvalidAuthenticationTokenAudience",
    )


@pytest.mark.parametrize(
    ("threshold", "status"), [(-1, "Completed"), (1, "Completed"), (0, "Failed")], ids=["any", "one", "none"]
)
def test_files_that_fail_are_counted_against_the_error_threshold(
    cloud: AzureCloud, deployed: Callable[..., str], threshold: int, status: str
) -> None:
    script = """
def init(): pass
def run(mini_batch):
    if mini_batch[0].endswith("1.txt"):
        raise ValueError("cannot score 1")
    return mini_batch
"""
    retries = {"maxRetries": 1, "timeout": "PT30S"}
    endpoint = deployed(script, miniBatchSize=1, errorThreshold=threshold, retrySettings=retries)
    job = invoked(cloud, endpoint, 3)
    assert cloud.finished(job.name).status == status
    assert log_of(cloud, job.name).count("ValueError: cannot score 1") == 2
    if status == "Failed":
        assert (
            "1 of 3 files failed"
            in cloud.details(step_of(cloud, job.name)["runId"])["error"]["error"]["message"]
        )
        told = cloud.details(job.name)["error"]["error"]["message"]
        assert told.startswith("Pipeline has failed child jobs. Failed nodes: /batchscoring.")
    else:
        assert len(scored(cloud, job.name)) == 2


def test_a_mini_batch_that_takes_too_long_is_tried_again_by_a_new_process(
    cloud: AzureCloud, deployed: Callable[..., str]
) -> None:
    script = """
import os, pathlib, time
mark = pathlib.Path(os.environ["HOME"]) / "tried"
def init(): print("process", flush=True)
def run(mini_batch):
    if not mark.exists():
        mark.touch()
        time.sleep(60)
    return mini_batch
"""
    endpoint = deployed(script, retrySettings={"maxRetries": 1, "timeout": "PT2S"})
    job = invoked(cloud, endpoint, 1)
    assert cloud.finished(job.name).status == "Completed"
    assert log_of(cloud, job.name).count("process\n") == 2


def test_a_script_whose_init_fails_fails_its_job(cloud: AzureCloud, deployed: Callable[..., str]) -> None:
    job = invoked(cloud, deployed("def init(): raise OSError('no model')\ndef run(mini_batch): return []\n"))
    assert cloud.finished(job.name).status == "Failed"
    assert "OSError: no model" in log_of(cloud, job.name)


def test_a_script_may_write_files_of_its_own_beside_the_output(
    cloud: AzureCloud, deployed: Callable[..., str]
) -> None:
    script = """
import os, pathlib
def init(): pass
def run(mini_batch):
    (pathlib.Path(os.environ["AZUREML_BI_OUTPUT_PATH"]) / "own.txt").write_text("mine")
    return mini_batch
"""
    endpoint = deployed(script, outputAction="SummaryOnly")
    job = invoked(cloud, endpoint, 1)
    assert cloud.finished(job.name).status == "Completed"
    folder = step_of(cloud, job.name)["outputs"]["score"]["assetId"].split("/paths/")[1].rpartition("/")[0]
    assert [blob.name for blob in cloud.container().list_blobs(f"{folder}/")] == [f"{folder}/own.txt"]
    assert cloud.text(f"{folder}/own.txt") == "mine"


def test_a_cancelled_batch_ends_its_step(cloud: AzureCloud, deployed: Callable[..., str]) -> None:
    job = invoked(
        cloud, deployed("import time\ndef init(): time.sleep(60)\ndef run(mini_batch): return []\n")
    )
    cloud.until(job.name, "Running")
    cloud.client.jobs.begin_cancel(job.name).wait(CALL_SECONDS)
    assert cloud.finished(job.name).status == "Canceled"
    assert step_of(cloud, job.name)["status"] == "Canceled"


def test_an_endpoint_goes_with_its_deployments_and_leaves_its_jobs(
    cloud: AzureCloud, deployed: Callable[..., str]
) -> None:
    endpoint = deployed(NAMES)
    job = invoked(cloud, endpoint, 1)
    assert cloud.call("DELETE", f"/batchEndpoints/{endpoint}").status_code == 202
    until(
        lambda: cloud.call("GET", f"/batchEndpoints/{endpoint}").status_code == 404, "the endpoint has gone"
    )
    assert endpoint not in [held.name for held in cloud.client.batch_endpoints.list()]
    assert cloud.call("GET", f"/batchEndpoints/{endpoint}/deployments/blue").status_code == 404
    assert cloud.finished(job.name).status == "Completed"


def test_a_killed_server_finds_its_endpoints_and_their_jobs_again(
    cloud: AzureCloud, deployed: Callable[..., str]
) -> None:
    script = "import time\ndef init(): time.sleep(4)\ndef run(mini_batch): return ['done']\n"
    endpoint = deployed(script)
    job = invoked(cloud, endpoint, 1)
    cloud.until(job.name, "Running")
    cloud.end("azure", signal.SIGKILL)
    cloud.start(AZURE)
    assert listed(cloud, endpoint) == [job.name]
    assert cloud.finished(job.name).status == "Completed"
    assert scored(cloud, job.name) == ["done"]


def test_what_no_deployment_can_be_is_refused(cloud: AzureCloud, deployed: Callable[..., str]) -> None:
    endpoint = deployed(NAMES)
    held = cloud.call("GET", f"/batchEndpoints/{endpoint}/deployments/blue").json()
    for changed in (
        {"compute": None},
        {"environmentId": "x"},
        {"outputAction": "Both"},
        {"miniBatchSize": "5"},
    ):
        body = {"location": "local", "properties": {**held["properties"], **changed}}
        answer = cloud.call("PUT", f"/batchEndpoints/{endpoint}/deployments/green", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "UserError"), changed
    with pytest.raises(HttpResponseError):
        cloud.client.batch_deployments.get("green", endpoint)
