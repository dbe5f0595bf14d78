"""SageMaker's batch transform as a job service for `batch_predict`: a model and a transform job of one name."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from activities.aws.endpoints import REFUSED
from activities.aws.errors import CLOUD, code_of
from activities.aws.hosting_requests import model_request, serve_script, transform_request
from activities.aws.job_logs import read_log
from activities.aws.job_requests import Surroundings
from activities.aws.states import failure_reason, phase_of
from activities.batch_rows import put_rows
from activities.model_package import put_package
from activities.store import Store
from contracts.endpoints import PREDICTIONS
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobPhase, JobRef, JobRequest, JobState, LogPage

NEEDS = {
    "create_model": ("sagemaker:CreateModel", "sagemaker:AddTags", "iam:PassRole"),
    "create_transform_job": ("sagemaker:CreateTransformJob", "sagemaker:AddTags"),
    "delete_model": ("sagemaker:DeleteModel",),
    "describe_model": ("sagemaker:DescribeModel",),
    "describe_transform_job": ("sagemaker:DescribeTransformJob",),
    "list_tags": ("sagemaker:ListTags",),
    "list_transform_jobs": ("sagemaker:ListTransformJobs",),
    "stop_transform_job": ("sagemaker:StopTransformJob",),
}

LOG_GROUP = "/aws/sagemaker/TransformJobs"


class TransformJobs:
    """One account's batch transforms in one region."""

    first_poll_seconds = 0.5

    def __init__(
        self, client: Any, logs: Any, store: Store, surroundings: Callable[[JobRequest], Surroundings]
    ) -> None:
        self._client = client
        self._logs = logs
        self._store = store
        self._surroundings = surroundings

    def submit(self, request: JobRequest) -> JobRef:
        """Create model and job, or adopt the job that carries this name.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, `UNSUPPORTED`, `INVALID_REQUEST`, `SOURCE_MISSING`.
        """
        held = self._ask(request.name)
        made = held is None and self._create(request)
        answer = held or self._known(request.name)
        arn = answer["TransformJobArn"]
        if self._tags(arn).get("causeway-digest") != request.tags["causeway-digest"]:
            told = f"a job named {request.name} exists and asks for something else"
            raise failure(ErrorKind.TARGET_CONFLICT, told, ErrorDetail(cloud=CLOUD, ref=arn))
        return self._ref(arn, request.name, request.generation, adopted=not made)

    def describe(self, ref: JobRef) -> JobState:
        """Ask SageMaker now; the model of a job that has ended is nobody's any more and goes.

        Raises:
            ApplicationError: `SOURCE_MISSING`, there is no such job.
        """
        answer = self._known(ref.name)
        started, ended = answer.get("TransformStartTime"), answer.get("TransformEndTime")
        phase = phase_of(answer["TransformJobStatus"])
        if phase is JobPhase.RUNNING and started is None:
            phase = JobPhase.QUEUED
        if phase.terminal:
            self._drop_model(ref.name)
        return JobState(
            ref=ref,
            phase=phase,
            message=answer.get("FailureReason") or answer["TransformJobStatus"],
            reason=failure_reason(phase, answer),
            submitted_at=answer.get("CreationTime"),
            started_at=started,
            ended_at=ended,
            last_seen=datetime.now(UTC),
            billed_seconds=(ended - started).total_seconds() if started and ended else None,
        )

    def stop(self, ref: JobRef) -> None:
        """Ask for a stop and return; a job that has ended, or is about to, is left alone."""
        if self._known(ref.name)["TransformJobStatus"] != "InProgress":
            return
        try:
            self._client.stop_transform_job(TransformJobName=ref.name)
        except ClientError as error:
            # It ended between the two calls.
            if code_of(error) not in REFUSED or self._known(ref.name)["TransformJobStatus"] == "InProgress":
                raise

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        """List jobs by their tags; names narrow the search, since SageMaker lists no tags."""
        wanted = {"causeway-run": run_uid} | ({"causeway-stage": stage} if stage else {})
        found = []
        for page in self._client.get_paginator("list_transform_jobs").paginate(NameContains=run_uid[:12]):
            for job in page["TransformJobSummaries"]:
                arn, tags = job["TransformJobArn"], self._tags(job["TransformJobArn"])
                if wanted.items() <= tags.items():
                    generation = int(tags.get("causeway-generation", "1"))
                    ref = self._ref(arn, job["TransformJobName"], generation, adopted=True)
                    found.append(self.describe(ref))
        return found

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        """Return where the predictions lie: a file `rows-….jsonl.out` for each file of rows."""
        return {PREDICTIONS: self._known(ref.name)["TransformOutput"]["S3OutputPath"].rstrip("/") + "/"}

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        """Return the last lines of the server's log, or those after a token; empty while there is none."""
        return read_log(self._logs, LOG_GROUP, ref.name, tail, after)

    def _create(self, request: JobRequest) -> bool:
        around = self._surroundings(request)
        folder = around.folder(request)
        put_rows(self._store, folder + "rows/", request)
        package = folder + "package/model.tar.gz"
        put_package(self._store, package, request, serve_script(request))
        self._once(self._client.create_model, model_request(request, around, package))
        wanted = transform_request(request, around, folder + "rows/", request.outputs[PREDICTIONS])
        return self._once(self._client.create_transform_job, wanted)

    def _once(self, create: Callable[..., Any], arguments: Mapping[str, Any]) -> bool:
        """Create it; False when it was there, also by our own first call whose answer was lost."""
        try:
            create(**arguments)
        except ClientError as error:
            if code_of(error) not in REFUSED or not self._exists(arguments):
                raise
            return False
        return True

    def _exists(self, arguments: Mapping[str, Any]) -> bool:
        name = arguments.get("TransformJobName")
        if name:
            return self._ask(name) is not None
        try:
            self._client.describe_model(ModelName=arguments["ModelName"])
        except ClientError as error:
            if code_of(error) not in REFUSED:
                raise
            return False
        return True

    def _drop_model(self, name: str) -> None:
        try:
            self._client.delete_model(ModelName=name)
        except ClientError as error:
            # It went when the end was first seen.
            if code_of(error) not in REFUSED:
                raise

    def _known(self, name: str) -> Mapping[str, Any]:
        answer = self._ask(name)
        if answer is None:
            detail = ErrorDetail(cloud=CLOUD, ref=name)
            raise failure(ErrorKind.SOURCE_MISSING, f"SageMaker has no transform job {name}", detail)
        return answer

    def _ask(self, name: str) -> Mapping[str, Any] | None:
        try:
            answer: Mapping[str, Any] = self._client.describe_transform_job(TransformJobName=name)
        except ClientError as error:
            if code_of(error) not in REFUSED:
                raise
            return None
        return answer

    def _tags(self, arn: str) -> dict[str, str]:
        pages = self._client.get_paginator("list_tags").paginate(ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def _ref(self, arn: str, name: str, generation: int, *, adopted: bool) -> JobRef:
        return JobRef(id=arn, name=name, generation=generation, kind="batch_predict", adopted=adopted)
