"""SageMaker's online endpoints: a model, an endpoint configuration and an endpoint, all three of one name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from activities.aws.errors import CLOUD, code_of
from activities.aws.hosting_requests import (
    VARIANT,
    config_request,
    endpoint_request,
    model_request,
    serve_script,
)
from activities.aws.job_logs import read_log
from activities.aws.job_requests import Surroundings
from activities.endpoint_service import Marked
from activities.model_package import put_package
from activities.scrub import scrub
from activities.store import Store
from contracts.endpoints import EndpointPhase, EndpointRef, EndpointState
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import KEPT_TAG, JobRequest
from contracts.units import MIB

NEEDS = {
    "create_model": ("sagemaker:CreateModel", "sagemaker:AddTags", "iam:PassRole"),
    "create_endpoint_config": ("sagemaker:CreateEndpointConfig", "sagemaker:AddTags"),
    "create_endpoint": ("sagemaker:CreateEndpoint", "sagemaker:AddTags"),
    "describe_model": ("sagemaker:DescribeModel",),
    "describe_endpoint_config": ("sagemaker:DescribeEndpointConfig",),
    "describe_endpoint": ("sagemaker:DescribeEndpoint",),
    "delete_model": ("sagemaker:DeleteModel",),
    "delete_endpoint_config": ("sagemaker:DeleteEndpointConfig",),
    "delete_endpoint": ("sagemaker:DeleteEndpoint",),
    "list_models": ("sagemaker:ListModels",),
    "list_endpoint_configs": ("sagemaker:ListEndpointConfigs",),
    "list_endpoints": ("sagemaker:ListEndpoints",),
    "list_tags": ("sagemaker:ListTags",),
    "add_tags": ("sagemaker:AddTags",),
    "invoke_endpoint": ("sagemaker:InvokeEndpoint",),
}

REFUSED = {"ValidationException", "ResourceInUse", "ResourceNotFound"}
"""How SageMaker says both that something of this name exists already, and that there is none."""
PHASE_OF_STATUS = {
    "Creating": EndpointPhase.CREATING,
    "Updating": EndpointPhase.CREATING,
    "SystemUpdating": EndpointPhase.READY,
    "RollingBack": EndpointPhase.CREATING,
    "InService": EndpointPhase.READY,
    "Deleting": EndpointPhase.DELETING,
    "Failed": EndpointPhase.FAILED,
    "OutOfService": EndpointPhase.FAILED,
    "UpdateRollbackFailed": EndpointPhase.FAILED,
}
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html; an update keeps traffic served."""
LOG_GROUP = "/aws/sagemaker/Endpoints/"
KIND_OF_ANSWER = {429: ErrorKind.THROTTLED, 503: ErrorKind.UNAVAILABLE}
"""What the server itself answered, when SageMaker tells of it as a ModelError."""
Parts = tuple[tuple[str, str, str, str], ...]
PARTS: Parts = (
    ("endpoint", "list_endpoints", "Endpoints", "Endpoint"),
    ("endpoint_config", "list_endpoint_configs", "EndpointConfigs", "EndpointConfig"),
    ("model", "list_models", "Models", "Model"),
)
"""In the order in which they are removed: what uses another goes first."""


