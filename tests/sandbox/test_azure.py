from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from sandbox.layout import CONTAINER
from tests.house import until
from tests.sandbox.azure_cloud import AZURE, CALL_SECONDS, AzureCloud, file, folder, output, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureCloud]:
    with running(tmp_path_factory.mktemp("azure")) as started:
        yield started


def processes_of(cloud: AzureCloud, job: str) -> list[psutil.Process]:
    home = str(cloud.layout.state / "azure" / "machines" / job)
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == home:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def gone(cloud: AzureCloud, job: str) -> bool:
    return bool(until(lambda: not processes_of(cloud, job), f"no process of {job} is left"))


def test_a_job_reads_its_inputs_and_leaves_its_outputs_where_it_was_told(cloud: AzureCloud) -> None:
    run = f"runs/{uuid.uuid4().hex}"
    given = cloud.put(f"{run}/in/data.csv", "1,2,3")
    long_form = f"azureml:/{cloud.client.workspaces.get().id}/datastores/causeway/paths/{run}/in/"
    long_form = long_form.replace("azureml:/", "azureml://", 1).replace(":///", "://")
    job = cloud.submit(
        "cp ${{inputs.data}} ${{outputs.out}}/copy && cat ${{inputs.near}}/* ${{inputs.far}}/* > "
        '${{outputs.out}}/more && echo "$WHO ${{inputs.seed}} $AZUREML_RUN_ID"',
        inputs={
            "data": file(given),
            "near": folder(f"{cloud.endpoints.blob_url}/{CONTAINER}/{run}/in/"),
            "far": folder(long_form),
            "seed": 7,
        },
        outputs={"out": output(f"azureml://datastores/workspaceblobstore/paths/{run}/out/")},
        environment_variables={"WHO": "world"},
        tags={"causeway-key": "k"},
    )
    assert job.name
    assert job.status == "NotStarted"
    done = cloud.finished(job.name)
    assert done.status == "Completed", cloud.details(job.name)["error"]
    assert done.tags == {"causeway-key": "k"}
    assert cloud.text(f"{run}/out/copy") == "1,2,3"
    assert cloud.text(f"{run}/out/more") == "1,2,31,2,3"
    assert cloud.log(job.name).text == f"world 7 {job.name}\n"


def test_code_travels_with_the_job(cloud: AzureCloud, tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "said.txt").write_text("from the code folder\n")
    job = cloud.submit("cat part/said.txt", code=str(tmp_path))
    assert cloud.finished(job.name or "").status == "Completed"
    assert cloud.log(job.name or "").text == "from the code folder\n"


def test_the_same_request_twice_is_one_job_and_only_adds_tags(cloud: AzureCloud) -> None:
    name = f"job-{uuid.uuid4().hex[:12]}"
    cloud.submit("sleep 2", name, tags={"a": "1"})
    again = cloud.submit("sleep 2", name, tags={"b": "2"})
    assert again.tags == {"a": "1", "b": "2"}
    assert cloud.finished(name).status == "Completed"
    puts = [status for operation, status in cloud.operations(name) if operation == "Jobs.CreateOrUpdate"]
    assert puts == [201, 200]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"line": "echo other"}, id="Command"),
        pytest.param({"environment_variables": {"A": "2"}}, id="EnvironmentVariables"),
        pytest.param({"timeout": 99}, id="Limits"),
    ],
)
def test_a_name_that_is_taken_refuses_another_job(cloud: AzureCloud, changed: dict[str, Any]) -> None:
    name, wanted = f"job-{uuid.uuid4().hex[:12]}", {"line": "true", "environment_variables": {"A": "1"}}
    cloud.submit(name=name, **wanted)  # type: ignore[arg-type]
    with pytest.raises(HttpResponseError, match="already exists") as refused:
        cloud.submit(name=name, **(wanted | changed))
    assert refused.value.status_code == 400
    assert refused.value.error
    assert refused.value.error.code == "UserError"
    answer: Any = refused.value.response
    assert answer.json()["error"]["innerError"]["innerError"]["code"] == "JobPropertyImmutable"


