"""SageMaker as a job service: the job's name is the key; a job that carries it is found, not made again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from activities.aws.errors import CLOUD, code_of
from activities.aws.job_logs import PROCESSING_GROUP, TRAINING_GROUP, read_log
from activities.aws.job_requests import (
    SCRIPT,
    Surroundings,
    processing_request,
    script_for,
    training_request,
    trains,
)
from activities.aws.machines import SageMakerMachines
from activities.aws.states import processing_state, training_state
from activities.choosing import machine_for
from activities.store import Store, put_small
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobKind, JobRef, JobRequest, JobState, LogPage

NEEDS = {
    "create_training_job": ("sagemaker:CreateTrainingJob", "sagemaker:AddTags", "iam:PassRole"),
    "create_processing_job": ("sagemaker:CreateProcessingJob", "sagemaker:AddTags", "iam:PassRole"),
    "describe_training_job": ("sagemaker:DescribeTrainingJob",),
    "describe_processing_job": ("sagemaker:DescribeProcessingJob",),
    "stop_training_job": ("sagemaker:StopTrainingJob",),
    "stop_processing_job": ("sagemaker:StopProcessingJob",),
    "list_training_jobs": ("sagemaker:ListTrainingJobs",),
    "list_processing_jobs": ("sagemaker:ListProcessingJobs",),
    "list_tags": ("sagemaker:ListTags",),
}

_ABSENT = {"ResourceNotFound", "ValidationException"}
"""How SageMaker says that there is no job of a well-formed name; ours all are."""


@dataclass(frozen=True)
class JobDefaults:
    """What the connection's settings say about jobs."""

    role: str | None
    image: str | None = None
    kms_key: str | None = None


