"""Azure ML's managed online endpoints: an endpoint, its one deployment and its model, all of one derived name."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import HttpResponseError

from activities.azure import batch_find, hosting, serving_states
from activities.azure.actions import ML
from activities.azure.batch_endpoints import BatchEndpoints
from activities.azure.errors import CLOUD
from activities.azure.history import time_of
from activities.azure.hosting import Hosting, short_name
from activities.azure.machines import AzureMachines
from activities.azure.resources import Resource, Resources
from activities.azure.scoring import Scoring
from activities.choosing import machine_for
from activities.endpoint_service import Marked
from activities.scrub import scrub
from activities.stopping import rest
from contracts.endpoints import EndpointPhase, EndpointRef, EndpointState
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import KEPT_TAG, JobRequest

_DEPLOYMENTS = f"{ML}/onlineEndpoints/deployments"
_READS = (
    f"{ML}/onlineEndpoints/read",
    f"{_DEPLOYMENTS}/read",
    f"{ML}/models/read",
    f"{ML}/batchEndpoints/read",
)
NEEDS: dict[str, tuple[str, ...]] = {
    "resources.get": _READS,
    "resources.all": _READS,
    "resources.put": (f"{ML}/onlineEndpoints/write", f"{_DEPLOYMENTS}/write"),
    "resources.patch": (f"{ML}/onlineEndpoints/write",),
    "resources.post": (f"{_DEPLOYMENTS}/getLogs/action",),
    "resources.delete": (
        f"{ML}/onlineEndpoints/delete",
        f"{_DEPLOYMENTS}/delete",
        f"{ML}/models/delete",
        f"{ML}/models/versions/delete",
    ),
    # How an operation went is told at the subscription, where a worker has no right: without it, a failure has no words.
    "resources.why": (),
}
DEPLOYMENT = "serve"
DIGEST_TAG = "causeway-digest"
PROBE_SECONDS = 10
ANSWER_SECONDS = 60
REQUESTS_AT_ONCE = 100
"""The service's default is 1, and it answers 429 to whatever waits behind it."""
ROOTS = {"onlineEndpoints": "its endpoint", "batchEndpoints": "its batch endpoint", "models": "its model"}
"""Whatever is made for a server, also for a batch's, in the order in which it is removed: what uses another goes first."""


