from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from google.api_core import exceptions as google_errors

from tests.house import until
from tests.sandbox.google_cloud import CALL_SECONDS, VERTEX, GoogleCloud, running

SLEEP = ("sleep", "600")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleCloud]:
    with running(tmp_path_factory.mktemp("google")) as started:
        yield started


def processes_of(cloud: GoogleCloud, job_id: str) -> list[psutil.Process]:
    home = str(cloud.layout.state / "vertex" / "machines" / job_id)
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == home:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_a_job_reads_its_inputs_and_leaves_its_outputs_in_the_bucket(cloud: GoogleCloud) -> None:
    run = cloud.folder()
    given = cloud.put(f"{run}/in/data", "1,2,3")
    cloud.put(f"{run}/code/run.sh", f"set -e\ncp /gcs/causeway/{run}/in/data /gcs/causeway/{run}/out/copy\n")
    job = cloud.submit("bash", f"/gcs/causeway/{run}/code/run.sh", f"/gcs/causeway/{run}/out/")
    done = cloud.finished(job)
    assert (done.state.name, done.error.message) == ("JOB_STATE_SUCCEEDED", "")
    assert cloud.text(f"{run}/out/copy") == "1,2,3"
    names = {blob.name: blob for blob in cloud.bucket().list_blobs(prefix=run, timeout=CALL_SECONDS)}
    assert sorted(names) == [f"{run}/code/run.sh", f"{run}/in/data", f"{run}/out/copy"]
    assert names[f"{run}/in/data"].generation == given.generation
    assert "/gcs/causeway" in cloud.text(f"{run}/code/run.sh")


def test_a_base_output_directory_is_told_to_the_job_as_a_uri(cloud: GoogleCloud) -> None:
    run = cloud.folder()
    command = f"echo $AIP_MODEL_DIR $CLOUD_ML_PROJECT_ID > /gcs/causeway/{run}/seen"
    job = cloud.submit(
        "sh", "-c", command, base_output_directory={"output_uri_prefix": f"gs://causeway/{run}"}
    )
    assert cloud.finished(job).state.name == "JOB_STATE_SUCCEEDED"
    assert cloud.text(f"{run}/seen") == f"gs://causeway/{run}/model/ causeway-dev\n"


def test_a_failed_job_shows_its_exit_and_last_lines_and_keeps_what_it_wrote(cloud: GoogleCloud) -> None:
    run = cloud.folder()
    job = cloud.submit("sh", "-c", f"echo half > /gcs/causeway/{run}/half; echo no such column; exit 3")
    done = cloud.finished(job)
    assert done.state.name == "JOB_STATE_FAILED"
    assert done.error.code == 3
    assert "exited with a non-zero status of 3" in done.error.message
    assert "no such column" in done.error.message
    assert cloud.text(f"{run}/half") == "half\n"


def test_a_program_that_does_not_exist_fails_the_job(cloud: GoogleCloud) -> None:
    done = cloud.finished(cloud.submit("no-such-program"))
    assert done.state.name == "JOB_STATE_FAILED"
    assert "no-such-program" in done.error.message


def test_unset_fields_are_all_named_at_once(cloud: GoogleCloud) -> None:
    pool = {"container_spec": {"command": ["true"]}, "machine_spec": {"machine_type": "big"}}
    job: Any = {"job_spec": {"worker_pool_specs": [pool]}, "labels": {"Key": "x"}}
    with pytest.raises(google_errors.BadRequest) as refused:
        cloud.jobs().create_custom_job(parent=cloud.parent, custom_job=job, timeout=CALL_SECONDS)
    for field in (
        "display_name",
        "labels['Key']",
        "replica_count",
        "machine_type",
        "container_spec.image_uri",
    ):
        assert field in refused.value.message


def test_an_unknown_field_is_refused(cloud: GoogleCloud) -> None:
    body = {"displayName": "x", "jobSpec": {"workerPoolSpecs": [{"replicas": 1}]}}
    url = f"{cloud.endpoints.vertex_url}/v1/{cloud.parent}/customJobs"
    answer = cloud.session().post(url, json=body, timeout=CALL_SECONDS)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert "Unknown name \"replicas\" at 'custom_job.job_spec.worker_pool_specs[0]'" in error["message"]


