import hashlib
from datetime import timedelta
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from temporalio.exceptions import ApplicationError

from activities.aws.job_requests import (
    CHECKPOINTS,
    Surroundings,
    processing_request,
    script_for,
    training_request,
)
from activities.aws.machines import BOOK, SageMakerMachines, volume_gib
from activities.catalogue import Offer, read
from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.jobs import JobKind, JobRequest, PathRef, RunRef
from contracts.machines import Machine, Resources
from contracts.units import GIB

MACHINE = Machine(instance="ml.m5.large", why="a test")
AROUND = Surroundings("arn:aws:iam::123456789012:role/jobs", "image", MACHINE, None, "s3://bucket/")
MODEL = botocore.session.get_session().get_service_model("sagemaker")


def artifact(uri: str, size_bytes: int = 1) -> Artifact:
    kind = "folder" if uri.endswith("/") else "file"
    digest = hashlib.sha256(uri.encode()).hexdigest()
    return Artifact(uri=uri, kind=kind, size_bytes=size_bytes, object_count=1, digest=digest)


def job(kind: str, **more: Any) -> JobRequest:
    request = JobRequest(
        run=RunRef(pipeline="demo", key="k", run_uid="0123456789abcdef" * 2),
        stage="train",
        generation=2,
        kind="train",
        command=(
            ("python",),
            ("train.py",),
            ("--data=", PathRef(role="inputs", name="table")),
            (PathRef(role="inputs", name="pictures"),),
            (PathRef(role="outputs", name="model"), "/model.json"),
        ),
        code=CodeRef(uri="s3://bucket/code/abc/", digest="abc"),
        inputs={
            "table": artifact("s3://bucket/runs/r/ingest/data"),
            "pictures": artifact("s3://bucket/pictures/"),
        },
        outputs={"model": "s3://bucket/runs/r/train/g2/model/"},
        env={"DEPTH": "3"},
        timeout=timedelta(hours=1),
    )
    return request.model_copy(update={"kind": kind, **more})


def members(shape: str, request: dict[str, Any]) -> dict[str, Any]:
    report = ParamValidator().validate(request, MODEL.shape_for(shape))
    assert not report.has_errors(), report.generate_report()
    return request


def test_a_training_request_is_one_sagemaker_knows() -> None:
    asked = members("CreateTrainingJobRequest", training_request(job("train"), AROUND, "s3://bucket/job/"))
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in asked["InputDataConfig"]
    }
    assert channels == {
        "causeway-job": "s3://bucket/job/",
        "causeway-code": "s3://bucket/code/abc/",
        "table": "s3://bucket/runs/r/ingest/",
        "pictures": "s3://bucket/pictures/",
    }
    assert asked["OutputDataConfig"]["CompressionType"] == "NONE"
    assert asked["AlgorithmSpecification"]["ContainerEntrypoint"] == [
        "/bin/sh",
        "/opt/ml/input/data/causeway-job/run.sh",
    ]
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


@pytest.mark.parametrize("kind", ["process", "predict"])
def test_a_processing_request_is_one_sagemaker_knows(kind: str) -> None:
    asked = members("CreateProcessingJobRequest", processing_request(job(kind), AROUND, "s3://bucket/job/"))
    assert all(entry["S3Input"]["S3Uri"].endswith("/") for entry in asked["ProcessingInputs"])
    assert asked["ProcessingOutputConfig"]["Outputs"][0]["S3Output"] == {
        "S3Uri": "s3://bucket/runs/r/train/g2/model",
        "LocalPath": "/opt/ml/processing/output/model",
        "S3UploadMode": "EndOfJob",
    }


@pytest.mark.parametrize("build", [training_request, processing_request])
def test_a_job_carries_its_name_its_tags_and_its_environment(build: Any) -> None:
    request = job("train")
    asked = build(request, AROUND, "s3://bucket/job/")
    assert request.name in (asked.get("TrainingJobName"), asked.get("ProcessingJobName"))
    assert {tag["Key"]: tag["Value"] for tag in asked["Tags"]} == request.tags
    assert asked["Environment"] == {"DEPTH": "3"}


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (
            "train",
            "exec python train.py --data=/opt/ml/input/data/table/data /opt/ml/input/data/pictures"
            " /opt/ml/model/model/model.json",
        ),
        (
            "predict",
            "exec python train.py --data=/opt/ml/processing/input/table/data"
            " /opt/ml/processing/input/pictures"
            " /opt/ml/processing/output/model/model.json",
        ),
    ],
    ids=["train", "predict"],
)
def test_paths_are_those_of_the_jobs_machine(kind: str, line: str) -> None:
    assert line in script_for(job(kind)).splitlines()


def test_outputs_are_encrypted_with_the_connections_key() -> None:
    around = Surroundings("role", "image", MACHINE, "arn:key", "s3://bucket/")
    trained = training_request(job("train"), around, "s3://bucket/job/")
    processed = processing_request(job("process"), around, "s3://bucket/job/")
    assert trained["OutputDataConfig"]["KmsKeyId"] == "arn:key"
    assert processed["ProcessingOutputConfig"]["KmsKeyId"] == "arn:key"


