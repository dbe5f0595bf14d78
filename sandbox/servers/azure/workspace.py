"""The workspace around the jobs: cloud metadata, discovery, computes and datastores. All of it is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import CONTAINER
from sandbox.servers.azure.arm import WORKSPACE_PATH, ArmError, Call, ResourceManager, not_found
from sandbox.servers.azure.entra import CLOUD_SUFFIX

COMPUTES = {"cpu-cluster": "STANDARD_D2S_V3"}
DATASTORES = ("workspaceblobstore", "causeway")
LOCATION = "local"


@dataclass(frozen=True)
class Workspace:
    """One workspace with one cluster; both datastores are the container `causeway` of the Blob account."""

    manager: ResourceManager

    def routes(self) -> list[Route]:
        """Cloud metadata, the workspace, computes, datastores."""
        route, base = self.manager.route, WORKSPACE_PATH
        secrets = f"{base}/datastores/{{name}}/listSecrets"
        return [
            Route("/metadata/endpoints", self._metadata, name="Cloud.Metadata"),
            Route("/discovery", self._discovery, name="Workspaces.Discovery"),
            route(base, "Workspaces.Get", self._get, named="workspace"),
            route(f"{base}/computes", "Compute.List", self._list_computes),
            route(f"{base}/computes/{{name}}", "Compute.Get", self._get_compute),
            route(f"{base}/datastores", "Datastores.List", self._list_datastores),
            route(f"{base}/datastores/{{name}}", "Datastores.Get", self._get_datastore),
            route(secrets, "Datastores.ListSecrets", self._list_secrets, method="POST"),
        ]

    async def _metadata(self, request: Request) -> Response:
        base = f"{self.manager.endpoints.azure_url}/"
        cloud = {
            "name": "CausewaySandbox",
            "portal": f"https://portal.sandbox.{CLOUD_SUFFIX}/",
            "resourceManager": base,
            "authentication": {"loginEndpoint": base, "audiences": [base], "tenant": "common"},
            "suffixes": {"storage": "core.windows.net"},
        }
        return JSONResponse([cloud])

    async def _discovery(self, request: Request) -> Response:
        base = self.manager.endpoints.azure_url
        return JSONResponse({"api": base, "history": base, "mlflow": base, "studio": f"{base}/studio"})

    def _get(self, call: Call) -> Response:
        ours = self.manager.endpoints
        storage = f"/subscriptions/{ours.azure_subscription_id}/resourceGroups/{ours.azure_resource_group}"
        storage += f"/providers/Microsoft.Storage/storageAccounts/{ours.blob_account}"
        properties = {
            "workspaceId": ours.azure_subscription_id,
            "friendlyName": ours.azure_workspace,
            "discoveryUrl": f"{ours.azure_url}/discovery",
            "storageAccount": storage,
            "provisioningState": "Succeeded",
        }
        return JSONResponse(
            {
                "id": self.manager.workspace_id,
                "name": ours.azure_workspace,
                "type": "Microsoft.MachineLearningServices/workspaces",
                "location": LOCATION,
                "identity": {"type": "SystemAssigned"},
                "properties": properties,
            }
        )

    def _compute(self, name: str) -> dict[str, Any]:
        if name not in COMPUTES:
            raise not_found("workspaces/computes", name)
        properties = {
            "computeType": "AmlCompute",
            "provisioningState": "Succeeded",
            "properties": {
                "vmSize": COMPUTES[name],
                "vmPriority": "Dedicated",
                "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 4},
            },
        }
        return self.manager.resource("computes", name, properties, location=LOCATION)

    def _get_compute(self, call: Call) -> Response:
        return JSONResponse(self._compute(call.names["name"]))

    def _list_computes(self, call: Call) -> Response:
        return JSONResponse({"value": [self._compute(name) for name in COMPUTES]})

    def _datastore(self, name: str) -> dict[str, Any]:
        if name not in DATASTORES:
            raise not_found("workspaces/datastores", name)
        properties = {
            "datastoreType": "AzureBlob",
            "accountName": self.manager.endpoints.blob_account,
            "containerName": CONTAINER,
            "endpoint": "core.windows.net",
            "protocol": "https",
            "isDefault": name == DATASTORES[0],
            "credentials": {"credentialsType": "None"},
        }
        return self.manager.resource("datastores", name, properties)

    def _get_datastore(self, call: Call) -> Response:
        return JSONResponse(self._datastore(call.names["name"]))

    def _list_datastores(self, call: Call) -> Response:
        return JSONResponse({"value": [self._datastore(name) for name in DATASTORES]})

    def _list_secrets(self, call: Call) -> Response:
        # The datastores are identity-based: the account's key is handed to nobody.
        self._datastore(call.names["name"])
        raise ArmError(
            400, "UserError", f"Datastore {call.names['name']} is identity-based and holds no secrets."
        )
