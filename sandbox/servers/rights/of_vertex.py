"""Which permissions Vertex AI's methods take: https://cloud.google.com/vertex-ai/docs/general/iam-permissions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.servers.rights.planted import Need, Thing

_VERBS = ("Create", "Get", "List", "Cancel", "Delete", "Upload", "Update")
_OF_ENDPOINTS = {"DeployModel": "deploy", "UndeployModel": "undeploy", "RawPredict": "predict"}
_OF_OPERATIONS = {"GetOperation": "get", "CancelOperation": "deploy"}
"""An operation is seen by who sees what it works on, and a deployment cancelled by who may deploy."""


def permission(method: str, resource: str) -> str:
    """Return the permission of a method: `ListCustomJobs` needs `aiplatform.customJobs.list`."""
    if method == "ListOperations":
        return "aiplatform.operations.list"
    if method in _OF_OPERATIONS:
        parts = resource.split("/")
        return f"aiplatform.{parts[4] if len(parts) > 4 else 'endpoints'}.{_OF_OPERATIONS[method]}"
    if method in _OF_ENDPOINTS:
        return f"aiplatform.endpoints.{_OF_ENDPOINTS[method]}"
    verb = next((verb for verb in _VERBS if method.startswith(verb)), method)
    noun = method.removeprefix(verb).removesuffix("s") or "endpoint"
    return f"aiplatform.{noun[:1].lower()}{noun[1:]}s.{verb.lower()}"


def needs(method: str, resource: str, body: dict[str, Any]) -> list[Need]:
    """Return what a request needs: of Vertex AI, and on each account that what it makes will run as."""
    place = "/".join(resource.split("/")[:2])
    thing = Thing(resource, "aiplatform.googleapis.com/Resource", (place,))
    return [
        Need(permission(method, resource), thing),
        *(Need("iam.serviceAccounts.actAs", account(email)) for email in sorted(set(_accounts(body)))),
    ]


def account(email: str) -> Thing:
    """A service account, as bindings know it."""
    return Thing(
        f"serviceAccounts/{email}", "iam.googleapis.com/ServiceAccount", (f"serviceAccounts/{email}",)
    )


def of_logs(project: str) -> list[Need]:
    """Return what reading a project's log takes."""
    place = f"projects/{project}"
    return [
        Need("logging.logEntries.list", Thing(place, "cloudresourcemanager.googleapis.com/Project", (place,)))
    ]


def _accounts(held: Any) -> Iterator[str]:
    if isinstance(held, list):
        for one in held:
            yield from _accounts(one)
    if isinstance(held, dict):
        for name, value in held.items():
            if name in ("serviceAccount", "service_account") and isinstance(value, str) and value:
                yield value
            else:
                yield from _accounts(value)
