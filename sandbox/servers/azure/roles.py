"""Who may do what: role assignments of our one application, and the permissions that follow from them.

What stands here is what the reads of an account and its diagnostics are allowed or refused by. Changes are not: the
sandbox has no second application that could give the first one its rights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.azure.arm import GROUP_PATH, WORKSPACE_PATH, ArmError, Call, ResourceManager
from sandbox.servers.azure.documents import Documents

_ML = "Microsoft.MachineLearningServices/workspaces"
ROLES: dict[str, dict[str, list[str]]] = {
    # AzureML Data Scientist
    "f6c7c914-8db3-469d-8ca1-694a8f32e121": {
        "actions": [f"{_ML}/*/read", f"{_ML}/*/action", f"{_ML}/*/delete", f"{_ML}/*/write", f"{_ML}/read"],
        "notActions": [
            f"{_ML}/delete",
            f"{_ML}/write",
            f"{_ML}/computes/*/write",
            f"{_ML}/computes/*/delete",
        ],
    },
    # Reader
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": {"actions": ["*/read"], "notActions": []},
    # Contributor
    "b24988ac-6180-42a0-ab88-20f7382dd24c": {
        "actions": ["*"],
        "notActions": ["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"],
    },
    # Owner
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": {"actions": ["*"], "notActions": []},
}
"""https://learn.microsoft.com/azure/role-based-access-control/built-in-roles, from memory: the ids, and of the actions
those that are asked for here."""
_AUTHORIZATION = "providers/Microsoft.Authorization"
DATA_SCIENTIST, READER = list(ROLES)[:2]
SEEDED = {"roles/data-scientist": {"role": DATA_SCIENTIST}, "roles/reader": {"role": READER}}
"""What our application holds in a fresh sandbox."""


@dataclass(frozen=True)
class Roles:
    """The assignments at the resource group, which workspace and account inherit."""

    manager: ResourceManager
    kept: Documents

    def routes(self) -> list[Route]:
        """Assignments of the group; the caller's permissions on the workspace."""
        route = self.manager.route
        one = f"{GROUP_PATH}/{_AUTHORIZATION}/roleAssignments/{{name}}"
        return [
            route(one, "RoleAssignments.Create", self._put, method="PUT"),
            route(one, "RoleAssignments.Delete", self._delete, method="DELETE"),
            route(f"{WORKSPACE_PATH}/{_AUTHORIZATION}/permissions", "Permissions.List", self._list),
        ]

    def demand(self, call: Call, action: str) -> None:
        """Pass if the caller's roles allow the action.

        Raises:
            ArmError: 403, in the words of the resource manager.
        """
        if not any(_allowed(role, action) for role in self._held()):
            text = f"The client '{call.client_id}' does not have authorization to perform action '{action}'."
            raise ArmError(403, "AuthorizationFailed", text)

    def _held(self) -> list[dict[str, list[str]]]:
        return [ROLES[str(body["role"])] for body in self.kept.all("roles/").values()]

    def _list(self, call: Call) -> Response:
        more: dict[str, list[str]] = {"dataActions": [], "notDataActions": []}
        return JSONResponse({"value": [{**role, **more} for role in self._held()]})

    def _put(self, call: Call) -> Response:
        properties: dict[str, Any] = (call.body or {}).get("properties") or {}
        role = str(properties.get("roleDefinitionId", "")).rsplit("/", 1)[-1]
        if role not in ROLES:
            raise ArmError(
                400, "RoleDefinitionDoesNotExist", f"The specified role definition '{role}' does not exist."
            )
        self.kept.put(f"roles/{call.names['name']}", {"role": role})
        return JSONResponse({"name": call.names["name"], "properties": properties}, 201)

    def _delete(self, call: Call) -> Response:
        self.kept.delete(f"roles/{call.names['name']}")
        return Response(status_code=200)


def _allowed(role: dict[str, list[str]], action: str) -> bool:
    return any(_matches(pattern, action) for pattern in role["actions"]) and not any(
        _matches(pattern, action) for pattern in role["notActions"]
    )


def _matches(pattern: str, action: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) is not None
