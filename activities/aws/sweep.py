"""What runs leave on AWS: SageMaker jobs that go on, and multipart uploads that nobody ends."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from activities.aws.objects import named
from activities.aws.uploads import Uploads, abort
from activities.sweeping import Found, mark_of
from activities.sweeping_jobs import RUN_TAG, STAGE_TAG
from contracts.sweeps import SweepItem

NEEDS = {
    "list_training_jobs": ("sagemaker:ListTrainingJobs",),
    "list_processing_jobs": ("sagemaker:ListProcessingJobs",),
    "list_transform_jobs": ("sagemaker:ListTransformJobs",),
    "list_tags": ("sagemaker:ListTags",),
    "list_multipart_uploads": ("s3:ListBucketMultipartUploads",),
}

LIVE = ("InProgress", "Stopping")
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListTrainingJobs.html"""
NAMED = "cw-"
"""How the names of Causeway's jobs begin; tags decide, but they cost a request for each job."""


class SageMakerLive:
    """Lists the jobs of an account's region that have not ended."""

    def __init__(self, client: Any) -> None:
        """Ask through boto3's client."""
        self._client = client

    def __call__(self, after: str | None) -> tuple[Iterable[SweepItem], str | None]:
        """Return all of them: quotas keep them few."""
        return [item for name, arn, began in self._jobs() if (item := self._item(name, arn, began))], None

    def _jobs(self) -> Iterator[tuple[str, str, Any]]:
        for status in LIVE:
            wanted = {"NameContains": NAMED, "StatusEquals": status}
            for page in self._client.get_paginator("list_training_jobs").paginate(**wanted):
                for job in page["TrainingJobSummaries"]:
                    yield job["TrainingJobName"], job["TrainingJobArn"], job["CreationTime"]
            for page in self._client.get_paginator("list_processing_jobs").paginate(**wanted):
                for job in page["ProcessingJobSummaries"]:
                    yield job["ProcessingJobName"], job["ProcessingJobArn"], job["CreationTime"]
            for page in self._client.get_paginator("list_transform_jobs").paginate(**wanted):
                for job in page["TransformJobSummaries"]:
                    yield job["TransformJobName"], job["TransformJobArn"], job["CreationTime"]

    def _item(self, name: str, arn: str, began: Any) -> SweepItem | None:
        pages = self._client.get_paginator("list_tags").paginate(ResourceArn=arn)
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        if RUN_TAG not in tags:
            return None
        return SweepItem(
            kind="job",
            id=arn,
            name=name,
            run_uid=tags[RUN_TAG],
            stage=tags.get(STAGE_TAG, ""),
            since=began,
            cost="an instance, by the second",
        )


class MultipartUploads:
    """Uploads in parts that were begun and neither completed nor given up."""

    kind = "upload"

    def __init__(self, client: Any, buckets: Sequence[str]) -> None:
        """Look in these buckets; only uploads below a run's own prefix tell whose they are."""
        self._client = client
        self._buckets = buckets

    def find(self, after: str | None) -> Found:
        """Return a page of one bucket's unfinished uploads that are Causeway's."""
        number, _, markers = (after or "0").partition(":")
        at = int(number)
        key, _, upload = markers.partition("\n")
        begin = {"KeyMarker": key, "UploadIdMarker": upload} if key else {}
        answer = self._client.list_multipart_uploads(Bucket=self._buckets[at], **begin)
        listed = answer.get("Uploads", [])
        items = [item for found in listed if (item := self._item(self._buckets[at], found))]
        if answer.get("IsTruncated"):
            return Found(items, f"{at}:{answer['NextKeyMarker']}\n{answer['NextUploadIdMarker']}")
        return Found(items, f"{at + 1}:" if at + 1 < len(self._buckets) else None)

    def stop(self, item: SweepItem) -> None:
        """Give it up; its parts are gone then."""
        abort(self._client, named(item.name), item.id)

    def _item(self, bucket: str, upload: Mapping[str, Any]) -> SweepItem | None:
        uri, (run_uid, stage) = f"s3://{bucket}/{upload['Key']}", mark_of(upload["Key"])
        if not run_uid and not Uploads(self._client, uri).own(upload["UploadId"]):
            return None
        return SweepItem(
            kind=self.kind,
            id=upload["UploadId"],
            name=uri,
            run_uid=run_uid,
            stage=stage,
            since=upload["Initiated"],
            cost="storage of its parts",
            by_hand="" if run_uid else _abort_by_hand(bucket, upload),
        )


def _abort_by_hand(bucket: str, upload: Mapping[str, Any]) -> str:
    words = ("--bucket", bucket, "--key", upload["Key"], "--upload-id", upload["UploadId"])
    return f"aws s3api abort-multipart-upload {shlex.join(words)}"