class AzureMlEndpoints:
    """One workspace's online endpoints."""

    first_poll_seconds = 0.5
    body_limit_bytes = 1_500_000
    """https://learn.microsoft.com/azure/machine-learning/how-to-manage-quotas, of managed online endpoints."""

    def __init__(
        self,
        resources: Resources,
        where: Hosting,
        scoring: Scoring,
        machines: AzureMachines,
        batches: BatchEndpoints,
    ) -> None:
        self._machines = machines
        self._batches = batches
        self._resources = resources
        self._hosting = where
        self._scoring = scoring

    def create(self, request: JobRequest) -> EndpointRef:
        """Have model, endpoint and deployment exist; what exists already is adopted.

        It waits for the endpoint, a minute or two, since a deployment is refused before; `describe` tells of the rest.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, `UNSUPPORTED` (no image), `SOURCE_MISSING`.
            CancelledError: the activity was cancelled.
        """
        path = f"onlineEndpoints/{short_name(request.name)}"
        held, made = self._resources.get(path), False
        if held is None:
            self._hosting.model(request)
            location = self._hosting.location()
            held, made = self._once(path, endpoint_body(request, location))
        _check(held, request)
        deployment = f"{path}/deployments/{DEPLOYMENT}"
        if self._settled(path, request) and self._resources.get(deployment) is None:
            model, environment = self._hosting.model(request), self._hosting.environment(request)
            instance = machine_for(request, self._machines).instance
            body = deployment_body(request, self._hosting.location(), instance, (model, environment))
            _, deployed = self._once(deployment, body)
            made = made or deployed
        return _ref(held, request.name, request.generation, adopted=not made)

    def describe(self, ref: EndpointRef) -> EndpointState:
        """Ask the control plane now: of the endpoint, then of its deployment, or of what is left of both."""
        path, now = f"onlineEndpoints/{short_name(ref.name)}", datetime.now(UTC)
        endpoint = self._resources.get(path)
        if endpoint is None:
            left = self._left(ref.name)
            phase = EndpointPhase.INCOMPLETE if left else EndpointPhase.GONE
            told = f"there is no endpoint, but {' and '.join(left)}" if left else ""
            return EndpointState(ref=ref, phase=phase, message=told, last_seen=now)
        deployment = f"{path}/deployments/{DEPLOYMENT}"
        held = self._resources.get(deployment)
        phase = serving_states.phase_of(_status(endpoint), _status(held) if held else None)
        return EndpointState(
            ref=ref,
            phase=phase,
            message=self._words(phase, (path, endpoint), (deployment, held)),
            created_at=_created(endpoint),
            last_seen=now,
        )

    def keep(self, ref: EndpointRef) -> None:
        """Tag the endpoint; its model goes by what it says, as long as it is there."""
        path = f"onlineEndpoints/{short_name(ref.name)}"
        tags = _tags(self._resources.get(path) or {"properties": {}})
        if KEPT_TAG not in tags:
            self._resources.patch(path, {"tags": {**tags, KEPT_TAG: "yes"}})

    def remove(self, ref: EndpointRef) -> None:
        """Delete deployments, then their endpoint, then the model, as far as the service lets go of each now."""
        name = short_name(ref.name)
        for root in ROOTS:
            path = f"{root}/{name}"
            if root == "models":
                self._resources.delete(f"{path}/versions/{hosting.VERSION}")
            elif root == batch_find.ROOT:
                if self._resources.get(path) is None:
                    continue
                self._batches.retire(ref.name)
                return
            elif self._resources.get(path) is not None:
                deployments = [held["name"] for held in self._resources.all(f"{path}/deployments")]
                for deployment in deployments:
                    self._resources.delete(f"{path}/deployments/{deployment}")
                if deployments:
                    return
            self._resources.delete(path)
            if self._resources.get(path) is not None:
                return

    def find(self, run_uid: str, stage: str | None) -> Sequence[EndpointState]:
        """List by tags: endpoints, and models without one."""
        found = [
            held.ref for held in self.marked() if held.run_uid == run_uid and stage in {None, held.stage}
        ]
        states = [self.describe(ref) for ref in found]
        return [state for state in states if state.phase is not EndpointPhase.GONE]

    def marked(self) -> Iterator[Marked]:
        """List what carries Causeway's tags, of every run; the service filters by no value of a tag."""
        seen = set()
        for root in ROOTS:
            for held in self._resources.all(root):
                tags = _tags(held)
                name = tags.get("causeway-key")
                if name and tags.get("causeway-run") and name not in seen:
                    seen.add(name)
                    ref = _ref(held, name, int(tags.get("causeway-generation", "1")), adopted=True)
                    run_uid, stage = tags["causeway-run"], tags.get("causeway-stage", "")
                    yield Marked(ref, run_uid, stage, _created(held), KEPT_TAG in tags)

    def score(self, ref: EndpointRef, body: bytes) -> bytes:
        """See `EndpointService.score`."""
        return self._scoring.score(f"onlineEndpoints/{short_name(ref.name)}", DEPLOYMENT, body)

    def last_lines(self, ref: EndpointRef, tail: int) -> tuple[str, ...]:
        """Return what the server printed last; nothing of a deployment that never had a machine."""
        path = f"onlineEndpoints/{short_name(ref.name)}/deployments/{DEPLOYMENT}/getLogs"
        try:
            answer = self._resources.post(path, {"containerType": "InferenceServer", "tail": tail})
        except HttpResponseError as exc:
            if exc.status_code not in {400, 404}:
                raise
            return ()
        return tuple(str(answer.get("content") or "").splitlines()[-tail:])

    def _settled(self, path: str, request: JobRequest) -> bool:
        """Wait until the endpoint takes deployments; False when it never will, which `describe` tells."""
        limit = datetime.now(UTC) + request.timeout
        interval = self.first_poll_seconds
        while datetime.now(UTC) < limit:
            held = self._resources.get(path)
            status = _status(held) if held else "Deleting"
            if status not in serving_states.UNDER_WAY:
                return status == serving_states.SUCCEEDED
            rest(interval)
            interval = min(interval * 1.5, 15.0)
        return False

    def _once(self, path: str, body: hosting.Body) -> tuple[Resource, bool]:
        """Create it, and tell whether this call did; one that somebody else is creating is taken as it is."""
        try:
            return self._resources.put(path, body)
        except HttpResponseError as exc:
            held = self._resources.get(path) if exc.status_code in {400, 409} else None
            if held is None:
                raise
            return held, False

    def _left(self, name: str) -> list[str]:
        return [
            noun
            for root, noun in ROOTS.items()
            if self._resources.get(f"{root}/{short_name(name)}") is not None
        ]

    def _words(self, phase: EndpointPhase, *parts: tuple[str, Resource | None]) -> str:
        held = [(path, part) for path, part in parts if part is not None]
        if phase is EndpointPhase.FAILED:
            told = next((words for path, _ in reversed(held) if (words := self._resources.why(path))), "")
            if told:
                return scrub(told, limit=1500)
        if len(held) < len(parts) and phase is EndpointPhase.INCOMPLETE:
            return "the endpoint has no deployment"
        return _status(held[-1][1])