def test_properties_of_a_job_are_added_but_never_changed(cloud: AzureCloud) -> None:
    name = f"job-{uuid.uuid4().hex[:12]}"
    cloud.submit("true", name, properties={"a": "1"})
    assert cloud.submit("true", name, properties={"b": "2"}).properties == {"a": "1", "b": "2"}
    with pytest.raises(HttpResponseError, match="properties cannot be updated: a") as refused:
        cloud.submit("true", name, properties={"a": "2"})
    assert refused.value.status_code == 400


def test_a_cancelled_job_says_so_first_and_leaves_no_process(cloud: AzureCloud) -> None:
    name = cloud.submit("trap 'sleep 1; exit 1' TERM; sleep 600 & wait").name or ""
    cloud.until(name, "Running")
    cloud.client.jobs.begin_cancel(name, polling=False)
    assert cloud.client.jobs.get(name).status == "CancelRequested"
    assert cloud.finished(name).status == "Canceled"
    assert gone(cloud, name)
    with pytest.raises(HttpResponseError) as refused:
        cloud.client.jobs.begin_cancel(name, polling=False)
    assert refused.value.status_code == 400
    assert cloud.client.jobs.get(name).status == "Canceled"


def test_a_job_cancelled_before_it_runs_never_runs(cloud: AzureCloud) -> None:
    name = cloud.submit("sleep 600").name or ""
    cloud.client.jobs.begin_cancel(name, polling=False)
    assert cloud.finished(name).status == "Canceled"
    assert gone(cloud, name)


def test_a_job_that_runs_too_long_is_cancelled_by_the_service(cloud: AzureCloud) -> None:
    name = cloud.submit("sleep 600", timeout=1).name or ""
    assert cloud.finished(name).status == "Canceled"
    assert "timeout" in cloud.details(name)["warnings"][0]["message"]
    assert gone(cloud, name)


def test_a_failed_job_tells_why_and_shows_its_log(cloud: AzureCloud) -> None:
    name = cloud.submit("echo before; echo 'ValueError: no rows' >&2; exit 3").name or ""
    assert cloud.finished(name).status == "Failed"
    error = cloud.details(name)["error"]["error"]
    assert error["code"] == "UserError"
    assert "status code 3" in error["message"]
    assert "ValueError: no rows" in error["message"]
    assert cloud.log(name).text == "before\nValueError: no rows\n"
    link = cloud.details(name)["logFiles"]["user_logs/std_log.txt"]
    assert requests.get(f"{link}0", timeout=CALL_SECONDS, verify=cloud.authority).status_code == 403


def test_the_log_of_a_running_job_can_be_read(cloud: AzureCloud) -> None:
    name = cloud.submit("echo begun; sleep 600").name or ""
    cloud.until(name, "Running")
    until(lambda: cloud.log(name).text == "begun\n", "its first line")
    cloud.client.jobs.begin_cancel(name, polling=False)
    assert cloud.finished(name).status == "Canceled"


def test_a_missing_input_fails_the_job_and_names_it(cloud: AzureCloud) -> None:
    missing = "azureml://datastores/workspaceblobstore/paths/nowhere/data.csv"
    name = cloud.submit("cat ${{inputs.data}}", inputs={"data": file(missing)}).name or ""
    assert cloud.finished(name).status == "Failed"
    assert "nowhere/data.csv" in cloud.details(name)["error"]["error"]["message"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"comand": "x"}, "could not find member 'comand'", id="unknown member"),
        pytest.param({"command": None}, "properties.command: is required", id="required member"),
        pytest.param({"command": 7}, "properties.command: str is expected", id="wrong type"),
        pytest.param({"tags": {"a": []}}, "properties.tags.a: str is expected", id="tag that is a list"),
        pytest.param({"jobType": "Comand"}, "'Comand' is none of", id="unknown kind of job"),
        pytest.param(
            {"limits": {"jobLimitsType": "Command", "timeout": "soon"}},
            "ISO 8601 duration",
            id="bad duration",
        ),
        pytest.param(
            {"inputs": {"a": {"jobInputType": "uri_file", "uri": "azureml://datastores/x/paths/y"}}},
            "datastore: x",
            id="unknown datastore",
        ),
        pytest.param(
            {"inputs": {"a": {"jobInputType": "uri_file", "uri": "https://example.com/y"}}},
            "not a path of",
            id="foreign store",
        ),
        pytest.param({"command": "echo ${{inputs.x}}"}, "inputs.x", id="unknown input in the command"),
        pytest.param({"computeId": "gpu"}, "Compute target 'gpu' is not found", id="unknown compute"),
    ],
)
def test_a_wrong_request_is_refused_and_makes_no_job(
    cloud: AzureCloud, changed: dict[str, Any], said: str
) -> None:
    name, base = f"job-{uuid.uuid4().hex[:12]}", cloud.workspace_url.removeprefix(cloud.endpoints.azure_url)
    right = {
        "jobType": "Command",
        "command": "true",
        "computeId": f"{base}/computes/cpu-cluster",
        "environmentId": f"{base}/environments/sklearn-1.5/versions/1",
    }
    answer = cloud.call("PUT", f"/jobs/{name}", {"properties": right | changed})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "UserError")
    assert said in answer.json()["error"]["message"]
    with pytest.raises(ResourceNotFoundError):
        cloud.client.jobs.get(name)


