"""Training jobs: channels in, a model and data out."""

from __future__ import annotations

import json
from typing import Any

from sandbox.servers.machine import Deliver, Fetch, MachineSpec, MachineStatus
from sandbox.servers.sagemaker.book import Job, Kind
from sandbox.servers.sagemaker.errors import beyond_sandbox, invalid
from sandbox.servers.sagemaker.kinds import (
    CONTAINER_ROOT,
    HOST,
    check_container,
    check_s3,
    check_unique,
    command,
    failure_reason,
    last_modified,
    secondary_word,
    seconds_run,
    status_word,
    transitions,
)

CHECKPOINTS = "/opt/ml/checkpoints"
DEFAULT_LIMIT_SECONDS = 86_400
"""The vendor's `MaxRuntimeInSeconds` for a request without one."""


class Training:
    """The kind `training`."""

    kind: Kind = "training"
    prefix = "TrainingJob"
    noun = "training job"
    log_group = "/aws/sagemaker/TrainingJobs"
    last_words = "output/failure"

    def check(self, request: dict[str, Any]) -> None:
        """Refuse what cannot be run here or would be refused by the vendor."""
        algorithm = request.get("AlgorithmSpecification", {})
        check_container(algorithm, "TrainingImage")
        if algorithm["TrainingInputMode"] == "Pipe":
            raise beyond_sandbox("TrainingInputMode Pipe")
        resources = request.get("ResourceConfig", {})
        for member in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
            if not resources.get(member):
                raise invalid(f"ResourceConfig.{member} must be given")
        if resources["InstanceCount"] != 1:
            raise beyond_sandbox("more than one instance for a job")
        check_s3(request["OutputDataConfig"]["S3OutputPath"], "S3OutputPath")
        channels = request.get("InputDataConfig", [])
        check_unique([channel["ChannelName"] for channel in channels], "ChannelName")
        for channel in channels:
            _check_channel(channel)
        _check_spot(request)
        checkpoint = request.get("CheckpointConfig", {})
        if not checkpoint.get("LocalPath", CHECKPOINTS).startswith(CONTAINER_ROOT + "/"):
            raise beyond_sandbox("a checkpoint folder outside /opt/ml")

    def spec(self, job: Job, ml: str) -> MachineSpec:
        """The machine that does as the vendor's container does, with its files below `ml`."""
        request = job.request
        return MachineSpec(
            argv=command(request["AlgorithmSpecification"]),
            env={
                "TRAINING_JOB_NAME": job.name,
                "TRAINING_JOB_ARN": job.arn,
                "AWS_REGION": job.arn.split(":")[3],
                **request.get("Environment", {}),
            },
            cwd="work",
            files=_configuration(request, ml),
            folders=["work", f"{ml}/model", f"{ml}/output/data", f"{ml}/input/data"],
            fetch=[_fetch(channel, ml) for channel in request.get("InputDataConfig", [])]
            + _saved(request, ml),
            deliver=_deliver(job, ml),
            time_limit_seconds=request.get("StoppingCondition", {}).get(
                "MaxRuntimeInSeconds", DEFAULT_LIMIT_SECONDS
            ),
            rewrite={CONTAINER_ROOT: ml},
            fault=job.fault,
        )

    def describe(self, job: Job, status: MachineStatus) -> dict[str, Any]:
        """What DescribeTrainingJob tells."""
        succeeded = status_word(job, status) in ("Completed", "Stopped") and status.delivering_at is not None
        return {
            **job.request,
            "TrainingJobArn": job.arn,
            "TrainingJobStatus": status_word(job, status),
            "SecondaryStatus": secondary_word(job, status),
            "SecondaryStatusTransitions": transitions(job, status),
            "FailureReason": failure_reason(job, status),
            # The vendor always answers with the member, empty until there is a model.
            "ModelArtifacts": {"S3ModelArtifacts": _model_uri(job).rstrip("/") if succeeded else ""},
            "CreationTime": job.created_at,
            "TrainingStartTime": status.started_at,
            "TrainingEndTime": status.ended_at,
            "LastModifiedTime": last_modified(job, status),
            "TrainingTimeInSeconds": seconds_run(status),
            "BillableTimeInSeconds": seconds_run(status),
        }