class SageMakerEndpoints:
    """One account's endpoints in one region. All clients are boto3's and safe across threads."""

    first_poll_seconds = 0.5
    body_limit_bytes = 6 * MIB
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html, the lesser of its limits."""

    def __init__(
        self,
        client: Any,
        runtime: Any,
        logs: Any,
        store: Store,
        surroundings: Callable[[JobRequest], Surroundings],
    ) -> None:
        self._client = client
        self._runtime = runtime
        self._logs = logs
        self._store = store
        self._surroundings = surroundings

    def create(self, request: JobRequest) -> EndpointRef:
        """Have model, configuration and endpoint exist; one that exists already is adopted.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, `UNSUPPORTED` (no role, no such machine), `INVALID_REQUEST`.
        """
        held = self._ask("endpoint", request.name)
        made = False
        if held is None:
            around = self._surroundings(request)
            package = around.folder(request) + "package/model.tar.gz"
            put_package(self._store, package, request, serve_script(request))
            self._once("model", request.name, model_request(request, around, package))
            self._once("endpoint_config", request.name, config_request(request, around))
            made = self._once("endpoint", request.name, endpoint_request(request))
            held = self._ask("endpoint", request.name)
        if held is None:
            told = f"the endpoint {request.name} vanished as soon as it was made"
            raise failure(ErrorKind.UNAVAILABLE, told, ErrorDetail(cloud=CLOUD, ref=request.name))
        arn = held["EndpointArn"]
        if self._tags(arn).get("causeway-digest") != request.tags["causeway-digest"]:
            told = f"an endpoint named {request.name} exists and asks for something else"
            raise failure(ErrorKind.TARGET_CONFLICT, told, ErrorDetail(cloud=CLOUD, ref=arn))
        return self._ref(arn, request.name, request.generation, adopted=not made)

    def describe(self, ref: EndpointRef) -> EndpointState:
        """Ask SageMaker now, of all three parts where there is no endpoint."""
        answer = self._ask("endpoint", ref.name)
        now = datetime.now(UTC)
        if answer is None:
            left = [part for part in ("endpoint_config", "model") if self._ask(part, ref.name) is not None]
            phase = EndpointPhase.INCOMPLETE if left else EndpointPhase.GONE
            told = f"there is no endpoint, but its {' and its '.join(left)}" if left else ""
            return EndpointState(ref=ref, phase=phase, message=told.replace("_", " "), last_seen=now)
        status = answer["EndpointStatus"]
        return EndpointState(
            ref=ref,
            # A status that is new to the table is neither ready nor an end.
            phase=PHASE_OF_STATUS.get(status, EndpointPhase.CREATING),
            message=answer.get("FailureReason") or status,
            created_at=answer.get("CreationTime"),
            last_seen=now,
        )

    def keep(self, ref: EndpointRef) -> None:
        """Tag the endpoint; configuration and model go by what it says, as long as it is there."""
        self._client.add_tags(ResourceArn=ref.id, Tags=[{"Key": KEPT_TAG, "Value": "yes"}])

    def remove(self, ref: EndpointRef) -> None:
        """Delete the endpoint, and the other two once SageMaker has let go of it."""
        for part, *_ in PARTS:
            self._delete(part, ref.name)
            if part == "endpoint" and self._ask(part, ref.name) is not None:
                return

    def find(self, run_uid: str, stage: str | None) -> Sequence[EndpointState]:
        """List by tags; names narrow the search, since SageMaker lists no tags. A part without an endpoint counts."""
        found = [
            held.ref
            for held in self._marked_like(run_uid[:12])
            if held.run_uid == run_uid and stage in {None, held.stage}
        ]
        states = [self.describe(ref) for ref in found]
        return [state for state in states if state.phase is not EndpointPhase.GONE]

    def marked(self) -> Iterator[Marked]:
        """List what carries Causeway's tags, of every run."""
        return self._marked_like("cw-")

    def score(self, ref: EndpointRef, body: bytes) -> bytes:
        """Invoke the endpoint; what the server itself refused is told in its own words.

        Raises:
            ApplicationError: `THROTTLED`, `UNAVAILABLE`, `INVALID_REQUEST`, `JOB_FAILED`.
        """
        try:
            answer = self._runtime.invoke_endpoint(
                EndpointName=ref.name, Body=body, ContentType="application/json", Accept="application/json"
            )
            content: bytes = answer["Body"].read()
        except ClientError as error:
            if code_of(error) != "ModelError":
                raise
            raise _refused(ref.name, error) from None
        return content

    def last_lines(self, ref: EndpointRef, tail: int) -> tuple[str, ...]:
        """Return what the server printed last, as CloudWatch Logs holds it."""
        return read_log(self._logs, LOG_GROUP + ref.name, VARIANT, tail, None).lines

    def _once(self, part: str, name: str, arguments: Mapping[str, Any]) -> bool:
        """Create a part; False when it was there, also by our own first call whose answer was lost."""
        try:
            getattr(self._client, f"create_{part}")(**arguments)
        except ClientError as error:
            if code_of(error) not in REFUSED or self._ask(part, name) is None:
                raise
            return False
        return True

    def _delete(self, part: str, name: str) -> None:
        try:
            getattr(self._client, f"delete_{part}")(**{_member(part): name})
        except ClientError as error:
            # It is gone, or still in use: the next look tells which.
            if code_of(error) not in REFUSED:
                raise

    def _ask(self, part: str, name: str) -> Mapping[str, Any] | None:
        try:
            answer: Mapping[str, Any] = getattr(self._client, f"describe_{part}")(**{_member(part): name})
        except ClientError as error:
            if code_of(error) not in REFUSED:
                raise
            return None
        return answer

    def _marked_like(self, text: str) -> Iterator[Marked]:
        seen = set()
        for item, prefix in self._named_like(text):
            name, arn = item[f"{prefix}Name"], item[f"{prefix}Arn"]
            tags = {} if name in seen else self._tags(arn)
            if tags.get("causeway-run"):
                seen.add(name)
                ref = self._ref(arn, name, int(tags.get("causeway-generation", "1")), adopted=True)
                yield Marked(
                    ref,
                    tags["causeway-run"],
                    tags.get("causeway-stage", ""),
                    item.get("CreationTime"),
                    KEPT_TAG in tags,
                )

    def _named_like(self, text: str) -> Iterator[tuple[Mapping[str, Any], str]]:
        for _, operation, member, prefix in PARTS:
            for page in self._client.get_paginator(operation).paginate(NameContains=text):
                yield from ((item, prefix) for item in page[member])

    def _tags(self, arn: str) -> dict[str, str]:
        try:
            pages = list(self._client.get_paginator("list_tags").paginate(ResourceArn=arn))
        except ClientError as error:
            # It was removed since it was listed.
            if code_of(error) not in REFUSED:
                raise
            return {}
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def _ref(self, arn: str, name: str, generation: int, *, adopted: bool) -> EndpointRef:
        return EndpointRef(
            id=arn, name=name, generation=generation, console=self._console(name), adopted=adopted
        )

    def _console(self, name: str) -> str | None:
        region, endpoint = self._client.meta.region_name, self._client.meta.endpoint_url
        if self._client.meta.partition != "aws" or not endpoint.endswith(".amazonaws.com"):
            return None
        return f"https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/endpoints/{name}"


def _member(part: str) -> str:
    return "".join(word.capitalize() for word in part.split("_")) + "Name"


def _refused(name: str, error: ClientError) -> Exception:
    answer: Mapping[str, Any] = error.response
    status = int(answer.get("OriginalStatusCode") or 500)
    kind = KIND_OF_ANSWER.get(status)
    kind = kind or (ErrorKind.INVALID_REQUEST if status < 500 else ErrorKind.JOB_FAILED)
    words = scrub(str(answer.get("OriginalMessage") or answer.get("Error", {}).get("Message") or "no words"))
    detail = ErrorDetail(cloud=CLOUD, ref=name, code="ModelError")
    return failure(kind, f"the server of {name} answered {status}: {words[:500]}", detail)
