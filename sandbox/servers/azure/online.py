"""Managed online endpoints and their deployments: behind each deployment a model server really runs."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.azure import vendor
from sandbox.servers.azure.arm import WORKSPACE_PATH, ArmError, Call, ResourceManager, not_found, user_error
from sandbox.servers.azure.assets import Assets
from sandbox.servers.azure.models import Models
from sandbox.servers.azure.records import made_and_kept, now
from sandbox.servers.faults import Faults
from sandbox.servers.machine import Fetch, Machines, MachineSpec
from sandbox.servers.records import Record, Records
from sandbox.servers.scoring import free_port

MOUNT = "/var/azureml-app/azureml-models"
"""Where the vendor mounts models; below it name, version and the last part of the model's path."""
SCRATCH = "/tmp/causeway-server"  # noqa: S108 (the container's own folder)
ENDPOINT_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{1,30}[a-zA-Z0-9]")
COMING_SECONDS = 0.3
"""How long an endpoint takes to be there; the vendor's takes a minute."""
UNDER_WAY = ("Creating", "Updating", "Deleting")
_BASE = f"{WORKSPACE_PATH}/onlineEndpoints"


@dataclass(frozen=True)
class Online:
    """Endpoints by their name, deployments by `endpoint.deployment`.

    An endpoint that is being made takes no deployment, as the vendor's: 409. Deleting one deletes what is below it.
    """

    manager: ResourceManager
    assets: Assets
    models: Models
    endpoints: Records
    deployments: Records
    operations: Records
    machines: Machines
    faults: Faults

    def routes(self) -> list[Route]:
        """Both kinds of resource, keys, logs, and what became of a change."""
        route, one, below = self.manager.route, f"{_BASE}/{{name}}", f"{_BASE}/{{name}}/deployments"
        deployment = f"{below}/{{deployment}}"
        status = f"{WORKSPACE_PATH}/locations/local/mfeOperationsStatus/{{name}}"
        return [
            route(_BASE, "OnlineEndpoints.List", self._list, named="workspace"),
            route(one, "OnlineEndpoints.Get", self._get),
            route(one, "OnlineEndpoints.CreateOrUpdate", self._put, method="PUT"),
            route(one, "OnlineEndpoints.Update", self._patch, method="PATCH"),
            route(one, "OnlineEndpoints.Delete", self._delete, method="DELETE"),
            route(f"{one}/listKeys", "OnlineEndpoints.ListKeys", self._keys, method="POST"),
            route(below, "OnlineDeployments.List", self._list_deployments),
            route(deployment, "OnlineDeployments.Get", self._get_deployment),
            route(deployment, "OnlineDeployments.CreateOrUpdate", self._put_deployment, method="PUT"),
            route(deployment, "OnlineDeployments.Delete", self._delete_deployment, method="DELETE"),
            route(f"{deployment}/getLogs", "OnlineDeployments.GetLogs", self._logs, method="POST"),
            route(status, "Operations.GetStatus", self._operation),
        ]

    def resume(self) -> None:
        """Start the machines of deployments that were accepted just before the server died."""
        for record in self.deployments.all():
            if record["status"] == "Creating":
                self._start(record)

    def below(self, endpoint: str) -> list[Record]:
        """The deployments of an endpoint."""
        return [record for record in self.deployments.all() if record["endpoint"] == endpoint]

    def stop(self, record: Record) -> None:
        """Begin to delete a deployment."""
        self.deployments.change(record["key"], status="Deleting")
        if self.machines.home(record["machine"]).exists():
            self.machines.stop(record["machine"], grace_seconds=2, deliver=False)

    def _list(self, call: Call) -> Response:
        return JSONResponse({"value": [self._render(record) for record in self.endpoints.all()]})

    def _get(self, call: Call) -> Response:
        return JSONResponse(self._render(self._known(call)))

    def _put(self, call: Call) -> Response:
        name = call.names["name"]
        _valid("OnlineEndpoint", call, name)
        record = {
            "name": name,
            "body": {key: call.body.get(key) for key in ("location", "tags", "identity", "properties")},
            "status": "Creating",
            "created": now(),
            "ready_at": time.time() + COMING_SECONDS,
            "key": secrets.token_urlsafe(24),
        }
        if self.endpoints.add(name, record):
            return JSONResponse(self._render(record), 201, self._operation_of(name))
        held = self._known(call)
        if held["status"] in UNDER_WAY:
            raise _busy(name, held["status"])
        return JSONResponse(self._render(self.endpoints.change(name, body=record["body"]) or held))

    def _patch(self, call: Call) -> Response:
        held = self._known(call)
        found = vendor.problems("PartialMinimalTrackedResourceWithIdentity", call.body)
        if found:
            raise user_error("; ".join(found))
        if held["status"] in UNDER_WAY:
            raise _busy(held["name"], held["status"])
        body = held["body"] | {part: call.body[part] for part in ("tags", "identity") if part in call.body}
        # The vendor's takes a while, too, and is under way until then.
        self.endpoints.change(
            held["name"], body=body, status="Updating", ready_at=time.time() + COMING_SECONDS
        )
        return Response(status_code=202, headers=self._operation_of(held["name"]))

    def _delete(self, call: Call) -> Response:
        held = self.endpoints.get(call.names["name"])
        if held is None:
            return Response(status_code=204)
        self.endpoints.change(held["name"], status="Deleting")
        for record in self.below(held["name"]):
            self.stop(record)
        return Response(status_code=202, headers=self._operation_of(held["name"]))

    def _keys(self, call: Call) -> Response:
        key = self._known(call)["key"]
        return JSONResponse({"primaryKey": key, "secondaryKey": key})

    def _list_deployments(self, call: Call) -> Response:
        found = self.below(self._known(call)["name"])
        return JSONResponse({"value": [self._render_deployment(record) for record in found]})

    def _get_deployment(self, call: Call) -> Response:
        return JSONResponse(self._render_deployment(self._known_deployment(call)))

    def _put_deployment(self, call: Call) -> Response:
        endpoint, name = self._known(call), call.names["deployment"]
        _valid("OnlineDeployment", call, name)
        if endpoint["status"] != "Succeeded":
            raise _busy(endpoint["name"], endpoint["status"])
        key, asked = f"{endpoint['name']}.{name}", call.body["properties"]
        if self.deployments.get(key) is not None:
            raise user_error(f"Deployment {name} cannot be changed in the sandbox.")
        self._check(asked, call.body)
        if self.faults.take("quota", endpoint["name"]):
            text = f"Not enough quota available for {asked['instanceType']} in SubscriptionId. Current usage/limit: 0/0."
            raise ArmError(400, "OutOfQuota", text)
        record = {
            "key": key,
            "endpoint": endpoint["name"],
            "name": name,
            "body": {part: call.body.get(part) for part in ("location", "tags", "sku", "properties")},
            "status": "Creating",
            "created": now(),
            "created_at": time.time(),
            # A name may be used again once it is deleted; a machine's may not.
            "machine": f"endpoint-{endpoint['name']}-{name}-{int(time.time() * 1000)}",
            "port": free_port(),
            "place": self.models.place(asked["model"]),
        }
        if not self.deployments.add(key, record):
            raise _busy(name, "Creating")
        self._start(record)
        return JSONResponse(self._render_deployment(record), 201, self._operation_of(key))

    def _check(self, asked: dict[str, Any], body: dict[str, Any]) -> None:
        if asked.get("endpointComputeType") != "Managed" or (body.get("sku") or {}).get("capacity") != 1:
            raise user_error("Only managed deployments of one instance are offered by the sandbox.")
        if not asked.get("instanceType"):
            raise user_error("InstanceType is required.")
        environment = self.assets.find("environments", asked.get("environmentId") or "")
        if environment is None:
            raise user_error(f"Environment '{asked.get('environmentId')}' does not exist.", "NotFound")
        if not environment.get("inferenceConfig"):
            raise user_error("The environment has no inferenceConfig, and the deployment no scoring script.")

    def _delete_deployment(self, call: Call) -> Response:
        record = self.deployments.get(f"{call.names['name']}.{call.names['deployment']}")
        if record is None:
            return Response(status_code=204)
        if record["status"] != "Deleting":
            self.stop(record)
        return Response(status_code=202, headers=self._operation_of(record["key"]))

    def _logs(self, call: Call) -> Response:
        record, asked = self._known_deployment(call), call.body or {}
        found = vendor.problems("DeploymentLogsRequest", asked)
        if found:
            raise user_error("; ".join(found))
        path = self.machines.log(record["machine"])
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return JSONResponse({"content": "\n".join(lines[-int(asked.get("tail") or 500) :])})

    def _operation(self, call: Call) -> Response:
        record = self.operations.get(call.names["name"])
        held = record and (self.deployments.get(record["of"]) or self.endpoints.get(record["of"]))
        if not held:
            return JSONResponse({"status": "Succeeded"})
        status = "InProgress" if held["status"] in UNDER_WAY else held["status"]
        error = {"error": held["error"]} if held.get("error") else {}
        return JSONResponse({"status": status, **error})

    def _operation_of(self, key: str) -> dict[str, str]:
        name = uuid.uuid4().hex
        self.operations.add(name, {"of": key})
        base = f"{self.manager.endpoints.azure_url}{self.manager.workspace_id}"
        where = f"{base}/locations/local/mfeOperationsStatus/{name}?api-version=2024-04-01"
        return {"Azure-AsyncOperation": where, "Retry-After": "1"}

    def _known(self, call: Call) -> Record:
        record = self.endpoints.get(call.names["name"])
        if record is None:
            raise not_found("workspaces/onlineEndpoints", call.names["name"])
        return record

    def _known_deployment(self, call: Call) -> Record:
        key = f"{call.names['name']}.{call.names['deployment']}"
        record = self.deployments.get(key)
        if record is None:
            raise not_found("workspaces/onlineEndpoints", key.replace(".", "/deployments/"))
        return record

    def _render(self, record: Record) -> dict[str, Any]:
        uri = f"{self.manager.endpoints.azure_url}/inference/{record['name']}/score"
        properties = {
            "properties": {},
            **record["body"]["properties"],
            "provisioningState": record["status"],
            "scoringUri": uri,
            "traffic": {},
        }
        return self._resource(record["name"], record, properties)

    def _render_deployment(self, record: Record) -> dict[str, Any]:
        properties = {"properties": {}, **record["body"]["properties"], "provisioningState": record["status"]}
        return self._resource(f"{record['endpoint']}/deployments/{record['name']}", record, properties)

    def _resource(self, name: str, record: Record, properties: dict[str, Any]) -> dict[str, Any]:
        more = {key: value for key, value in record["body"].items() if key != "properties" and value}
        return self.manager.resource(
            "onlineEndpoints", name, properties, **more, systemData=made_and_kept(record["created"])
        )

    def _start(self, record: Record) -> None:
        home = self.machines.home(record["machine"])
        asked = record["body"]["properties"]
        found = re.search(r"/models/([^/]+)/versions/([^/]+)$", asked["model"])
        below = "/".join(found.groups()) if found else "model/1"
        last = record["place"].rstrip("/").rsplit("/", 1)[-1]
        self.machines.start(record["machine"], server_spec(record, str(home), below, last))


def server_spec(record: Record, home: str, below: str, last: str) -> MachineSpec:
    """The machine of a deployment: the sandbox's one image starts `serve.sh` of the model it finds."""
    return MachineSpec(
        argv=["/bin/sh", f"{MOUNT}/{below}/{last}/serve.sh"],
        env={
            **(record["body"]["properties"].get("environmentVariables") or {}),
            "AZUREML_MODEL_DIR": f"{MOUNT}/{below}",
            "PORT": str(record["port"]),
        },
        cwd="wd",
        folders=["wd"],
        fetch=[Fetch(record["place"], f"{home}/models/{below}/{last}")],
        rewrite={MOUNT: f"{home}/models", SCRATCH: f"{home}/server"},
        stop_grace_seconds=2,
    )


def _valid(model: str, call: Call, name: str) -> None:
    if not ENDPOINT_NAME.fullmatch(name):
        raise user_error(f"'{name}' must match {ENDPOINT_NAME.pattern}.")
    found = vendor.problems(model, call.body)
    if found:
        raise user_error("; ".join(found))


def _busy(name: str, status: str) -> ArmError:
    return ArmError(409, "Conflict", f"Already running method: {name} is in state {status}.")
