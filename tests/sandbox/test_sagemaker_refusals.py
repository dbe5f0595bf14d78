from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError

from sandbox.servers.faults import Fault
from tests.sandbox.amazon_cloud import AmazonCloud, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AmazonCloud]:
    with running(tmp_path_factory.mktemp("amazon")) as started:
        yield started


@pytest.fixture(autouse=True)
def _well_behaved(cloud: AmazonCloud) -> Iterator[None]:
    yield
    cloud.faults.clear()


def post(
    cloud: AmazonCloud, operation: str, body: dict[str, Any], *, sign: bool = True
) -> tuple[int, str, str]:
    # botocore itself refuses to send what the model does not allow, so such requests are made by hand.
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", cloud.endpoints.sagemaker_url + "/", headers, json.dumps(body).encode())
    if sign:
        key = Credentials(cloud.endpoints.aws_access_key_id, cloud.endpoints.aws_secret_access_key)
        SigV4Auth(key, "sagemaker", cloud.endpoints.aws_region).add_auth(request)
    answer = urllib3.request(
        "POST", cloud.endpoints.sagemaker_url, body=request.data, headers=dict(request.headers)
    )
    said = answer.json()
    return answer.status, said.get("__type", ""), said.get("message", "")


def changed(request: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (request | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"RoleArn": None}, "RoleArn", id="missing"),
        pytest.param(
            {"TrainingJobName": "under_score"},
            "at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular",
            id="pattern",
        ),
        pytest.param({"TrainingJobName": "a" * 64}, "length less than or equal to 63", id="length"),
        pytest.param({"RoleArn": "arn:aws:iam::1:role/x"}, "'roleArn'", id="role"),
        pytest.param({"HyperParameters": {"a": 1}}, "HyperParameters", id="type"),
        pytest.param({"Environment": {"a": "b" * 513}}, "'environment.a'", id="map-value"),
        pytest.param({"Tags": [{"Key": "k", "Value": "v"}] * 2}, "Duplicate tag keys", id="tags"),
        pytest.param({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "MaxRuntimeInSeconds", id="minimum"),
        pytest.param({"EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds", id="spot"),
        pytest.param(
            {"ResourceConfig": {"InstanceType": "ml.huge", "InstanceCount": 1, "VolumeSizeInGB": 1}},
            "enum value set",
            id="enum",
        ),
        pytest.param({"OutputDataConfig": {"S3OutputPath": "https://somewhere/x"}}, "use s3://", id="https"),
    ],
)
def test_a_training_request_that_the_vendor_would_refuse_is_refused(
    cloud: AmazonCloud, changes: dict[str, Any], complaint: str
) -> None:
    status, code, message = post(cloud, "CreateTrainingJob", changed(cloud.training("true"), **changes))
    assert (status, code) == (400, "ValidationException")
    assert complaint in message


@pytest.mark.parametrize("argument", ["a" * 257, "two\nlines"], ids=["long", "newline"])
def test_an_argument_is_at_most_256_characters_on_one_line(cloud: AmazonCloud, argument: str) -> None:
    request = cloud.training("true")
    request["AlgorithmSpecification"]["ContainerArguments"] = [argument]
    status, code, message = post(cloud, "CreateTrainingJob", request)
    assert (status, code) == (400, "ValidationException")
    assert "containerArguments.1.member" in message


def test_a_member_that_the_vendor_does_not_know_is_refused(cloud: AmazonCloud) -> None:
    status, code, message = post(cloud, "CreateTrainingJob", {**cloud.training("true"), "Colour": "red"})
    assert (status, code) == (400, "SerializationException")
    assert "Colour" in message


def test_a_processing_request_that_the_vendor_would_refuse_is_refused(cloud: AmazonCloud) -> None:
    target = {"S3Uri": "s3://causeway/x", "LocalPath": "/somewhere", "S3UploadMode": "EndOfJob"}
    outputs = {"Outputs": [{"OutputName": "rows", "S3Output": target}]}
    status, code, message = post(
        cloud, "CreateProcessingJob", cloud.processing("true", ProcessingOutputConfig=outputs)
    )
    assert (status, code) == (400, "ValidationException")
    assert "/opt/ml/processing/" in message


