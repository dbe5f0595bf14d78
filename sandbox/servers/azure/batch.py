"""Batch endpoints and their deployments: an invocation starts a pipeline job of one step, which runs the scoring script."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.azure import vendor
from sandbox.servers.azure.arm import WORKSPACE_PATH, ArmError, Call, ResourceManager, not_found, user_error
from sandbox.servers.azure.assets import Assets
from sandbox.servers.azure.models import Models
from sandbox.servers.azure.online import COMING_SECONDS, ENDPOINT_NAME
from sandbox.servers.azure.records import made_and_kept, now
from sandbox.servers.azure.workspace import COMPUTES
from sandbox.servers.records import Record, Records

BASE = f"{WORKSPACE_PATH}/batchEndpoints"
OPERATIONS = "locations/local/mfeBatchOperationsStatus"
DURATION = TypeAdapter(timedelta)


@dataclass(frozen=True)
class BatchEndpoints:
    """Endpoints by their name, deployments by `endpoint.deployment`; both take a moment to be there, and to go.

    Deleting an endpoint deletes its deployments and no job: https://learn.microsoft.com/cli/azure/ml/batch-endpoint.
    """

    manager: ResourceManager
    assets: Assets
    models: Models
    endpoints: Records
    deployments: Records

    def routes(self) -> list[Route]:
        """Both kinds of resource, and what became of a change."""
        route, one, below = self.manager.route, f"{BASE}/{{name}}", f"{BASE}/{{name}}/deployments"
        deployment, status = f"{below}/{{deployment}}", f"{WORKSPACE_PATH}/{OPERATIONS}/{{name}}"
        return [
            route(BASE, "BatchEndpoints.List", self._list, named="workspace"),
            route(one, "BatchEndpoints.Get", self._get),
            route(one, "BatchEndpoints.CreateOrUpdate", self._put, method="PUT"),
            route(one, "BatchEndpoints.Delete", self._delete, method="DELETE"),
            route(below, "BatchDeployments.List", self._list_deployments),
            route(deployment, "BatchDeployments.Get", self._get_deployment),
            route(deployment, "BatchDeployments.CreateOrUpdate", self._put_deployment, method="PUT"),
            route(deployment, "BatchDeployments.Delete", self._delete_deployment, method="DELETE"),
            route(status, "BatchOperations.GetStatus", self._operation),
        ]

    def known(self, name: str) -> Record:
        """The endpoint of this name.

        Raises:
            ArmError: 404, there is none.
        """
        record = _settled(self.endpoints, name)
        if record is None:
            raise not_found("workspaces/batchEndpoints", name)
        return record

    def deployment(self, endpoint: Record, name: str | None) -> Record:
        """The deployment of an endpoint that an invocation is for: the one that is named, or the endpoint's default.

        Raises:
            ArmError: 404, there is none that takes requests.
        """
        defaults = endpoint["body"]["properties"].get("defaults") or {}
        chosen = name or defaults.get("deploymentName") or ""
        record = _settled(self.deployments, f"{endpoint['name']}.{chosen}")
        if record is None or record["status"] != "Succeeded":
            raise not_found("workspaces/batchEndpoints/deployments", f"{endpoint['name']}/{chosen}")
        return record

    def _below(self, endpoint: str) -> list[Record]:
        found = [held for held in self.deployments.all() if held["endpoint"] == endpoint]
        return [held for held in found if _settled(self.deployments, held["key"])]

    def _list(self, call: Call) -> Response:
        held = [_settled(self.endpoints, record["key"]) for record in self.endpoints.all()]
        return JSONResponse({"value": [self._render(record) for record in held if record]})

    def _get(self, call: Call) -> Response:
        return JSONResponse(self._render(self.known(call.names["name"])))

    def _put(self, call: Call) -> Response:
        name = call.names["name"]
        _valid("BatchEndpoint", call, name)
        _settled(self.endpoints, name)
        record = _record(name, call, ("location", "tags", "identity", "properties"))
        if self.endpoints.add(name, record):
            return JSONResponse(self._render(record), 201, self._operation_of(name))
        held = self.known(name)
        if held["status"] == "Deleting":
            raise _busy(held)
        changed = self.endpoints.change(name, body=record["body"]) or held
        return JSONResponse(self._render(changed), 200, self._operation_of(name))

    def _delete(self, call: Call) -> Response:
        name = call.names["name"]
        if _settled(self.endpoints, name) is None:
            return Response(status_code=204)
        for held in self._below(name):
            _going(self.deployments, held["key"])
        _going(self.endpoints, name)
        return Response(status_code=202, headers=self._operation_of(name))

    def _list_deployments(self, call: Call) -> Response:
        found = self._below(self.known(call.names["name"])["name"])
        return JSONResponse({"value": [self._render(record) for record in found]})

    def _get_deployment(self, call: Call) -> Response:
        endpoint, name = self.known(call.names["name"]), call.names["deployment"]
        record = _settled(self.deployments, f"{endpoint['name']}.{name}")
        if record is None:
            raise not_found("workspaces/batchEndpoints", f"{endpoint['name']}/deployments/{name}")
        return JSONResponse(self._render(record))

    def _put_deployment(self, call: Call) -> Response:
        endpoint, name = self.known(call.names["name"]), call.names["deployment"]
        _valid("BatchDeployment", call, name)
        if endpoint["status"] != "Succeeded":
            raise _busy(endpoint)
        key, asked = f"{endpoint['name']}.{name}", call.body["properties"]
        record = _record(key, call, ("location", "tags", "properties")) | {
            "endpoint": endpoint["name"],
            "name": name,
            "place": self._checked(asked),
        }
        if self.deployments.add(key, record):
            return JSONResponse(self._render(record), 201, self._operation_of(key))
        held = _settled(self.deployments, key) or record
        if held["status"] != "Succeeded":
            raise _busy(held)
        changed = self.deployments.change(key, body=record["body"], place=record["place"]) or held
        return JSONResponse(self._render(changed), 200, self._operation_of(key))

    def _checked(self, asked: dict[str, Any]) -> str:
        """Pass if the sandbox can run what is asked, and return the place of its model."""
        code = asked.get("codeConfiguration") or {}
        if self.assets.find("codes", code.get("codeId") or "") is None:
            raise user_error(
                f"Code '{code.get('codeId')}' does not exist; only scoring scripts are offered.", "NotFound"
            )
        if self.assets.find("environments", asked.get("environmentId") or "") is None:
            raise user_error(f"Environment '{asked.get('environmentId')}' does not exist.", "NotFound")
        known = {f"{self.manager.workspace_id}/computes/{name}".lower() for name in COMPUTES}
        if str(asked.get("compute")).lower() not in known:
            raise user_error(
                f"Compute target '{asked.get('compute')}' is not found in the workspace.", "ComputeNotFound"
            )
        if ((asked.get("resources") or {}).get("instanceCount") or 1) != 1:
            raise user_error("Only deployments of one instance are offered by the sandbox.")
        timeout = (asked.get("retrySettings") or {}).get("timeout")
        if timeout and not 0 < DURATION.validate_python(timeout).total_seconds() <= 259_200:
            raise user_error("RetrySettings.Timeout must be in (0, 259200] seconds.")
        model = asked.get("model") or {}
        return self.models.place(model["assetId"]) if model else ""

    def _delete_deployment(self, call: Call) -> Response:
        key = f"{call.names['name']}.{call.names['deployment']}"
        if _settled(self.deployments, key) is None:
            return Response(status_code=204)
        _going(self.deployments, key)
        return Response(status_code=202, headers=self._operation_of(key))

    def _operation(self, call: Call) -> Response:
        key = call.names["name"].partition("--")[0]
        held = _settled(self.deployments if "." in key else self.endpoints, key)
        done = held is None or held["status"] == "Succeeded"
        # Without it the SDK looks again only after half a minute.
        return JSONResponse({"status": "Succeeded" if done else "InProgress"}, headers={"Retry-After": "1"})

    def _operation_of(self, key: str) -> dict[str, str]:
        base = f"{self.manager.endpoints.azure_url}{self.manager.workspace_id}/{OPERATIONS}"
        where = f"{base}/{key}--{uuid.uuid4().hex}?api-version=2024-04-01"
        return {"Azure-AsyncOperation": where, "Retry-After": "1"}

    def _render(self, record: Record) -> dict[str, Any]:
        more = {key: value for key, value in record["body"].items() if key != "properties" and value}
        properties = {"properties": {}, **record["body"]["properties"], "provisioningState": record["status"]}
        name = record["key"].replace(".", "/deployments/")
        if "." not in record["key"]:
            base = f"{self.manager.endpoints.azure_url}/mferp/managementfrontend{self.manager.workspace_id}"
            properties["scoringUri"] = f"{base}/batchEndpoints/{name}/jobs"
        system = made_and_kept(record["created"])
        return self.manager.resource("batchEndpoints", name, properties, **more, systemData=system)


def _record(key: str, call: Call, parts: tuple[str, ...]) -> Record:
    body = {part: call.body.get(part) for part in parts}
    soon = time.time() + COMING_SECONDS
    return {"key": key, "name": key, "body": body, "status": "Creating", "created": now(), "settles_at": soon}


def _settled(records: Records, key: str) -> Record | None:
    """The record as it stands by now; what has gone meanwhile is forgotten."""
    held = records.get(key)
    if held is None or held["status"] == "Succeeded" or time.time() < held["settles_at"]:
        return held
    if held["status"] == "Deleting":
        records.remove(key)
        return None
    return records.change(key, status="Succeeded")


def _going(records: Records, key: str) -> None:
    held = records.get(key)
    if held and held["status"] != "Deleting":
        records.change(key, status="Deleting", settles_at=time.time() + COMING_SECONDS)


def _valid(model: str, call: Call, name: str) -> None:
    if not ENDPOINT_NAME.fullmatch(name):
        raise user_error(f"'{name}' must match {ENDPOINT_NAME.pattern}.")
    found = vendor.problems(model, call.body)
    if found:
        raise user_error("; ".join(found))


def _busy(record: Record) -> ArmError:
    return ArmError(
        409, "Conflict", f"Already running method: {record['key']} is in state {record['status']}."
    )
