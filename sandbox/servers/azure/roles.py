"""Roles of one's own and assignments, as the resource manager takes, keeps and tells them.

What follows from them is judged elsewhere (`rights`). Changes of them are not judged: the sandbox has no second application
that could give the first one its rights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.azure.arm import GROUP_PATH, WORKSPACE_PATH, ArmError, Call, ResourceManager
from sandbox.servers.azure.conditions import ConditionError, parse
from sandbox.servers.azure.rights import Rights

_AUTHORIZATION = "providers/Microsoft.Authorization"
_ACCOUNT = f"{GROUP_PATH}/providers/Microsoft.Storage/storageAccounts/{{account}}"
SCOPES = (
    GROUP_PATH,
    WORKSPACE_PATH,
    _ACCOUNT,
    f"{_ACCOUNT}/blobServices/default/containers/{{container}}",
)
"""Where a role may be assigned."""
_LISTS = ("actions", "notActions", "dataActions", "notDataActions")


@dataclass(frozen=True)
class Roles:
    """The routes of definitions and assignments."""

    manager: ResourceManager
    rights: Rights

    def routes(self) -> list[Route]:
        """Definitions, assignments at each scope, and the caller's permissions on the workspace."""
        route = self.manager.route
        definition = f"{GROUP_PATH}/{_AUTHORIZATION}/roleDefinitions/{{name}}"
        found = [
            route(definition, "RoleDefinitions.Create", self._define, method="PUT"),
            route(definition, "RoleDefinitions.Delete", self._undefine, method="DELETE"),
            route(f"{WORKSPACE_PATH}/{_AUTHORIZATION}/permissions", "Permissions.List", self._list),
        ]
        for scope in SCOPES:
            one = f"{scope}/{_AUTHORIZATION}/roleAssignments/{{name}}"
            found += [
                route(one, "RoleAssignments.Create", self._put, method="PUT"),
                route(one, "RoleAssignments.Delete", self._delete, method="DELETE"),
            ]
        return found

    def _define(self, call: Call) -> Response:
        properties: dict[str, Any] = (call.body or {}).get("properties") or {}
        permissions = properties.get("permissions") or []
        if len(permissions) != 1 or not properties.get("roleName") or not properties.get("assignableScopes"):
            text = "A role has a name, one set of permissions, and scopes that it may be assigned at."
            raise ArmError(400, "RoleDefinitionNotValid", text)
        held = {name: list(permissions[0].get(name) or []) for name in _LISTS}
        self.rights.kept.put(f"definitions/{call.names['name']}", {"permissions": held})
        return JSONResponse({"name": call.names["name"], "properties": properties}, 201)

    def _undefine(self, call: Call) -> Response:
        self.rights.kept.delete(f"definitions/{call.names['name']}")
        return Response(status_code=200)

    def _list(self, call: Call) -> Response:
        return JSONResponse({"value": self.rights.at(self.manager.workspace_id, call.principal)})

    def _put(self, call: Call) -> Response:
        properties: dict[str, Any] = (call.body or {}).get("properties") or {}
        role = str(properties.get("roleDefinitionId", "")).rsplit("/", 1)[-1]
        if self.rights.role(role) is None:
            raise ArmError(
                400, "RoleDefinitionDoesNotExist", f"The specified role definition '{role}' does not exist."
            )
        held = {"role": role, "scope": call.request.url.path.partition(f"/{_AUTHORIZATION}/")[0]}
        if properties.get("principalId"):
            held["principal"] = properties["principalId"]
        self.rights.kept.put(f"roles/{call.names['name']}", held | _condition_in(properties))
        return JSONResponse({"name": call.names["name"], "properties": properties}, 201)

    def _delete(self, call: Call) -> Response:
        self.rights.kept.delete(f"roles/{call.names['name']}")
        return Response(status_code=200)


def _condition_in(properties: dict[str, Any]) -> dict[str, str]:
    condition = str(properties.get("condition") or "")
    if not condition:
        return {}
    if properties.get("conditionVersion") != "2.0":
        raise ArmError(400, "ConditionVersionNotSupported", "The version of a condition is 2.0.")
    try:
        parse(condition)
    except ConditionError as exc:
        raise ArmError(400, "InvalidCondition", f"The condition cannot be read: {exc}.") from None
    return {"condition": condition}