def test_another_project_is_forbidden(cloud: GoogleCloud) -> None:
    with pytest.raises(google_errors.Forbidden, match=r"aiplatform\.customJobs\.list"):
        cloud.jobs().list_custom_jobs(parent="projects/other/locations/us-central1", timeout=CALL_SECONDS)


def test_a_job_that_does_not_exist_is_not_found(cloud: GoogleCloud) -> None:
    with pytest.raises(google_errors.NotFound):
        cloud.jobs().get_custom_job(name=f"{cloud.parent}/customJobs/1", timeout=CALL_SECONDS)


def test_jobs_are_listed_by_label_newest_first_over_pages(cloud: GoogleCloud) -> None:
    made = [cloud.submit("true", key="paged").name for _ in range(3)]
    cloud.submit("true", key="other")
    request = {"parent": cloud.parent, "filter": "labels.causeway-key=paged", "page_size": 2}
    pager = cloud.jobs().list_custom_jobs(request, timeout=CALL_SECONDS)
    pages = [[job.name for job in page.custom_jobs] for page in pager.pages]
    assert pages == [made[:0:-1], made[:1]]


@pytest.mark.parametrize(
    ("filter_text", "expected"),
    [
        ('state="JOB_STATE_SUCCEEDED"', True),
        ('state!="JOB_STATE_SUCCEEDED"', False),
        ('display_name:"causeway-*" AND NOT state="JOB_STATE_FAILED"', True),
        ('displayName="other" OR state="JOB_STATE_SUCCEEDED"', True),
        ('create_time>"2021-05-18T00:00:00Z"', True),
        ("labels.no-such:*", False),
    ],
)
def test_filters_mean_what_the_vendor_documents(cloud: GoogleCloud, filter_text: str, expected: bool) -> None:
    made = cloud.finished(cloud.submit("true", key="filtered"))
    request = {"parent": cloud.parent, "filter": f"labels.causeway-key=filtered AND ({filter_text})"}
    found = [job.name for job in cloud.jobs().list_custom_jobs(request, timeout=CALL_SECONDS)]
    assert (made.name in found) is expected


@pytest.mark.parametrize(
    "filter_text", ["owner=me", "state<3", 'state="RUNNING"', "state=", "(state!=JOB_STATE_FAILED"]
)
def test_a_filter_that_the_vendor_would_refuse_is_refused(cloud: GoogleCloud, filter_text: str) -> None:
    cloud.submit("true")
    with pytest.raises(google_errors.BadRequest, match="Invalid filter"):
        cloud.jobs().list_custom_jobs({"parent": cloud.parent, "filter": filter_text}, timeout=CALL_SECONDS)


def test_a_cancelled_job_leaves_no_process(cloud: GoogleCloud) -> None:
    job = cloud.until(cloud.submit("sh", "-c", "sleep 600 & sleep 600"), "RUNNING")
    job_id = job.name.rsplit("/", 1)[1]
    assert processes_of(cloud, job_id)
    cloud.jobs().cancel_custom_job(name=job.name, timeout=CALL_SECONDS)
    assert cloud.until(job, "CANCELLING", "CANCELLED")
    done = cloud.finished(job)
    assert (done.state.name, done.error.code) == ("JOB_STATE_CANCELLED", 1)
    assert not processes_of(cloud, job_id)


def test_a_finished_job_cannot_be_cancelled_but_deleted(cloud: GoogleCloud) -> None:
    job = cloud.finished(cloud.submit("true"))
    with pytest.raises(google_errors.BadRequest, match="cannot be canceled"):
        cloud.jobs().cancel_custom_job(name=job.name, timeout=CALL_SECONDS)
    deleting: Any = cloud.jobs().delete_custom_job(name=job.name, timeout=CALL_SECONDS)
    deleting.result(timeout=CALL_SECONDS)
    with pytest.raises(google_errors.NotFound):
        cloud.jobs().get_custom_job(name=job.name, timeout=CALL_SECONDS)


def test_a_job_that_runs_longer_than_its_timeout_is_cancelled(cloud: GoogleCloud) -> None:
    done = cloud.finished(cloud.submit(*SLEEP, scheduling={"timeout": {"seconds": 1}}))
    assert done.state.name == "JOB_STATE_CANCELLED"
    assert "timeout of 1s" in done.error.message


