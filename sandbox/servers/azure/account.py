"""The storage account as the resource manager knows it: properties, blob service, lifecycle, diagnostic settings.

A fresh account says what is true of azurite and its front: TLS alone, shared keys taken, nothing encrypted at rest (the
member is missing), no versions, no soft delete, no diagnostics. What a PUT or PATCH says later is kept and told, no
more: azurite does not encrypt, refuse keys or keep versions for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.azure.arm import GROUP_PATH, ArmError, Call, ResourceManager
from sandbox.servers.azure.documents import Documents
from sandbox.servers.azure.workspace import LOCATION

ACCOUNT_PATH = f"{GROUP_PATH}/providers/Microsoft.Storage/storageAccounts/{{account}}"
SERVICE_PATH = f"{ACCOUNT_PATH}/blobServices/default"
DIAGNOSTICS = "providers/Microsoft.Insights/diagnosticSettings"
FRESH: dict[str, dict[str, Any]] = {
    "account": {
        "location": LOCATION,
        "properties": {
            "provisioningState": "Succeeded",
            "supportsHttpsTrafficOnly": True,
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": True,
        },
    },
    "service": {"properties": {"isVersioningEnabled": False, "deleteRetentionPolicy": {"enabled": False}}},
}


@dataclass(frozen=True)
class Account:
    """The one account, whose data is azurite's."""

    manager: ResourceManager
    kept: Documents

    def routes(self) -> list[Route]:
        """Reads, which need a right, and the changes that `az storage account update` and its like send."""
        route = self.manager.route
        setting = f"{SERVICE_PATH}/{DIAGNOSTICS}"
        policy = f"{ACCOUNT_PATH}/managementPolicies/default"
        named = {"named": "account"}
        return [
            route(ACCOUNT_PATH, "StorageAccounts.Get", self._get, **named),
            route(ACCOUNT_PATH, "StorageAccounts.Update", self._update, method="PATCH", **named),
            route(SERVICE_PATH, "BlobServices.Get", self._get_service, **named),
            route(SERVICE_PATH, "BlobServices.Set", self._set_service, method="PUT", **named),
            route(policy, "ManagementPolicies.Get", self._get_policy, **named),
            route(policy, "ManagementPolicies.Set", self._set_policy, method="PUT", **named),
            route(setting, "DiagnosticSettings.List", self._list_diagnostics, **named),
            route(f"{setting}/{{name}}", "DiagnosticSettings.Create", self._set_diagnostics, method="PUT"),
            route(
                f"{setting}/{{name}}", "DiagnosticSettings.Delete", self._delete_diagnostics, method="DELETE"
            ),
        ]

    def _get(self, call: Call) -> Response:
        self._admit(call, "Microsoft.Storage/storageAccounts/read")
        return self._told(call, "account", "")

    def _update(self, call: Call) -> Response:
        self._admit(call)
        self.kept.merge("account", _body(call))
        return self._told(call, "account", "")

    def _get_service(self, call: Call) -> Response:
        self._admit(call, "Microsoft.Storage/storageAccounts/blobServices/read")
        return self._told(call, "service", "/blobServices/default")

    def _set_service(self, call: Call) -> Response:
        self._admit(call)
        self.kept.merge("service", _body(call))
        return self._told(call, "service", "/blobServices/default")

    def _get_policy(self, call: Call) -> Response:
        self._admit(call, "Microsoft.Storage/storageAccounts/managementPolicies/read")
        if self.kept.get("policy") is None:
            raise ArmError(404, "ManagementPolicyNotFound", "No ManagementPolicy found for account.")
        return self._told(call, "policy", "/managementPolicies/default")

    def _set_policy(self, call: Call) -> Response:
        self._admit(call)
        self.kept.put("policy", _body(call))
        return self._told(call, "policy", "/managementPolicies/default")

    def _list_diagnostics(self, call: Call) -> Response:
        self._admit(call, "Microsoft.Insights/diagnosticSettings/read")
        found = self.kept.all("diagnostics/").items()
        return JSONResponse({"value": [{"name": key.partition("/")[2], **body} for key, body in found]})

    def _set_diagnostics(self, call: Call) -> Response:
        self._admit(call)
        name = call.names["name"]
        return JSONResponse({"name": name, **self.kept.put(f"diagnostics/{name}", _body(call))})

    def _delete_diagnostics(self, call: Call) -> Response:
        self._admit(call)
        self.kept.delete(f"diagnostics/{call.names['name']}")
        return Response(status_code=200)

    def _admit(self, call: Call, action: str = "") -> None:
        if action:
            self.manager.demand(call, action)
        asked = call.names["account"]
        if asked.lower() != self.manager.endpoints.blob_account.lower():
            text = f"The Resource 'Microsoft.Storage/storageAccounts/{asked}' was not found."
            raise ArmError(404, "ResourceNotFound", text)

    def _told(self, call: Call, key: str, below: str) -> Response:
        ours = self.manager.endpoints
        account = ACCOUNT_PATH.format(
            subscription=ours.azure_subscription_id,
            group=ours.azure_resource_group,
            account=ours.blob_account,
        )
        name = below.rsplit("/", 1)[-1] or ours.blob_account
        return JSONResponse({"id": account + below, "name": name, **(self.kept.get(key) or {})})


def _body(call: Call) -> dict[str, Any]:
    if not isinstance(call.body, dict) or not isinstance(call.body.get("properties", {}), dict):
        raise ArmError(400, "InvalidRequestContent", "The request content must be an object with properties.")
    return dict(call.body)
