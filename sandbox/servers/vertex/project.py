"""What Resource Manager and Service Usage know of the sandbox's project: its policy, and what may be trained in it.

https://cloud.google.com/resource-manager/reference/rest/v3/projects and .../service-usage/docs/reference/rest/v1beta1
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import Endpoints
from sandbox.servers.rights.planted import Need, Rights, Thing
from sandbox.servers.vertex.errors import GoogleError
from sandbox.servers.vertex.gateway import denied
from sandbox.servers.vertex.messages import read_json
from sandbox.servers.vertex.tokens import CLOUD_PLATFORM, TokenOffice, require_caller

MANAGER, USAGE = "cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com"
VERTEX = "aiplatform.googleapis.com"
NOT_OF_EDITORS = ("setIamPolicy", "serviceAccountKeys.create")
Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Project:
    """One project; what a file says of it holds from the next request on."""

    def __init__(self, path: Path, office: TokenOffice, endpoints: Endpoints, rights: Rights) -> None:
        """Read the file at `path`, which need not exist, over what is so from the beginning."""
        self._path = path
        self._office = office
        self._rights = rights
        self._name = f"projects/{endpoints.gcp_project}"
        self._region = endpoints.gcp_location

    def routes(self) -> list[Route]:
        """The two methods of a project's policy, and the list of its quotas."""
        manager, quotas = f"/v3/{self._name}", f"/v1beta1/{self._name}/services/{VERTEX}/consumerQuotaMetrics"
        policy, quota = "resourcemanager.projects.getIamPolicy", "serviceusage.quotas.get"
        return [
            Route(
                f"{manager}:getIamPolicy",
                self._method(self.policy, MANAGER, policy),
                methods=["POST"],
                name="GetIamPolicy",
            ),
            Route(
                f"{manager}:testIamPermissions",
                self._method(self.tested, MANAGER, None),
                methods=["POST"],
                name="TestIamPermissions",
            ),
            Route(
                quotas,
                self._method(self.quotas, USAGE, quota),
                methods=["GET"],
                name="ListConsumerQuotaMetrics",
            ),
        ]

    def policy(self, _body: dict[str, Any]) -> dict[str, Any]:
        """The project's policy, with what of its data is logged."""
        return {"version": 1, "etag": "BwX=", **self._held()["policy"]}

    def tested(self, body: dict[str, Any]) -> dict[str, Any]:
        """Which of these permissions the caller has: by what was planted, else by the basic roles of the policy."""
        asked = list(body.get("permissions", []))
        if self._rights.planted:
            held = [name for name in asked if self._rights.has(Need(name, self._thing()))]
        else:
            held = [name for name in asked if self._by_role(name)]
        return {"permissions": held} if held else {}

    def quotas(self, _body: dict[str, Any]) -> dict[str, Any]:
        """Vertex AI's limits of custom training: a default of each, and the region's own."""
        return {
            "metrics": [
                _metric(self._name, name, limit, self._region)
                for name, limit in self._held()["quotas"].items()
            ]
        }

    def _by_role(self, permission: str) -> bool:
        member = f"serviceAccount:{self._office.email}"
        roles = {
            held["role"] for held in self._held()["policy"].get("bindings", []) if member in held["members"]
        }
        return "roles/owner" in roles or ("roles/editor" in roles and not permission.endswith(NOT_OF_EDITORS))

    def _method(
        self, answer: Answer, service: str, permission: str | None
    ) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            try:
                require_caller(request, self._office, service, frozenset({CLOUD_PLATFORM}))
                missing = self._rights.lacking([Need(permission, self._thing())] if permission else [])
                if missing:
                    raise denied(missing)
                body = read_json(await request.body()) if request.method == "POST" else {}
                return JSONResponse(answer(body))
            except GoogleError as refused:
                return refused.response()

        return respond

    def _thing(self) -> Thing:
        return Thing(self._name, f"{MANAGER}/Project", (self._name,))

    def _held(self) -> dict[str, Any]:
        logged = [{"logType": kind} for kind in ("ADMIN_READ", "DATA_READ", "DATA_WRITE")]
        usual = {
            "policy": {
                "bindings": [
                    {"role": "roles/aiplatform.user", "members": [f"serviceAccount:{self._office.email}"]}
                ],
                "auditConfigs": [{"service": "allServices", "auditLogConfigs": logged}],
            },
            "quotas": {"custom_model_training_cpus": 42, "custom_model_training_nvidia_t4_gpus": 1},
        }
        return {**usual, **json.loads(self._path.read_text())} if self._path.exists() else usual


def _metric(project: str, name: str, limit: int, region: str) -> dict[str, Any]:
    metric = f"{VERTEX}/{name}"
    buckets = [
        {"effectiveLimit": "0", "defaultLimit": "0"},
        {"effectiveLimit": str(limit), "defaultLimit": "0", "dimensions": {"region": region}},
    ]
    held = f"{project}/services/{VERTEX}/consumerQuotaMetrics/{VERTEX}%2F{name}"
    limits = {
        "name": f"{held}/limits/%2Fproject%2Fregion",
        "unit": "1/{project}/{region}",
        "metric": metric,
        "quotaBuckets": buckets,
    }
    return {"name": held, "metric": metric, "displayName": name, "consumerQuotaLimits": [limits]}