class SageMakerJobs:
    """One account's jobs in one region. Both clients are boto3's and safe across threads."""

    first_poll_seconds = 0.5

    def __init__(
        self, client: Any, logs: Any, store: Store, machines: SageMakerMachines, defaults: JobDefaults
    ) -> None:
        self._machines = machines
        self._client = client
        self._logs = logs
        self._store = store
        self._defaults = defaults

    def submit(self, request: JobRequest) -> JobRef:
        """Create the job, or adopt the one that carries its name.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, `UNSUPPORTED` (no role, no such machine), `INVALID_REQUEST`.
        """
        around = self.surroundings(request)
        job_prefix = self._publish(request, around)
        try:
            if trains(request.kind):
                answer = self._client.create_training_job(**training_request(request, around, job_prefix))
            else:
                answer = self._client.create_processing_job(**processing_request(request, around, job_prefix))
        except ClientError as error:
            # Also after our own first call, when its answer was lost.
            if code_of(error) != "ResourceInUse":
                raise
            return self._adopt(request)
        return self._ref(request, answer.get("TrainingJobArn") or answer["ProcessingJobArn"], adopted=False)

    def describe(self, ref: JobRef) -> JobState:
        """Ask SageMaker now.

        Raises:
            ApplicationError: `SOURCE_MISSING`, there is no such job.
        """
        answer = self._ask(ref)
        return training_state(ref, answer) if trains(ref.kind) else processing_state(ref, answer)

    def stop(self, ref: JobRef) -> None:
        """Ask for a stop and return; a job that has ended, or is about to, is left alone."""
        if self._ends(ref):
            return
        try:
            if trains(ref.kind):
                self._client.stop_training_job(TrainingJobName=ref.name)
            else:
                self._client.stop_processing_job(ProcessingJobName=ref.name)
        except ClientError as error:
            # It ended between the two calls.
            if code_of(error) not in _ABSENT or not self._ends(ref):
                raise

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        """List jobs by their tags; names narrow the search, since SageMaker lists no tags."""
        wanted = {"causeway-run": run_uid} | ({"causeway-stage": stage} if stage else {})
        found = []
        for kind, name, arn in self._named_like(run_uid[:12]):
            tags = self._tags(arn)
            if wanted.items() <= tags.items():
                generation = int(tags.get("causeway-generation", "1"))
                found.append(self.describe(JobRef(id=arn, name=name, generation=generation, kind=kind)))
        return found

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        """Return where each output of a succeeded job lies, as SageMaker says, not as it was asked to do.

        Raises:
            ApplicationError: `UNAVAILABLE`, it does not say yet, or not any more for a moment.
        """
        answer = self._ask(ref)
        if trains(ref.kind):
            model = answer["ModelArtifacts"]["S3ModelArtifacts"].rstrip("/")
            if not model:
                told = f"SageMaker does not say where the model of job {ref.name} lies"
                raise failure(ErrorKind.UNAVAILABLE, told, ErrorDetail(cloud=CLOUD, ref=ref.name))
            return {name: f"{model}/{name}/" for name in request.outputs}
        delivered = answer.get("ProcessingOutputConfig", {}).get("Outputs", [])
        return {output["OutputName"]: output["S3Output"]["S3Uri"].rstrip("/") + "/" for output in delivered}

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        """See `JobService.logs`; CloudWatch holds whole lines only."""
        group = TRAINING_GROUP if trains(ref.kind) else PROCESSING_GROUP
        return read_log(self._logs, group, ref.name, tail, after)

    def surroundings(self, request: JobRequest) -> Surroundings:
        """Return what the connection adds to a request.

        Raises:
            ApplicationError: `UNSUPPORTED` (no role, no such machine), `INVALID_REQUEST` (no image).
        """
        image = request.image or self._defaults.image
        if self._defaults.role is None:
            message = "this connection runs no jobs: CAUSEWAY_AWS_JOB_ROLE is not set for its worker"
            raise failure(ErrorKind.UNSUPPORTED, message, ErrorDetail(cloud=CLOUD, ref=request.name))
        if image is None:
            message = f"stage {request.stage} names no image, and its worker has no CAUSEWAY_IMAGE"
            raise failure(ErrorKind.INVALID_REQUEST, message, ErrorDetail(cloud=CLOUD, ref=request.name))
        machine = machine_for(request, self._machines)
        container = self._store.default_container
        return Surroundings(self._defaults.role, image, machine, self._defaults.kms_key, container)

    def _publish(self, request: JobRequest, around: Surroundings) -> str:
        prefix = around.folder(request) + "job/"
        text = script_for(request).encode()
        owner = f"{request.run.run_uid}/{request.stage}"
        put_small(self._store, prefix + SCRIPT, text, owner=owner, media_type="text/x-shellscript")
        return prefix

    def _adopt(self, request: JobRequest) -> JobRef:
        answer = self._ask(self._ref(request, "", adopted=True))
        arn = answer.get("TrainingJobArn") or answer["ProcessingJobArn"]
        if self._tags(arn).get("causeway-digest") != request.tags["causeway-digest"]:
            message = f"a job named {request.name} exists and asks for something else"
            raise failure(ErrorKind.TARGET_CONFLICT, message, ErrorDetail(cloud=CLOUD, ref=arn))
        return self._ref(request, arn, adopted=True)

    def _ask(self, ref: JobRef) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = (
                self._client.describe_training_job(TrainingJobName=ref.name)
                if trains(ref.kind)
                else self._client.describe_processing_job(ProcessingJobName=ref.name)
            )
        except ClientError as error:
            if code_of(error) not in _ABSENT:
                raise
            detail = ErrorDetail(cloud=CLOUD, ref=ref.name, code=code_of(error))
            raise failure(ErrorKind.SOURCE_MISSING, f"SageMaker has no job {ref.name}", detail) from None
        return answer

    def _ends(self, ref: JobRef) -> bool:
        answer = self._ask(ref)
        status = answer.get("TrainingJobStatus") or answer.get("ProcessingJobStatus")
        return status != "InProgress"

    def _named_like(self, text: str) -> Iterator[tuple[JobKind, str, str]]:
        for page in self._client.get_paginator("list_training_jobs").paginate(NameContains=text):
            for job in page["TrainingJobSummaries"]:
                yield "train", job["TrainingJobName"], job["TrainingJobArn"]
        for page in self._client.get_paginator("list_processing_jobs").paginate(NameContains=text):
            for job in page["ProcessingJobSummaries"]:
                yield "process", job["ProcessingJobName"], job["ProcessingJobArn"]

    def _tags(self, arn: str) -> dict[str, str]:
        pages = self._client.get_paginator("list_tags").paginate(ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def _ref(self, request: JobRequest, arn: str, *, adopted: bool) -> JobRef:
        return JobRef(
            id=arn,
            name=request.name,
            generation=request.generation,
            kind=request.kind,
            console=self._console(request.name, request.kind),
            adopted=adopted,
        )

    def _console(self, name: str, kind: JobKind) -> str | None:
        region, endpoint = self._client.meta.region_name, self._client.meta.endpoint_url
        # Other partitions have consoles of their own, and a server that is not Amazon's has none.
        if self._client.meta.partition != "aws" or not endpoint.endswith(".amazonaws.com"):
            return None
        page = "jobs" if trains(kind) else "processing-jobs"
        return f"https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/{page}/{name}"