def test_jobs_outlive_a_killed_server(cloud: GoogleCloud) -> None:
    run, client = cloud.folder(), cloud.jobs()
    job = cloud.until(cloud.submit("sh", "-c", f"sleep 2; echo late > /gcs/causeway/{run}/late"), "RUNNING")
    client.get_custom_job(name=job.name, timeout=CALL_SECONDS)
    cloud.end("vertex", signal.SIGKILL)
    cloud.start(VERTEX)
    # The token of before is still good, so this client notices nothing.
    assert client.get_custom_job(name=job.name, timeout=CALL_SECONDS).labels == job.labels
    assert cloud.finished(job).state.name == "JOB_STATE_SUCCEEDED"
    assert cloud.text(f"{run}/late") == "late\n"


def test_a_server_told_to_stop_leaves_no_process(cloud: GoogleCloud) -> None:
    job = cloud.until(cloud.submit(*SLEEP), "RUNNING")
    assert cloud.end("vertex") == 0
    assert not processes_of(cloud, job.name.rsplit("/", 1)[1])
    cloud.start(VERTEX)
    assert cloud.finished(job).state.name == "JOB_STATE_CANCELLED"


def test_a_create_whose_answer_is_lost_has_made_the_job(cloud: GoogleCloud) -> None:
    cloud.fault("drop", match="CreateCustomJob")
    with pytest.raises(Exception, match=r"Connection|Remote"):
        cloud.submit("true", key="lost")
    request = {"parent": cloud.parent, "filter": "labels.causeway-key=lost"}
    assert len(list(cloud.jobs().list_custom_jobs(request, timeout=CALL_SECONDS))) == 1


def test_faults_are_shown_in_the_vendors_words(cloud: GoogleCloud) -> None:
    cloud.fault("quota")
    with pytest.raises(google_errors.TooManyRequests, match="quota metrics exceed quota limits"):
        cloud.submit("true")
    cloud.fault("unavailable", match="GetCustomJob")
    with pytest.raises(google_errors.ServiceUnavailable):
        cloud.jobs().get_custom_job(name=f"{cloud.parent}/customJobs/1", timeout=CALL_SECONDS)
    cloud.fault("preempt-job")
    preempted = cloud.finished(cloud.submit(*SLEEP))
    assert (preempted.state.name, preempted.error.code) == ("JOB_STATE_FAILED", 8)
    assert "STOCKOUT" in preempted.error.message
    cloud.fault("fail-job")
    assert cloud.finished(cloud.submit("true")).state.name == "JOB_STATE_FAILED"
    cloud.fault("hang-job")
    hanging = cloud.until(cloud.submit("true"), "RUNNING")
    time.sleep(0.5)
    assert cloud.until(hanging, "RUNNING")
    cloud.jobs().cancel_custom_job(name=hanging.name, timeout=CALL_SECONDS)
    assert cloud.finished(hanging).state.name == "JOB_STATE_CANCELLED"


def test_more_jobs_than_the_quota_wait_in_the_queue(cloud: GoogleCloud) -> None:
    jobs = [cloud.submit(*SLEEP, key="many") for _ in range(9)]
    try:
        assert cloud.until(jobs[-2], "RUNNING")
        waiting = cloud.jobs().get_custom_job(name=jobs[-1].name, timeout=CALL_SECONDS)
        assert waiting.state.name == "JOB_STATE_QUEUED"
        cloud.jobs().cancel_custom_job(name=jobs[0].name, timeout=CALL_SECONDS)
        assert cloud.until(jobs[-1], "RUNNING")
    finally:
        for job in jobs[1:]:
            cloud.jobs().cancel_custom_job(name=job.name, timeout=CALL_SECONDS)
    assert {cloud.finished(job).state.name for job in jobs} == {"JOB_STATE_CANCELLED"}


def test_the_journal_names_operations_and_resources_and_no_secret(cloud: GoogleCloud) -> None:
    job = cloud.submit("true", key="journalled")

    def written() -> list[int]:
        lines = [line for line in cloud.journal() if line["operation"] == "CreateCustomJob"]
        return [line["status"] for line in lines if line["resource"] == job.name]

    # A line is written once the answer is on its way.
    assert until(written, "the line of the journal", CALL_SECONDS) == [200]
    assert "Bearer" not in cloud.layout.requests_of("vertex").read_text()


def test_state_is_private_to_the_user(cloud: GoogleCloud) -> None:
    state: Path = cloud.layout.state / "vertex" / "token.key"
    assert state.stat().st_mode & 0o077 == 0