def test_a_request_without_a_signature_is_refused(cloud: AmazonCloud) -> None:
    assert post(cloud, "ListTrainingJobs", {}, sign=False)[:2] == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"aws_access_key_id": "AKIAUNKNOWN"}, "UnrecognizedClientException", id="key"),
        pytest.param({"aws_secret_access_key": "guessed"}, "InvalidSignatureException", id="secret"),
    ],
)
def test_a_request_signed_with_another_key_is_refused(
    cloud: AmazonCloud, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        cloud.client("sagemaker", **changes).list_training_jobs()
    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_quota_fault_refuses_one_create_and_the_next_goes_through(cloud: AmazonCloud) -> None:
    cloud.fault("quota")
    request = cloud.training("true")
    with pytest.raises(ClientError) as error:
        cloud.sagemaker.create_training_job(**request)
    assert error.value.response["Error"]["Code"] == "ResourceLimitExceeded"
    cloud.sagemaker.create_training_job(**request)
    assert cloud.finished(request["TrainingJobName"])["TrainingJobStatus"] == "Completed"


def test_a_job_told_to_fail_fails_and_the_next_does_not(cloud: AmazonCloud) -> None:
    cloud.fault("fail-job")
    done = cloud.finished(cloud.submit("true"))
    assert done["FailureReason"] == "AlgorithmError: failed on request (sandbox fault fail-job), exit code: 1"
    assert cloud.finished(cloud.submit("true"))["TrainingJobStatus"] == "Completed"


def test_a_job_told_to_hang_runs_until_it_is_stopped(cloud: AmazonCloud) -> None:
    cloud.fault("hang-job")
    name = cloud.submit("true")
    cloud.until(name, "SecondaryStatus", "Training")
    time.sleep(1)
    assert cloud.describe(name)["SecondaryStatus"] == "Training"
    cloud.sagemaker.stop_training_job(TrainingJobName=name)
    assert cloud.finished(name)["TrainingJobStatus"] == "Stopped"


def test_a_preempted_job_fails_for_want_of_capacity(cloud: AmazonCloud) -> None:
    cloud.fault("preempt-job")
    done = cloud.finished(cloud.submit("sleep", "600"))
    assert done["TrainingJobStatus"] == "Failed"
    assert done["FailureReason"].startswith("CapacityError:")


def test_a_preempted_spot_job_is_interrupted_and_stopped_after_its_wait(cloud: AmazonCloud) -> None:
    cloud.fault("preempt-job")
    limits = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}
    done = cloud.finished(
        cloud.submit("sleep", "600", EnableManagedSpotTraining=True, StoppingCondition=limits)
    )
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert "Interrupted" in [step["Status"] for step in done["SecondaryStatusTransitions"]]


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        pytest.param("throttle", "ThrottlingException", 400, id="throttle"),
        pytest.param("unavailable", "ServiceUnavailable", 503, id="unavailable"),
    ],
)
def test_a_misbehaving_server_answers_as_the_vendor_would(
    cloud: AmazonCloud, kind: str, code: str, status: int
) -> None:
    cloud.fault(kind, match="ListTrainingJobs")
    cloud.sagemaker.list_processing_jobs()
    with pytest.raises(ClientError) as error:
        cloud.sagemaker.list_training_jobs()
    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    cloud.sagemaker.list_training_jobs()


def test_a_dropped_answer_leaves_the_job_created(cloud: AmazonCloud) -> None:
    cloud.fault("drop", match="CreateTrainingJob")
    request = cloud.training("true")
    with pytest.raises(ConnectionClosedError):
        cloud.sagemaker.create_training_job(**request)
    assert cloud.finished(request["TrainingJobName"])["TrainingJobStatus"] == "Completed"
    dropped = [entry for entry in cloud.journal() if entry.get("fault") == "drop"]
    assert [entry["resource"] for entry in dropped] == [request["TrainingJobName"]]


def test_boto_s_own_retry_of_a_dropped_create_meets_its_first_call(cloud: AmazonCloud) -> None:
    cloud.fault("drop", match="CreateTrainingJob")
    retrying = cloud.client("sagemaker", config=Config(retries={"total_max_attempts": 2, "mode": "standard"}))
    with pytest.raises(ClientError) as error:
        retrying.create_training_job(**cloud.training("true"))
    assert error.value.response["Error"]["Code"] == "ResourceInUse"


def test_a_server_that_is_away_handles_nothing_and_comes_back(cloud: AmazonCloud) -> None:
    cloud.faults.add(Fault("away", until=time.time() + 1))
    request = cloud.training("true")
    with pytest.raises(ConnectionClosedError):
        cloud.sagemaker.create_training_job(**request)
    time.sleep(1.1)
    cloud.sagemaker.create_training_job(**request)


def test_a_slow_server_answers_late(cloud: AmazonCloud) -> None:
    cloud.fault("slow", seconds=1.0)
    started = time.monotonic()
    cloud.sagemaker.list_training_jobs()
    assert time.monotonic() - started >= 1
