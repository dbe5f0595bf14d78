"""Processing jobs: named inputs and outputs, each with a folder of its own."""

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
    status_word,
)

LOCAL_ROOT = "/opt/ml/processing/"
DEFAULT_LIMIT_SECONDS = 86_400


class Processing:
    """The kind `processing`."""

    kind: Kind = "processing"
    prefix = "ProcessingJob"
    noun = "processing job"
    log_group = "/aws/sagemaker/ProcessingJobs"
    last_words = "output/message"

    def check(self, request: dict[str, Any]) -> None:
        """Refuse what cannot be run here or would be refused by the vendor."""
        check_container(request["AppSpecification"], "ImageUri")
        if request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] != 1:
            raise beyond_sandbox("more than one instance for a job")
        inputs, outputs = request.get("ProcessingInputs", []), _outputs(request)
        check_unique([entry["InputName"] for entry in inputs], "InputName")
        check_unique([entry["OutputName"] for entry in outputs], "OutputName")
        for entry in inputs:
            source = entry.get("S3Input")
            if (
                source is None
                or source["S3DataType"] != "S3Prefix"
                or source.get("S3InputMode", "File") != "File"
            ):
                raise beyond_sandbox("an input that is not an S3Input of type S3Prefix in File mode")
            if source.get("S3CompressionType", "None") != "None":
                raise beyond_sandbox("S3CompressionType Gzip")
            _check_place(source)
        for entry in outputs:
            if "S3Output" not in entry:
                raise beyond_sandbox("an output that is not an S3Output")
            if entry["S3Output"]["S3UploadMode"] != "EndOfJob":
                raise beyond_sandbox("S3UploadMode Continuous")
            _check_place(entry["S3Output"])

    def spec(self, job: Job, ml: str) -> MachineSpec:
        """The machine that does as the vendor's container does, with its files below `ml`."""
        request = job.request
        sources = [entry["S3Input"] for entry in request.get("ProcessingInputs", [])]
        targets = [entry["S3Output"] for entry in _outputs(request)]
        return MachineSpec(
            argv=command(request["AppSpecification"]),
            env={
                "PROCESSING_JOB_NAME": job.name,
                "PROCESSING_JOB_ARN": job.arn,
                "AWS_REGION": job.arn.split(":")[3],
                **request.get("Environment", {}),
            },
            cwd="work",
            files=_configuration(job, ml),
            folders=["work", f"{ml}/output"],
            fetch=[Fetch(source["S3Uri"], _place(source, ml)) for source in sources],
            deliver=[Deliver(_place(target, ml), target["S3Uri"].rstrip("/") + "/") for target in targets],
            time_limit_seconds=request.get("StoppingCondition", {}).get(
                "MaxRuntimeInSeconds", DEFAULT_LIMIT_SECONDS
            ),
            rewrite={CONTAINER_ROOT: ml},
            fault=job.fault,
        )

    def describe(self, job: Job, status: MachineStatus) -> dict[str, Any]:
        """What DescribeProcessingJob tells."""
        return {
            **job.request,
            "ProcessingJobArn": job.arn,
            "ProcessingJobStatus": status_word(job, status),
            "ExitMessage": job.last_words[:1024] or None,
            "FailureReason": failure_reason(job, status),
            "CreationTime": job.created_at,
            "ProcessingStartTime": status.started_at,
            "ProcessingEndTime": status.ended_at,
            "LastModifiedTime": last_modified(job, status),
        }


def _outputs(request: dict[str, Any]) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return outputs


def _check_place(entry: dict[str, Any]) -> None:
    check_s3(entry["S3Uri"], "S3Uri")
    local = entry.get("LocalPath", "")
    if not local.startswith(LOCAL_ROOT) or ".." in local.split("/"):
        raise invalid(f"LocalPath {local!r} must lie below {LOCAL_ROOT}")


def _place(entry: dict[str, Any], ml: str) -> str:
    path: str = entry["LocalPath"]
    return ml + path.removeprefix(CONTAINER_ROOT).rstrip("/")


def _configuration(job: Job, ml: str) -> dict[str, str]:
    configuration = {**job.request, "ProcessingJobArn": job.arn}
    resources = {"current_host": HOST, "hosts": [HOST]}
    return {
        f"{ml}/config/processingjobconfig.json": json.dumps(configuration),
        f"{ml}/config/resourceconfig.json": json.dumps(resources),
    }
