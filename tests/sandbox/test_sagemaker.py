from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.layout import FORBIDDEN_BUCKET
from tests.house import until
from tests.sandbox.amazon_cloud import AmazonCloud, running

SLEEP = ("sleep", "600")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AmazonCloud]:
    with running(tmp_path_factory.mktemp("amazon")) as started:
        yield started


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_training_job_turns_channels_into_model_files_under_its_output_prefix(cloud: AmazonCloud) -> None:
    data = cloud.folder()
    cloud.put(f"{data}/in/part/a.csv", "1,2")
    cloud.put(
        f"{data}/code/run.sh",
        "mkdir -p /opt/ml/model/metrics; cp /opt/ml/input/data/rows/part/a.csv /opt/ml/model/metrics/b",
    )
    channels = [channel("rows", f"{data}/in/"), channel("code", f"{data}/code/")]
    name = cloud.submit("sh", "/opt/ml/input/data/code/run.sh", InputDataConfig=channels)
    done = cloud.finished(name)
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Completed", "Completed")
    model = done["ModelArtifacts"]["S3ModelArtifacts"]
    assert model == f"{done['OutputDataConfig']['S3OutputPath']}/{name}/output/model"
    assert cloud.keys_below(model) == ["/metrics/b"]
    assert cloud.get(f"{model}/metrics/b") == b"1,2"
    steps = [step["Status"] for step in done["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert done["BillableTimeInSeconds"] >= 1
    assert done["TrainingEndTime"] >= done["TrainingStartTime"] >= done["CreationTime"]


def test_a_compressed_model_and_the_job_s_other_data_are_archives(cloud: AmazonCloud) -> None:
    output = {"S3OutputPath": cloud.folder() + "/"}
    script = "echo m > /opt/ml/model/m; echo d > /opt/ml/output/data/d"
    done = cloud.finished(cloud.submit("sh", "-c", script, OutputDataConfig=output))
    model = done["ModelArtifacts"]["S3ModelArtifacts"]
    assert model.endswith("/output/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(cloud.get(model))) as archive:
        assert archive.getnames() == ["m"]
    with tarfile.open(
        fileobj=io.BytesIO(cloud.get(model.replace("model.tar.gz", "output.tar.gz")))
    ) as archive:
        assert archive.getnames() == ["d"]


def test_a_job_finds_its_configuration_and_environment_where_a_container_would(cloud: AmazonCloud) -> None:
    data = cloud.folder()
    cloud.put(f"{data}/x", "")
    script = "(cat /opt/ml/input/config/*.json; echo $TRAINING_JOB_NAME $SEED $WHERE) > /opt/ml/model/all"
    name = cloud.submit(
        "sh",
        "-c",
        script,
        InputDataConfig=[channel("rows", f"{data}/")],
        HyperParameters={"epochs": "3"},
        Environment={"SEED": "7", "WHERE": "/opt/ml/model"},
    )
    seen = cloud.get(cloud.finished(name)["ModelArtifacts"]["S3ModelArtifacts"] + "/all").decode()
    assert '"epochs": "3"' in seen
    assert '"rows": {"TrainingInputMode": "File"' in seen
    assert '"current_host": "algo-1"' in seen
    assert f"{name} 7 /" in seen
    assert seen.strip().endswith("/ml/model")


def test_a_prefix_without_a_slash_brings_its_siblings_too(cloud: AmazonCloud) -> None:
    data = cloud.folder()
    for key in ("train/a", "train2/b", "trail"):
        cloud.put(f"{data}/{key}", "x")
    command = ("sh", "-c", "cp -r /opt/ml/input/data/rows/* /opt/ml/model/")
    done = cloud.finished(cloud.submit(*command, InputDataConfig=[channel("rows", f"{data}/train")]))
    assert cloud.keys_below(done["ModelArtifacts"]["S3ModelArtifacts"] + "/") == ["train/a", "train2/b"]


def test_a_channel_without_objects_fails_the_job_as_a_client_error(cloud: AmazonCloud) -> None:
    done = cloud.finished(cloud.submit("true", InputDataConfig=[channel("rows", cloud.folder() + "/")]))
    assert done["TrainingJobStatus"] == "Failed"
    assert done["FailureReason"].startswith("ClientError: no objects under s3://")
    assert done["ModelArtifacts"] == {"S3ModelArtifacts": ""}


def test_a_bucket_that_the_job_may_not_read_fails_the_job_as_a_client_error(cloud: AmazonCloud) -> None:
    done = cloud.finished(
        cloud.submit("true", InputDataConfig=[channel("rows", f"s3://{FORBIDDEN_BUCKET}/x/")])
    )
    assert done["FailureReason"].startswith(f"ClientError: s3://{FORBIDDEN_BUCKET}/x/ cannot be read:")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(
            "echo it broke > /opt/ml/output/failure; exit 3",
            "AlgorithmError: it broke, exit code: 3",
            id="failure-file",
        ),
        pytest.param("exit 4", "AlgorithmError: , exit code: 4", id="exit-code"),
        pytest.param("kill -9 $$", "AlgorithmError: , exit code: 137", id="signal"),
    ],
)
def test_a_failed_job_says_why_and_has_no_model_but_its_data(
    cloud: AmazonCloud, script: str, reason: str
) -> None:
    done = cloud.finished(
        cloud.submit("sh", "-c", f"echo d > /opt/ml/output/data/d; touch /opt/ml/model/m; {script}")
    )
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Failed", "Failed")
    assert done["FailureReason"] == reason
    output = f"{done['OutputDataConfig']['S3OutputPath']}/{done['TrainingJobName']}/output/"
    assert cloud.keys_below(output) == ["data/d"]


def test_the_log_of_a_finished_job_is_complete_in_cloudwatch(cloud: AmazonCloud) -> None:
    name = cloud.submit("sh", "-c", "echo one; echo; echo two >&2; printf three; exit 1")
    cloud.finished(name)
    assert cloud.log_lines("/aws/sagemaker/TrainingJobs", name) == ["one", " ", "two", "three"]


def test_the_log_of_a_running_job_arrives_while_it_runs(cloud: AmazonCloud) -> None:
    name = cloud.submit("sh", "-c", "echo early; sleep 600")
    cloud.until(name, "SecondaryStatus", "Training")

    def told() -> bool:
        try:
            return cloud.log_lines("/aws/sagemaker/TrainingJobs", name) == ["early"]
        except (AssertionError, ClientError):
            return False

    until(told, "its first line")
    cloud.sagemaker.stop_training_job(TrainingJobName=name)


def test_a_name_can_be_used_once_and_the_second_caller_can_adopt_by_tag(cloud: AmazonCloud) -> None:
    request = cloud.training(*SLEEP, Tags=[{"Key": "causeway-digest", "Value": "abc"}])

    def create(_number: int) -> str:
        try:
            cloud.client("sagemaker").create_training_job(**request)
        except ClientError as exc:
            return f"{exc.response['Error']['Code']} {exc.response['ResponseMetadata']['HTTPStatusCode']}"
        return "created"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(8))) == ["ResourceInUse 400"] * 7 + ["created"]
    arn = cloud.describe(request["TrainingJobName"])["TrainingJobArn"]
    cloud.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "causeway-run", "Value": "r1"}])
    tags = {tag["Key"]: tag["Value"] for tag in cloud.sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert tags == {"causeway-digest": "abc", "causeway-run": "r1"}
    cloud.sagemaker.stop_training_job(TrainingJobName=request["TrainingJobName"])
    cloud.finished(request["TrainingJobName"])
    assert create(0) == "ResourceInUse 400"


def test_a_stopped_job_ends_with_its_processes_and_keeps_what_it_saved(cloud: AmazonCloud) -> None:
    script = "trap 'echo saved > /opt/ml/model/m; exit 0' TERM; sleep 600 & setsid sleep 600 & wait"
    name = cloud.submit("sh", "-c", script)
    cloud.until(name, "SecondaryStatus", "Training")
    until(lambda: len(cloud.processes_of_job(name)) >= 3, "its three processes")
    cloud.sagemaker.stop_training_job(TrainingJobName=name)
    assert cloud.describe(name)["TrainingJobStatus"] in ("Stopping", "Stopped")
    done = cloud.finished(name)
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "FailureReason" not in done
    assert cloud.get(done["ModelArtifacts"]["S3ModelArtifacts"] + "/m") == b"saved\n"
    assert cloud.processes_of_job(name) == []
    with pytest.raises(ClientError) as error:
        cloud.sagemaker.stop_training_job(TrainingJobName=name)
    assert refusal(error) == ("ValidationException", 400)
    assert "is in status Stopped" in str(error.value)


def test_a_job_over_its_time_limit_is_stopped_and_says_so(cloud: AmazonCloud) -> None:
    done = cloud.finished(cloud.submit(*SLEEP, StoppingCondition={"MaxRuntimeInSeconds": 1}))
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_job_nobody_knows_is_a_validation_error(cloud: AmazonCloud) -> None:
    for call in (cloud.sagemaker.describe_training_job, cloud.sagemaker.stop_training_job):
        with pytest.raises(ClientError, match="Requested resource not found") as error:
            call(TrainingJobName="nobody")
        assert refusal(error) == ("ValidationException", 400)


def wheel(folder: Path) -> Path:
    path = folder / "only_here-1-py3-none-any.whl"
    about = {"METADATA": "Metadata-Version: 2.1\nName: only-here\nVersion: 1\n", "RECORD": ""}
    about["WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("only_here.py", "ANSWER = 42\n")
        for name, text in about.items():
            archive.writestr(f"only_here-1.dist-info/{name}", text)
    return path


def test_a_job_installs_packages_for_itself_and_runs_with_the_python_made_for_jobs(
    cloud: AmazonCloud,
) -> None:
    install = f"python -m pip install --quiet --no-deps {wheel(cloud.layout.root)}"
    use = "python -c 'import sys, sklearn, only_here; print(only_here.ANSWER, sys.executable)'"
    name = cloud.submit("sh", "-c", f"{install}; {use}")
    cloud.finished(name)
    seen = cloud.log_lines("/aws/sagemaker/TrainingJobs", name)
    assert seen == [f"42 {cloud.layout.jobs_bin}/python"]


def test_a_processing_job_reads_and_writes_where_it_says(cloud: AmazonCloud) -> None:
    data, out = cloud.folder(), cloud.folder()
    cloud.put(f"{data}/in/a", "A")
    place = {
        "S3Uri": f"{data}/in/",
        "LocalPath": "/opt/ml/processing/input/rows",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    target = {"S3Uri": out, "LocalPath": "/opt/ml/processing/output/rows", "S3UploadMode": "EndOfJob"}
    request = cloud.processing(
        *(
            "sh",
            "-c",
            "cd /opt/ml/processing; cp input/rows/a output/rows/b; echo logged; echo ok > ../output/message",
        ),
        ProcessingInputs=[{"InputName": "rows", "S3Input": place}],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "rows", "S3Output": target}]},
    )
    cloud.sagemaker.create_processing_job(**request)
    done = cloud.processed(request["ProcessingJobName"])
    assert (done["ProcessingJobStatus"], done["ExitMessage"]) == ("Completed", "ok")
    assert cloud.get(f"{out}/b") == b"A"
    assert cloud.log_lines("/aws/sagemaker/ProcessingJobs", request["ProcessingJobName"]) == ["logged"]
    with pytest.raises(ClientError) as error:
        cloud.sagemaker.create_processing_job(**request)
    assert refusal(error) == ("ResourceInUse", 400)
    listed = cloud.sagemaker.list_processing_jobs(NameContains=request["ProcessingJobName"])[
        "ProcessingJobSummaries"
    ]
    assert [job["ProcessingJobStatus"] for job in listed] == ["Completed"]


def test_a_processing_job_can_be_stopped(cloud: AmazonCloud) -> None:
    request = cloud.processing(*SLEEP)
    cloud.sagemaker.create_processing_job(**request)
    cloud.sagemaker.stop_processing_job(ProcessingJobName=request["ProcessingJobName"])
    assert cloud.processed(request["ProcessingJobName"])["ProcessingJobStatus"] == "Stopped"
    assert cloud.processes_of_job(request["ProcessingJobName"], "processing") == []