def _check_channel(channel: dict[str, Any]) -> None:
    source = channel["DataSource"].get("S3DataSource")
    if source is None or source["S3DataType"] != "S3Prefix":
        raise beyond_sandbox("a channel that is not an S3DataSource of type S3Prefix")
    check_s3(source["S3Uri"], "S3Uri")
    unusual = {"CompressionType": "None", "RecordWrapperType": "None"}
    for member, usual in unusual.items():
        if channel.get(member, usual) != usual:
            raise beyond_sandbox(f"{member} {channel[member]}")
    if channel.get("InputMode") == "Pipe":
        raise beyond_sandbox("InputMode Pipe")


def _check_spot(request: dict[str, Any]) -> None:
    condition = request.get("StoppingCondition", {})
    wait, limit = (
        condition.get("MaxWaitTimeInSeconds"),
        condition.get("MaxRuntimeInSeconds", DEFAULT_LIMIT_SECONDS),
    )
    spot = request.get("EnableManagedSpotTraining", False)
    if wait is not None and not spot:
        raise invalid("MaxWaitTimeInSeconds is only for managed spot training: set EnableManagedSpotTraining")
    if spot and (wait is None or wait < limit):
        raise invalid("Managed spot training needs a MaxWaitTimeInSeconds of at least MaxRuntimeInSeconds")


def _fetch(channel: dict[str, Any], ml: str) -> Fetch:
    return Fetch(channel["DataSource"]["S3DataSource"]["S3Uri"], f"{ml}/input/data/{channel['ChannelName']}")


def _saved(request: dict[str, Any], ml: str) -> list[Fetch]:
    return [Fetch(d.uri, d.path, optional=True) for d in _checkpoints(request, ml)]


def _checkpoints(request: dict[str, Any], ml: str) -> list[Deliver]:
    config = request.get("CheckpointConfig")
    if not config:
        return []
    path = ml + config.get("LocalPath", CHECKPOINTS).removeprefix(CONTAINER_ROOT)
    return [Deliver(path, config["S3Uri"].rstrip("/") + "/", always=True, synced=True)]


def _deliver(job: Job, ml: str) -> list[Deliver]:
    model, request = _model_uri(job), job.request
    plain = model.endswith("/")
    data = _output(job) + ("data/" if plain else "output.tar.gz")
    return [
        Deliver(f"{ml}/model", model, stopped=True, archive=not plain),
        Deliver(f"{ml}/output/data", data, always=True, archive=not plain),
        *_checkpoints(request, ml),
    ]


def _output(job: Job) -> str:
    return f"{job.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}/output/"


def _model_uri(job: Job) -> str:
    plain = job.request["OutputDataConfig"].get("CompressionType", "GZIP") == "NONE"
    return _output(job) + ("model/" if plain else "model.tar.gz")


def _configuration(request: dict[str, Any], ml: str) -> dict[str, str]:
    instance = request["ResourceConfig"]["InstanceType"]
    group = {"instance_group_name": "homogeneousCluster", "instance_type": instance, "hosts": [HOST]}
    contents: dict[str, Any] = {
        "hyperparameters": request.get("HyperParameters", {}),
        "inputdataconfig": {
            channel["ChannelName"]: {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
            }
            for channel in request.get("InputDataConfig", [])
        },
        "resourceconfig": {
            "current_host": HOST,
            "current_instance_type": instance,
            "current_group_name": group["instance_group_name"],
            "hosts": [HOST],
            "instance_groups": [group],
            "network_interface_name": "lo",
        },
    }
    return {f"{ml}/input/config/{name}.json": json.dumps(content) for name, content in contents.items()}
