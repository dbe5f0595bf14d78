from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.sandbox.amazon_cloud import SAGEMAKER, AmazonCloud, running

SLEEP = ("sleep", "600")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AmazonCloud]:
    with running(tmp_path_factory.mktemp("amazon")) as started:
        yield started


def test_jobs_are_listed_by_filter_and_order_page_by_page(cloud: AmazonCloud) -> None:
    before = cloud.describe(cloud.submit("true"))["CreationTime"]
    names = [cloud.submit("true", TrainingJobName=f"list-me-{number}") for number in range(5)]
    for name in names:
        cloud.finished(name)
    pages = cloud.sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains="list-me",
        StatusEquals="Completed",
        CreationTimeAfter=before,
        SortBy="Name",
        SortOrder="Descending",
        MaxResults=2,
    )
    listed = [[job["TrainingJobName"] for job in page["TrainingJobSummaries"]] for page in pages]
    assert listed == [names[4:2:-1], names[2:0:-1], names[:1]]
    first = cloud.sagemaker.list_training_jobs(NameContains="list-me", MaxResults=1)
    with pytest.raises(ClientError, match="other parameters"):
        cloud.sagemaker.list_training_jobs(NameContains="list", NextToken=first["NextToken"])


def test_a_killed_server_that_starts_again_knows_its_jobs_and_follows_the_running_one(
    cloud: AmazonCloud,
) -> None:
    finished = cloud.submit("sh", "-c", "exit 5", Tags=[{"Key": "k", "Value": "v"}])
    cloud.finished(finished)
    flag = cloud.layout.root / "go-on"
    running_name = cloud.submit(
        "sh", "-c", f"until test -e {flag}; do sleep 0.1; done; echo done > /opt/ml/model/m"
    )
    cloud.until(running_name, "SecondaryStatus", "Training")
    cloud.end("sagemaker", signal.SIGKILL)
    cloud.start(SAGEMAKER)
    assert cloud.describe(finished)["FailureReason"].endswith("exit code: 5")
    arn = cloud.describe(finished)["TrainingJobArn"]
    assert cloud.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    assert cloud.describe(running_name)["TrainingJobStatus"] == "InProgress"
    flag.touch()
    done = cloud.finished(running_name)
    assert done["TrainingJobStatus"] == "Completed"
    assert cloud.get(done["ModelArtifacts"]["S3ModelArtifacts"] + "/m") == b"done\n"


def test_an_orderly_stop_of_the_server_leaves_no_job_s_process(cloud: AmazonCloud) -> None:
    name = cloud.submit(*SLEEP)
    cloud.until(name, "SecondaryStatus", "Training")
    assert cloud.end("sagemaker") == 0
    assert cloud.processes_of_job(name) == []
    cloud.start(SAGEMAKER)
    done = cloud.finished(name)
    assert done["FailureReason"].startswith("InternalServerError:")


def test_a_job_whose_machine_is_lost_fails_as_the_vendor_s_own_fault(cloud: AmazonCloud) -> None:
    name = cloud.submit(*SLEEP)
    cloud.until(name, "SecondaryStatus", "Training")
    home = str(cloud.layout.state / "sagemaker" / "machines" / f"training-{name}")
    (runner,) = [found for found in psutil.process_iter(["cmdline"]) if home in (found.info["cmdline"] or [])]
    runner.kill()
    done = cloud.finished(name)
    assert done["TrainingJobStatus"] == "Failed"
    assert done["FailureReason"].startswith("InternalServerError:")
    assert cloud.processes_of_job(name) == []


def test_an_operation_of_the_vendor_that_is_not_served_says_so(cloud: AmazonCloud) -> None:
    with pytest.raises(ClientError, match="the sandbox's SageMaker does not do this: ListPipelines"):
        cloud.sagemaker.list_pipelines()


def test_the_journal_names_operation_and_job_and_holds_no_secret(cloud: AmazonCloud) -> None:
    name = cloud.submit("true", Environment={"SECRET": "do-not-write-me"})
    cloud.finished(name)
    entries = [entry for entry in cloud.journal() if entry["resource"] == name]
    assert (entries[0]["operation"], entries[0]["status"]) == ("CreateTrainingJob", 200)
    text = json.dumps(cloud.journal())
    assert "do-not-write-me" not in text
    assert cloud.endpoints.aws_access_key_id not in text
