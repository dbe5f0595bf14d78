"""What every call to the resource manager shares: bearer token, path, version, the form of errors."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import Endpoints
from sandbox.servers.azure.conditions import Act
from sandbox.servers.azure.entra import MACHINE_LEARNING, MANAGEMENT
from sandbox.servers.azure.rights import Asked, Rights
from sandbox.servers.azure.tokens import TokenAuthority

PROVIDER = "Microsoft.MachineLearningServices"
GROUP_PATH = "/subscriptions/{subscription}/resourceGroups/{group}"
WORKSPACE_PATH = GROUP_PATH + f"/providers/{PROVIDER}/workspaces/{{workspace}}"
HISTORY_PREFIX = "/history/v1.0"
DATA_PREFIX = "/mferp/managementfrontend"
"""Of batch jobs, which are part of the workspace and not of the resource manager."""
_VERBS = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}
_UNJUDGED = re.compile(r"/providers/Microsoft\.Authorization/|/locations/")
"""Changes of rights, since nobody else is here to make them; and what the vendor asks about at the subscription."""
AUDIENCES = {"/history/": [MANAGEMENT, MACHINE_LEARNING], "/mferp/": [MACHINE_LEARNING]}
"""Whom tokens for the workspace's data plane are for, by its path."""

_logger = logging.getLogger(__name__)


class ArmError(Exception):
    """An answer other than success, in the vendor's words."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        """`more` joins code and message in the error's body."""
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more

    def response(self) -> Response:
        """The answer that says so."""
        body = {"error": {"code": self.code, "message": self.message, **self.more}}
        headers = {"x-ms-request-id": str(uuid.uuid4())}
        if self.status == 401:
            headers["WWW-Authenticate"] = (
                f'Bearer realm="", error="invalid_token", error_description="{self.code}"'
            )
        return JSONResponse(body, self.status, headers)


def user_error(message: str, *inner: str) -> ArmError:
    """A 400 of the machine learning service, which calls all that a caller did wrong a `UserError`.

    `inner` are the codes of the nested inner errors, the outermost first.
    """
    nested: dict[str, Any] | None = None
    for code in reversed(inner or ("BadArgument",)):
        nested = {"code": code, "innerError": nested}
    return ArmError(400, "UserError", message, innerError=nested)


def not_found(kind: str, name: str) -> ArmError:
    """The 404 the resource manager gives for a resource that does not exist."""
    return ArmError(404, "ResourceNotFound", f"The Resource '{PROVIDER}/{kind}/{name}' was not found.")


@dataclass(frozen=True)
class Call:
    """One verified call: who asks, what for, and with which body."""

    request: Request
    client_id: str
    principal: str
    body: Any = None
    names: dict[str, str] = field(default_factory=dict)
    """The path's parameters."""


Handler = Callable[[Call], Response]


