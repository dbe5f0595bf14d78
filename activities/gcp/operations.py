"""Vertex AI's long-running operations: what was begun on a resource, and how it went.

They are asked for over HTTP, as Google documents it: the SDK's own methods choose paths below `/ui/` over REST.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.api_core.exceptions import NotFound, from_http_response
from google.auth.transport.requests import AuthorizedSession

from activities.gcp.errors import CLOUD
from activities.gcp.states import REASON_OF_CODE
from activities.stopping import rest
from contracts.errors import ErrorDetail, ErrorKind, failure

PATIENCE_SECONDS = 120.0
"""How long something quick, such as an upload of a model, is waited for here; then Temporal tries again."""
NEEDS = {"request": ("aiplatform.models.get",)}
"""To see how an operation goes takes what it takes to see what it works on."""
NEEDS_OF_ENDPOINTS = {
    "request": ("aiplatform.endpoints.get", "aiplatform.endpoints.deploy", "aiplatform.operations.list")
}
"""A deployment is cancelled by whoever may deploy. What listing takes Google's table does not say; the last is named for it."""
_SOON_SECONDS = 5.0
_TIMEOUT = (5.0, 20.0)
_PAUSE_SECONDS = 0.3
_SUFFIX = "OperationMetadata"


@dataclass(frozen=True)
class Step:
    """One operation on a resource."""

    name: str
    kind: str
    """What was asked for: `DeployModel`, `UndeployModel`, `CreateEndpoint`, `Delete`."""
    done: bool
    began_at: datetime
    code: int = 0
    """`google.rpc.Code` of its failure; 0 while it runs and once it has succeeded."""
    message: str = ""


class Operations:
    """The operations of one region."""

    def __init__(self, session: AuthorizedSession, address: str) -> None:
        """Ask at this address, with the session's identity."""
        self._session = session
        self._address = address

    def of(self, resource: str) -> list[Step]:
        """Return what Vertex AI knows of a resource, oldest first; of one that is gone nothing."""
        found: list[Step] = []
        page = ""
        try:
            while True:
                answer = self._ask("GET", f"{resource}/operations", {"pageToken": page} if page else {})
                found += map(step_of, answer.get("operations", []))
                page = answer.get("nextPageToken", "")
                if not page:
                    break
        except NotFound:
            return []
        return sorted(found, key=lambda step: (step.began_at, step.name))

    def finished(self, name: str, ref: str) -> None:
        """Return once an operation has succeeded.

        Raises:
            ApplicationError: it failed, by the code of its error; or `UNAVAILABLE`, it goes on for longer than is waited here.
            CancelledError: the activity was cancelled.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            step = step_of(self._ask("GET", name))
            detail = ErrorDetail(cloud=CLOUD, ref=ref, code=str(step.code or ""))
            if step.code:
                raise failure(kind_of(step.code), f"Vertex AI, {ref}: {step.message}", detail)
            if step.done:
                return
            if time.monotonic() > until:
                raise failure(ErrorKind.UNAVAILABLE, f"{ref}: Vertex AI still works at {step.kind}", detail)
            rest(_PAUSE_SECONDS)

    def cancel(self, name: str) -> None:
        """Ask for an operation's end; Google does its best, and its state tells whether that was enough."""
        self._ask("POST", f"{name}:cancel")

    def _ask(self, method: str, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        url = f"{self._address}/v1/{path}"
        answer = self._session.request(method, url, params=query, timeout=_TIMEOUT)  # type: ignore[no-untyped-call] # no types
        if not answer.ok:
            raise from_http_response(answer)  # type: ignore[no-untyped-call] # the SDK has no types
        told: dict[str, Any] = answer.json()
        return told


def soon(look: Callable[[], Any | None]) -> Any | None:
    """Return what somebody else is creating right now, once it can be seen; None when that takes long."""
    until = time.monotonic() + _SOON_SECONDS
    while (found := look()) is None and time.monotonic() < until:
        rest(_PAUSE_SECONDS)
    return found


def step_of(operation: Mapping[str, Any]) -> Step:
    """Read an operation; its metadata's type says what was asked for."""
    metadata, error = operation.get("metadata", {}), operation.get("error", {})
    began = metadata.get("genericMetadata", {}).get("createTime")
    return Step(
        name=operation["name"],
        kind=metadata.get("@type", "").rpartition(".")[2].removesuffix(_SUFFIX),
        done=operation.get("done", False),
        began_at=datetime.fromisoformat(began) if began else datetime.fromtimestamp(0, UTC),
        code=error.get("code", 0),
        message=error.get("message", ""),
    )


def kind_of(code: int) -> ErrorKind:
    """Return the kind of a failed upload or creation; where Google lost something it may be tried again."""
    kind = REASON_OF_CODE.get(code, ErrorKind.JOB_FAILED)
    kinds = {ErrorKind.PREEMPTED: ErrorKind.UNAVAILABLE, ErrorKind.JOB_FAILED: ErrorKind.INVALID_REQUEST}
    return kinds.get(kind, kind)
