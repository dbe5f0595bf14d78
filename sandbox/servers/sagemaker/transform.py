"""Batch transform jobs: a model's server beside a driver that posts it the rows, as the vendor's does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.servers import batch_driver
from sandbox.servers.machine import Deliver, Fetch, MachineSpec, MachineStatus
from sandbox.servers.sagemaker.book import Job, Kind
from sandbox.servers.sagemaker.errors import beyond_sandbox
from sandbox.servers.sagemaker.hosting import SERVE
from sandbox.servers.sagemaker.kinds import (
    CONTAINER_ROOT,
    check_s3,
    failure_reason,
    last_modified,
    status_word,
)

ROWS_AT_ONCE = 100
"""The vendor fills a request up to MaxPayloadInMB; a hundred rows of ours are well below it."""
LIMIT_SECONDS = 86_400


class Transform:
    """The kind `transform`."""

    kind: Kind = "transform"
    prefix = "TransformJob"
    noun = "transform job"
    log_group = "/aws/sagemaker/TransformJobs"
    last_words = "output/message"

    def check(self, request: dict[str, Any]) -> None:
        """Refuse what cannot be run here."""
        source, target = request["TransformInput"], request["TransformOutput"]
        if source["DataSource"]["S3DataSource"]["S3DataType"] != "S3Prefix":
            raise beyond_sandbox("TransformInput that is not an S3Prefix")
        check_s3(source["DataSource"]["S3DataSource"]["S3Uri"], "S3Uri")
        check_s3(target["S3OutputPath"], "S3OutputPath")
        usual = {"ContentType": "application/jsonlines", "SplitType": "Line"}
        if {name: source.get(name) for name in usual} != usual or target.get("AssembleWith") != "Line":
            raise beyond_sandbox("a transform of anything but JSON lines, split and assembled by line")
        if request["TransformResources"]["InstanceCount"] != 1:
            raise beyond_sandbox("more than one instance for a job")

    def spec(self, job: Job, ml: str) -> MachineSpec:
        """The machine that serves and scores; `Container` is the model as it was when the job was made."""
        request, container = job.request, job.request["Container"]
        rows, scored = f"{ml}/transform/rows", f"{ml}/transform/scored"
        parallel = request.get("MaxConcurrentTransforms") or 1
        return MachineSpec(
            argv=[
                *("python", "driver.py", "lines", "SAGEMAKER_BIND_TO_PORT", "/ping", "/invocations"),
                *(str(ROWS_AT_ONCE), str(parallel), rows, scored, "--", *SERVE),
            ],
            env={**container.get("Environment", {}), **request.get("Environment", {})},
            cwd="work",
            files={"work/driver.py": Path(batch_driver.__file__).read_text()},
            folders=["work", f"{ml}/output"],
            fetch=[
                Fetch(container["ModelDataUrl"], f"{ml}/model", "archive"),
                Fetch(request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"], rows),
            ],
            deliver=[Deliver(scored, request["TransformOutput"]["S3OutputPath"].rstrip("/") + "/")],
            time_limit_seconds=LIMIT_SECONDS,
            rewrite={CONTAINER_ROOT: ml},
            fault=job.fault,
        )

    def describe(self, job: Job, status: MachineStatus) -> dict[str, Any]:
        """What DescribeTransformJob tells."""
        return {
            **job.request,
            "TransformJobArn": job.arn,
            "TransformJobStatus": status_word(job, status),
            "FailureReason": failure_reason(job, status),
            "CreationTime": job.created_at,
            "TransformStartTime": status.started_at,
            "TransformEndTime": status.ended_at,
            "LastModifiedTime": last_modified(job, status),
        }