@dataclass(frozen=True)
class ResourceManager:
    """The gate before every handler, and the naming of resources."""

    endpoints: Endpoints
    authority: TokenAuthority
    rights: Rights

    @property
    def workspace_id(self) -> str:
        """The ARM id all other resources begin with."""
        return WORKSPACE_PATH.format(
            subscription=self.endpoints.azure_subscription_id,
            group=self.endpoints.azure_resource_group,
            workspace=self.endpoints.azure_workspace,
        )

    def resource(self, kind: str, name: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The envelope of a child of the workspace. `name` may hold a path: `x/versions/1`."""
        parts = name.split("/")
        types = "/".join([kind, *parts[1::2]])
        return {
            "id": f"{self.workspace_id}/{kind}/{name}",
            "name": parts[-1],
            "type": f"{PROVIDER}/workspaces/{types}",
            "properties": properties,
            **more,
        }

    def route(
        self, path: str, operation: str, handle: Handler, *, method: str = "GET", named: str = "name"
    ) -> Route:
        """A route that verifies token, version and path, then runs `handle` in a thread.

        `operation` names it for journal and faults; the path parameter `named` is the journal's resource.
        """

        async def serve(request: Request) -> Response:
            request.state.resource = request.path_params.get(named)
            try:
                claims = self._authenticate(request)
                self._check_path(request)
                who = str(claims["appid"]), str(claims["oid"])
                call = Call(request, *who, _json(await request.body()), dict(request.path_params))
                if action := action_of(method, path):
                    self.demand(call, action)
                return await run_in_threadpool(handle, call)
            except ArmError as exc:
                return exc.response()
            except Exception:
                _logger.exception("%s failed", operation)
                return ArmError(
                    500, "InternalServerError", "Received a failed response; see the log."
                ).response()

        return Route(path, serve, methods=[method], name=operation)

    def demand(self, call: Call, action: str) -> None:
        """Pass if the caller may do this to the resource of the path.

        Raises:
            ArmError: 403, in the words of the resource manager.
        """
        scope = call.request.url.path.removeprefix(HISTORY_PREFIX).removeprefix(DATA_PREFIX)
        if not self.rights.allows(Asked(call.principal, scope, Act(action))):
            text = f"The client '{call.client_id}' does not have authorization to perform action '{action}'"
            raise ArmError(403, "AuthorizationFailed", f"{text} over scope '{scope}'.")

    def _authenticate(self, request: Request) -> dict[str, Any]:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            text = "Authentication failed. The 'Authorization' header is missing or is not a bearer token."
            raise ArmError(401, "AuthenticationFailed", text)
        audiences = next(
            (known for place, known in AUDIENCES.items() if request.url.path.startswith(place)), [MANAGEMENT]
        )
        try:
            return self.authority.verify(token, audiences)
        except jwt.ExpiredSignatureError:
            raise ArmError(
                401, "ExpiredAuthenticationToken", "The access token expiry is in the past."
            ) from None
        except jwt.InvalidAudienceError:
            text = f"The access token has been obtained for the wrong audience: '{audiences[0]}' is expected."
            raise ArmError(401, "InvalidAuthenticationTokenAudience", text) from None
        except jwt.InvalidTokenError as exc:
            text = f"The access token is invalid: {exc}"
            raise ArmError(401, "InvalidAuthenticationToken", text) from None

    def _check_path(self, request: Request) -> None:
        names, ours = request.path_params, self.endpoints
        # The run history is not part of the resource manager and knows no api-version.
        if request.url.path.startswith("/subscriptions/") and "api-version" not in request.query_params:
            text = "The api-version query parameter (?api-version=) is required for all requests."
            raise ArmError(400, "MissingApiVersionParameter", text)
        if names["subscription"].lower() != ours.azure_subscription_id.lower():
            text = f"The subscription '{names['subscription']}' could not be found."
            raise ArmError(404, "SubscriptionNotFound", text)
        if names["group"].lower() != ours.azure_resource_group.lower():
            text = f"Resource group '{names['group']}' could not be found."
            raise ArmError(404, "ResourceGroupNotFound", text)
        if "workspace" in names and names["workspace"].lower() != ours.azure_workspace.lower():
            raise not_found("workspaces", names["workspace"])


def action_of(method: str, path: str) -> str:
    """The action that a request takes by the resource manager's own rule: the types of its path, and a verb.

    Nothing for a path that is judged elsewhere, or not at all.
    """
    below = path.removeprefix(HISTORY_PREFIX).removeprefix(DATA_PREFIX)
    if not below.startswith(WORKSPACE_PATH) or _UNJUDGED.search(path):
        return ""
    if path.startswith(HISTORY_PREFIX):
        # https://learn.microsoft.com/azure/machine-learning/how-to-assign-roles#mlflow-operations
        return f"{PROVIDER}/workspaces/experiments/runs/{'write' if method == 'PATCH' else 'read'}"
    if "/cancelOperations/" in path:
        return f"{PROVIDER}/workspaces/jobs/operationresults/read"
    parts = path.partition(f"/providers/{PROVIDER}/")[2].split("/")
    # A job is made by posting to a list of them.
    verb = "write" if path.startswith(DATA_PREFIX) and method == "POST" else _VERBS[method]
    return "/".join([PROVIDER, *parts[::2], verb])


def _json(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as exc:
        text = f"The request content was invalid and could not be deserialized: '{exc}'."
        raise ArmError(400, "InvalidRequestContent", text) from None
