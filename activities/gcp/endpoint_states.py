"""Where an endpoint of Vertex AI stands: an endpoint has no state, so its operations and deployed models tell."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.gcp.operations import Step
from activities.gcp.states import REASON_OF_CODE
from contracts.endpoints import EndpointPhase, EndpointRef, EndpointState
from contracts.errors import ErrorKind

PHASE_OF_STEP = {
    "CreateEndpoint": EndpointPhase.CREATING,
    "DeployModel": EndpointPhase.CREATING,
    "UndeployModel": EndpointPhase.DELETING,
    "Delete": EndpointPhase.DELETING,
}
"""What it means that such an operation goes on; others, such as a change of traffic, mean nothing."""
KIND_OF_REASON = {
    ErrorKind.CAPACITY: ErrorKind.CAPACITY,
    ErrorKind.ACCESS_DENIED: ErrorKind.ACCESS_DENIED,
    ErrorKind.TIMED_OUT: ErrorKind.TIMED_OUT,
    ErrorKind.INVALID_REQUEST: ErrorKind.INVALID_REQUEST,
}
"""Reasons of a failed deployment that are not the server's own; by any other it was not healthy."""
SETTLING = timedelta(minutes=1)
"""So old an endpoint may be before one that nothing was asked of is taken for a rest."""


def endpoint_state(ref: EndpointRef, endpoint: Any, steps: Sequence[Step]) -> EndpointState:
    """Return the state of an Endpoint of the SDK and its operations, oldest first."""
    now = datetime.now(UTC)
    created = moment(endpoint.create_time)
    phase, message, reason = _phase(endpoint, steps, now - (created or now))
    return EndpointState(
        ref=ref, phase=phase, message=message, reason=reason, created_at=created, last_seen=now
    )


def served(endpoint: Any, steps: Sequence[Step]) -> bool:
    """Whether a model was deployed or is being deployed, however that went."""
    return bool(endpoint.deployed_models) or any(step.kind == "DeployModel" for step in steps)


def _phase(
    endpoint: Any, steps: Sequence[Step], age: timedelta
) -> tuple[EndpointPhase, str, ErrorKind | None]:
    running = [PHASE_OF_STEP[step.kind] for step in steps if not step.done and step.kind in PHASE_OF_STEP]
    for phase in (EndpointPhase.DELETING, EndpointPhase.CREATING):
        if phase in running:
            return phase, "", None
    if endpoint.deployed_models:
        return EndpointPhase.READY, "", None
    last = next((step for step in reversed(steps) if step.kind in ("DeployModel", "UndeployModel")), None)
    if last is not None and last.kind == "DeployModel" and last.code:
        code = REASON_OF_CODE.get(last.code, ErrorKind.JOB_FAILED)
        return EndpointPhase.FAILED, last.message, KIND_OF_REASON.get(code, ErrorKind.JOB_FAILED)
    if last is None and age < SETTLING:
        return EndpointPhase.CREATING, "", None
    return EndpointPhase.INCOMPLETE, "no model is deployed on it", None


def moment(value: Any) -> datetime | None:
    """Return a time of the SDK in UTC."""
    return None if value is None else datetime.fromtimestamp(value.timestamp(), UTC)