def endpoint_body(request: JobRequest, location: str) -> hosting.Body:
    """Return an endpoint that is asked with a key of its own; its identity reads the model for it."""
    return {
        "location": location,
        "tags": request.tags,
        "identity": {"type": "SystemAssigned"},
        "properties": {"authMode": "Key"},
    }


def deployment_body(request: JobRequest, location: str, instance: str, ids: tuple[str, str]) -> hosting.Body:
    """Return one machine that serves the model, given as long to become ready as the request has."""
    model, environment = ids
    # Rounded up, or Azure would give a server less than its stage does.
    patience = math.ceil(request.timeout.total_seconds() / PROBE_SECONDS)
    probe = {
        "initialDelay": f"PT{PROBE_SECONDS}S",
        "period": f"PT{PROBE_SECONDS}S",
        "timeout": "PT2S",
        "successThreshold": 1,
        "failureThreshold": patience,
    }
    return {
        "location": location,
        "tags": request.tags,
        "sku": {"name": "Default", "capacity": 1},
        "properties": {
            "endpointComputeType": "Managed",
            "instanceType": instance,
            "model": model,
            "environmentId": environment,
            "environmentVariables": dict(request.env),
            "livenessProbe": probe,
            "readinessProbe": probe,
            "requestSettings": {
                "requestTimeout": f"PT{ANSWER_SECONDS}S",
                "maxConcurrentRequestsPerInstance": REQUESTS_AT_ONCE,
            },
            "scaleSettings": {"scaleType": "Default"},
        },
    }


def _check(held: Resource, request: JobRequest) -> None:
    if _tags(held).get(DIGEST_TAG) != request.tags[DIGEST_TAG]:
        message = f"an endpoint for {request.name} exists in the workspace and asks for something else"
        raise failure(ErrorKind.TARGET_CONFLICT, message, ErrorDetail(cloud=CLOUD, ref=held["id"]))


def _status(held: Resource) -> str:
    return str(held["properties"].get("provisioningState") or "")


def _tags(held: Resource) -> dict[str, Any]:
    """Return the tags: beside the properties of what has a price, among those of what has none."""
    return held.get("tags") or held["properties"].get("tags") or {}


def _created(held: Resource) -> datetime | None:
    return time_of((held.get("systemData") or {}).get("createdAt"))


def _ref(held: Resource, name: str, generation: int, *, adopted: bool) -> EndpointRef:
    return EndpointRef(id=str(held["id"]), name=name, generation=generation, adopted=adopted)