def test_jobs_are_listed_by_the_name_of_a_tag(cloud: AzureCloud) -> None:
    mark = f"mark-{uuid.uuid4().hex[:8]}"
    names = {cloud.submit("true", tags={mark: "x"}).name for _ in range(3)}
    cloud.submit("true")
    assert {job.name for job in cloud.client.jobs.list(tag=mark)} == names


def test_another_workspace_is_not_found(cloud: AzureCloud) -> None:
    url = cloud.workspace_url.removesuffix(cloud.endpoints.azure_workspace) + "other/jobs"
    answer = cloud.call("GET", url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")


def test_a_killed_server_finds_its_jobs_again(cloud: AzureCloud) -> None:
    running_job = cloud.submit("sleep 4; echo done").name or ""
    ended_job = cloud.submit("exit 2").name or ""
    cloud.until(running_job, "Running")
    cloud.finished(ended_job)
    cloud.end("azure", signal.SIGKILL)
    cloud.start(AZURE)
    assert cloud.client.jobs.get(ended_job).status == "Failed"
    assert cloud.finished(running_job).status == "Completed"
    assert cloud.log(running_job).text == "done\n"


def test_an_orderly_end_of_the_server_leaves_no_process(cloud: AzureCloud) -> None:
    name = cloud.submit("sleep 600").name or ""
    cloud.until(name, "Running")
    assert cloud.end("azure") == 0
    assert not processes_of(cloud, name)
    cloud.start(AZURE)
    assert cloud.client.jobs.get(name).status == "Failed"
    assert "NodeLost" in cloud.details(name)["error"]["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        pytest.param("fail-job", "status code 1", id="failed"),
        pytest.param("preempt-job", "PreemptionError", id="preempted"),
    ],
)
def test_the_next_job_can_be_told_to_fail(cloud: AzureCloud, kind: str, error: str) -> None:
    cloud.fault(kind)
    name = cloud.submit("sleep 3").name or ""
    assert cloud.finished(name).status == "Failed"
    assert error in cloud.details(name)["error"]["error"]["message"]
    assert cloud.finished(cloud.submit("true").name or "").status == "Completed"


def test_a_job_that_hangs_can_be_cancelled(cloud: AzureCloud) -> None:
    cloud.fault("hang-job")
    name = cloud.submit("true").name or ""
    cloud.until(name, "Running")
    cloud.client.jobs.begin_cancel(name, polling=False)
    assert cloud.finished(name).status == "Canceled"


def test_throttling_is_answered_as_the_resource_manager_does(cloud: AzureCloud) -> None:
    cloud.credential.get_token("https://management.azure.com/.default")
    cloud.fault("throttle", match="Jobs.List")
    answer = cloud.call("GET", "/jobs")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert answer.json()["error"]["code"] == "TooManyRequests"
    assert cloud.call("GET", "/jobs").status_code == 200


def test_a_dropped_answer_leaves_a_job_behind(cloud: AzureCloud) -> None:
    name = f"job-{uuid.uuid4().hex[:12]}"
    cloud.fault("drop", match="Jobs.CreateOrUpdate")
    # The SDK sends a lost PUT again by itself, when it is allowed to.
    with pytest.raises(Exception, match=r"aborted|reset|closed|disconnected"):
        cloud.submit("true", name)
    assert cloud.finished(name).status == "Completed"
