"""Vertex AI's online endpoints: a model and an endpoint of one id, and the model deployed on it once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from google.api_core.exceptions import BadRequest, ClientError, Conflict, NotFound

from activities.endpoint_service import Marked
from activities.gcp.endpoint_states import endpoint_state, moment, served
from activities.gcp.errors import CLOUD
from activities.gcp.hosting_requests import deployment_body
from activities.gcp.job_logs import JobLogs
from activities.gcp.jobs import TIMEOUT, JobDefaults
from activities.gcp.models import PAGE, VertexModels
from activities.gcp.operations import Operations, soon
from activities.gcp.raw_predict import RawPredict
from contracts.endpoints import EndpointPhase, EndpointRef, EndpointState
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import KEPT_TAG, JobRequest

NEEDS = {
    "create_endpoint": ("aiplatform.endpoints.create",),
    "get_endpoint": ("aiplatform.endpoints.get",),
    "list_endpoints": ("aiplatform.endpoints.list",),
    "update_endpoint": ("aiplatform.endpoints.update",),
    "delete_endpoint": ("aiplatform.endpoints.delete",),
    "deploy_model": ("aiplatform.endpoints.deploy",),
    "undeploy_model": ("aiplatform.endpoints.undeploy",),
}


class VertexEndpoints:
    """One project's endpoints in one region."""

    first_poll_seconds = 0.5
    body_limit_bytes = 1_500_000
    """https://cloud.google.com/vertex-ai/docs/quotas#request_size_limits, of an endpoint that is shared."""

    def __init__(
        self,
        client: Any,
        operations: Operations,
        models: VertexModels,
        scorer: RawPredict,
        logs: JobLogs,
        defaults: JobDefaults,
    ) -> None:
        self._client = client
        self._operations = operations
        self._models = models
        self._scorer = scorer
        self._logs = logs
        self._defaults = defaults

    def create(self, request: JobRequest) -> EndpointRef:
        """Have model and endpoint exist, and the one deployed on the other; what exists already is adopted.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, `UNSUPPORTED` (no such machine), `INVALID_REQUEST`, `CAPACITY`;
                `UNAVAILABLE`, another worker is creating it right now.
        """
        resource = self._resource(request.name)
        held, made = self._get(resource), False
        if held is not None:
            self._check(request, held)
        if held is None or not served(held, self._operations.of(resource)):
            wanted = deployment_body(request, self._defaults, self._models.name_of(request.name))
            self._models.ensure(request)
            if held is None:
                self._check(request, self._made(request, resource))
            made = self._deploy(resource, wanted)
        return self._ref(resource, request.tags, adopted=not made)

    def describe(self, ref: EndpointRef) -> EndpointState:
        """Ask Vertex AI now: of the endpoint and its operations, and of the model where there is no endpoint."""
        # Before the endpoint: a deployment that ends between the two looks would seem to have left no model.
        steps = self._operations.of(ref.id)
        endpoint = self._get(ref.id)
        if endpoint is not None:
            return endpoint_state(ref, endpoint, steps)
        left = self._models.get(ref.name) is not None
        return EndpointState(
            ref=ref,
            phase=EndpointPhase.INCOMPLETE if left else EndpointPhase.GONE,
            message="there is no endpoint, but its model" if left else "",
            last_seen=datetime.now(UTC),
        )

    def keep(self, ref: EndpointRef) -> None:
        """Label the endpoint; its model goes by what it says, as long as it is there."""
        held = self._client.get_endpoint(name=ref.id, timeout=TIMEOUT, retry=None)
        labels = {**held.labels, KEPT_TAG: "yes"}
        wanted = {"endpoint": {"name": ref.id, "labels": labels}, "update_mask": {"paths": ["labels"]}}
        self._client.update_endpoint(wanted, timeout=TIMEOUT, retry=None)

    def remove(self, ref: EndpointRef) -> None:
        """Take the model off the endpoint, then delete the endpoint, then the model: each once the one before is over."""
        endpoint = self._get(ref.id)
        if endpoint is not None:
            self._clear(ref, endpoint)
        if self._get(ref.id) is None:
            self._models.drop(ref.name)

    def find(self, run_uid: str, stage: str | None) -> Sequence[EndpointState]:
        """List by labels; a model without an endpoint counts."""
        labels = {"causeway-run": run_uid} | ({"causeway-stage": stage} if stage else {})
        wanted = " AND ".join(f'labels.{key}="{value}"' for key, value in labels.items())
        states = [self.describe(held.ref) for held in self._marked(wanted)]
        return [state for state in states if state.phase is not EndpointPhase.GONE]

    def marked(self) -> Iterator[Marked]:
        """List what carries Causeway's labels, of every run."""
        return self._marked("labels.causeway-run:*")

    def score(self, ref: EndpointRef, body: bytes) -> bytes:
        """See the seam, and `RawPredict.post`."""
        return self._scorer.post(ref.id, ref.name, body)

    def last_lines(self, ref: EndpointRef, tail: int) -> tuple[str, ...]:
        """Return what the server printed last, as Cloud Logging holds it."""
        number = ref.id.rsplit("/", 1)[1]
        wanted = (
            f'resource.type="aiplatform.googleapis.com/Endpoint" AND resource.labels.endpoint_id="{number}"'
        )
        return self._logs.last_lines(wanted, tail)

    def _clear(self, ref: EndpointRef, endpoint: Any) -> None:
        running = [step for step in self._operations.of(ref.id) if not step.done]
        for step in running:
            # An endpoint cannot go while a model is on its way; what undeploys or deletes is left to end.
            if step.kind == "DeployModel":
                _asked(self._operations.cancel, step.name)
        if running:
            return
        for deployed in endpoint.deployed_models:
            wanted = {"endpoint": ref.id, "deployed_model_id": deployed.id}
            _asked(self._client.undeploy_model, wanted, timeout=TIMEOUT, retry=None)
        if not endpoint.deployed_models:
            _asked(self._client.delete_endpoint, {"name": ref.id}, timeout=TIMEOUT, retry=None)

    def _marked(self, wanted: str) -> Iterator[Marked]:
        request = {"parent": self._defaults.parent, "filter": wanted, "page_size": PAGE}
        listed = self._client.list_endpoints(request, timeout=TIMEOUT, retry=None)
        seen = set()
        for held in chain(listed, self._models.labelled(wanted)):
            resource = self._resource(held.name.rsplit("/", 1)[1])
            if resource not in seen:
                seen.add(resource)
                ref, labels = self._ref(resource, held.labels, adopted=True), held.labels
                since = moment(held.create_time)
                run_uid, stage = labels["causeway-run"], labels.get("causeway-stage", "")
                yield Marked(ref, run_uid, stage, since, KEPT_TAG in labels)

    def _made(self, request: JobRequest, resource: str) -> Any:
        """Create the endpoint, or find that somebody has; return it."""
        wanted = {
            "parent": self._defaults.parent,
            "endpoint_id": request.name,
            "endpoint": {"display_name": request.name, "labels": request.tags},
        }
        try:
            begun = self._client.create_endpoint(wanted, timeout=TIMEOUT, retry=None)
        except Conflict:
            begun = None
        if begun is not None:
            self._operations.finished(begun.operation.name, resource)
        held = soon(lambda: self._get(resource))
        if held is None:
            told = f"{resource} is being created; it is looked for again"
            raise failure(ErrorKind.UNAVAILABLE, told, ErrorDetail(cloud=CLOUD, ref=resource))
        return held

    def _deploy(self, resource: str, wanted: dict[str, Any]) -> bool:
        """Begin to deploy; False when that was begun before, also by our own first call whose answer was lost.

        Google does not say how it refuses an id that is taken, so any refusal is looked into.
        """
        request = {"endpoint": resource, "deployed_model": wanted, "traffic_split": {"0": 100}}
        try:
            self._client.deploy_model(request, timeout=TIMEOUT, retry=None)
        except ClientError:
            held = self._get(resource)
            if held is None or not served(held, self._operations.of(resource)):
                raise
            return False
        return True

    def _check(self, request: JobRequest, held: Any) -> None:
        if held.labels.get("causeway-digest") != request.tags["causeway-digest"]:
            told = f"an endpoint named {request.name} exists and asks for something else"
            raise failure(ErrorKind.TARGET_CONFLICT, told, ErrorDetail(cloud=CLOUD, ref=held.name))

    def _get(self, resource: str) -> Any | None:
        try:
            return self._client.get_endpoint(name=resource, timeout=TIMEOUT, retry=None)
        except NotFound:
            return None

    def _resource(self, name: str) -> str:
        return f"{self._defaults.parent}/endpoints/{name}"

    def _ref(self, resource: str, labels: Mapping[str, str], *, adopted: bool) -> EndpointRef:
        _, project, _, location, _, number = resource.split("/")
        console = "https://console.cloud.google.com/vertex-ai/online-prediction/locations"
        return EndpointRef(
            id=resource,
            name=number,
            generation=int(labels.get("causeway-generation", "1")),
            console=f"{console}/{location}/endpoints/{number}?project={project}",
            adopted=adopted,
        )


def _asked(call: Callable[..., Any], *arguments: Any, **more: Any) -> None:
    try:
        call(*arguments, **more)
    except (NotFound, BadRequest, Conflict):
        # It is gone, or not in a state for that yet: the next look tells which.
        return