@pytest.mark.parametrize(
    ("kind", "days", "seconds"),
    [("train", 40, 28 * 86_400), ("process", 40, 777_600)],
    ids=["train", "process"],
)
def test_a_timeout_beyond_the_services_own_limit_is_that_limit(kind: str, days: int, seconds: int) -> None:
    build = training_request if kind == "train" else processing_request
    asked = build(job(kind, timeout=timedelta(days=days)), AROUND, "s3://b/")
    assert asked["StoppingCondition"]["MaxRuntimeInSeconds"] == seconds


SHAPES = {
    "train": "TrainingInstanceType",
    "process": "ProcessingInstanceType",
    "predict": "ProcessingInstanceType",
    "batch_predict": "TransformInstanceType",
    "deploy": "ProductionVariantInstanceType",
}


@pytest.mark.parametrize("offer", read(BOOK).machines, ids=lambda offer: offer.name)
def test_each_instance_exists_for_the_kinds_of_jobs_it_is_offered_to(offer: Offer) -> None:
    for kind, shape in SHAPES.items():
        assert (offer.name in MODEL.shape_for(shape).enum) == (kind in offer.kinds)


@pytest.mark.parametrize(
    ("asked", "default", "given"),
    [
        pytest.param(Resources(), None, "ml.m5.large", id="nothing asked"),
        pytest.param(Resources(), "ml.t3.medium", "ml.t3.medium", id="a default at its owner's word"),
        pytest.param(Resources(memory=16 * GIB), "ml.m5.large", "ml.r5.large", id="a default too small"),
        pytest.param(
            Resources(cpu=2, memory=8 * GIB), "ml.m5.xlarge", "ml.m5.xlarge", id="a default that suffices"
        ),
        pytest.param(Resources(cpu=16), None, "ml.c5.4xlarge", id="by cpu"),
        pytest.param(Resources(accelerator="A10:1"), "ml.m5.large", "ml.g5.xlarge", id="by accelerator"),
        pytest.param(Resources(accelerator="T4:2"), None, "ml.g4dn.12xlarge", id="more than one"),
        pytest.param(
            Resources(cpu=900, instance="ml.g5.xlarge"), "ml.m5.large", "ml.g5.xlarge", id="by name"
        ),
    ],
)
def test_a_job_gets_the_machine_it_asks_for(asked: Resources, default: str | None, given: str) -> None:
    assert SageMakerMachines(preferred=default).choose("train", asked).instance == given


@pytest.mark.parametrize(
    ("kind", "asked", "told"),
    [
        pytest.param(
            "train", Resources(cpu=1000), r"the nearest is ml.m5.24xlarge with 96 CPU, 384 GiB", id="cpu"
        ),
        pytest.param("train", Resources(accelerator="H9:1"), r"there are A100, A10G, T4", id="accelerator"),
        pytest.param("process", Resources(accelerator="A100:8"), r"there are A10G", id="kind"),
        pytest.param("process", Resources(spot=True), r"`train` stages only", id="spot"),
        pytest.param("train", Resources(disk=20_000 * GIB), r"16 TiB of disk", id="disk"),
    ],
)
def test_a_machine_that_is_not_to_be_had_is_unsupported_and_the_nearest_is_named(
    kind: JobKind, asked: Resources, told: str
) -> None:
    with pytest.raises(ApplicationError, match=told) as raised:
        SageMakerMachines().choose(kind, asked)
    assert raised.value.type == "UNSUPPORTED"


def test_a_spot_job_waits_no_longer_than_its_timeout_and_keeps_one_checkpoint_for_all_generations() -> None:
    spot = {"resources": Resources(spot=True)}
    first = members("CreateTrainingJobRequest", training_request(job("train", **spot), AROUND, "s3://b/"))
    second = training_request(job("train", generation=3, **spot), AROUND, "s3://b/")
    assert first["EnableManagedSpotTraining"]
    assert first["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}
    assert first["CheckpointConfig"] == second["CheckpointConfig"]
    assert first["CheckpointConfig"]["S3Uri"].endswith("/train/checkpoint")
    assert f"CAUSEWAY_CHECKPOINT_DIR={CHECKPOINTS}" in script_for(job("train", **spot)).splitlines()


def test_a_job_that_asks_for_no_spot_has_no_part_of_it() -> None:
    asked = training_request(job("train"), AROUND, "s3://b/")
    assert not {"EnableManagedSpotTraining", "CheckpointConfig"} & asked.keys()
    assert "CAUSEWAY_CHECKPOINT_DIR" not in script_for(job("train"))


def test_a_disk_holds_the_inputs_twice() -> None:
    assert volume_gib([]) == 30
    assert volume_gib([artifact("s3://b/x/", 10 * GIB), artifact("s3://b/y/", 1)]) == 52
    assert volume_gib([artifact("s3://b/x/", 10**15)]) == 16_384
    assert volume_gib([artifact("s3://b/x/", 10**15)], 100 * 10**9) == 94
