"""Vertex AI's EndpointService over REST; a model server really runs behind each deployed model."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from google.protobuf import json_format
from starlette.routing import Route

from sandbox.servers.faults import Faults
from sandbox.servers.records import Record, Records
from sandbox.servers.vertex.checks import names_and_labels
from sandbox.servers.vertex.errors import GoogleError, wrong_fields
from sandbox.servers.vertex.gateway import Gateway, Handler
from sandbox.servers.vertex.messages import fill, request_parameters
from sandbox.servers.vertex.models import QUICK_SECONDS, Models, instant, labelled
from sandbox.servers.vertex.operations import Operations, shown
from sandbox.servers.vertex.vendor_types import (
    CreateEndpointRequest,
    DeployModelRequest,
    Endpoint,
    ListEndpointsRequest,
    UndeployModelRequest,
    UpdateEndpointRequest,
)

_ENDPOINT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")
_DEPLOYED_ID = re.compile(r"[0-9]{1,10}")
NO_MACHINE = "Machine type temporarily unavailable, please deploy with a different machine type or retry."
OPERATIONS = "projects/{part0}/locations/{part1}/%s/{part2}/operations"


Method = Callable[["EndpointMethods", str, dict[str, Any], dict[str, str]], dict[str, Any]]


def _alone(method: Method) -> Method:
    """A method that changes what it has read: one at a time."""

    @wraps(method)
    def alone(
        self: EndpointMethods, name: str, body: dict[str, Any], query: dict[str, str]
    ) -> dict[str, Any]:
        with self.lock:
            return method(self, name, body, query)

    return alone


class EndpointMethods:
    """All endpoints. A record holds the vendor's Endpoint and, by id, what is on its way to be deployed on it or off it."""

    def __init__(self, records: Records, operations: Operations, models: Models, faults: Faults) -> None:
        self.records = records
        self.lock = threading.RLock()
        """Held by whoever reads a record in order to change it."""
        self._operations = operations
        self._models = models
        self._faults = faults

    def routes(self, gateway: Gateway) -> list[Route]:
        """The routes of the vendor's generated client, answered by the methods below."""
        methods: dict[str, Handler] = {
            "CreateEndpoint": self.create,
            "GetEndpoint": self.get,
            "ListEndpoints": self.listed,
            "UpdateEndpoint": self.update,
            "DeleteEndpoint": self.delete,
            "DeployModel": self.deploy,
            "UndeployModel": self.undeploy,
        }
        shared = []
        for collection in ("endpoints", "models"):
            path = OPERATIONS % collection
            shared += [
                gateway.route("GET", path, "ListOperations", self._operations.listed),
                gateway.route("GET", f"{path}/{{part3}}", "GetOperation", self._operations.get),
                gateway.route("POST", f"{path}/{{part3}}:cancel", "CancelOperation", self.cancel),
            ]
        return [*gateway.routes("endpoint", methods), *shared]

    def create(self, parent: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Take an endpoint; of one id there is one."""
        wanted = fill(CreateEndpointRequest, {**request_parameters(query), "endpoint": body})
        violations = dict(names_and_labels(wanted.endpoint, "endpoint"))
        if wanted.endpoint_id and not _ENDPOINT_ID.fullmatch(wanted.endpoint_id):
            violations["endpoint_id"] = f"{wanted.endpoint_id!r} is no id of an endpoint."
        if violations:
            raise wrong_fields(violations)
        number, now = wanted.endpoint_id or str(time.time_ns()), time.time()
        name = f"{parent}/endpoints/{number}"
        endpoint = json_format.MessageToDict(wanted.endpoint) | {"name": name, "createTime": instant(now)}
        record = {"Endpoint": endpoint, "VisibleAt": now + QUICK_SECONDS, "Moving": {}, "Settled": False}
        if not self.records.add(number, record):
            raise GoogleError("ALREADY_EXISTS", f"The Endpoint already exists: {name}")
        return shown(self._operations.begin(name, "CreateEndpoint"))

    def get(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """The endpoint, once it is created."""
        return dict(self.known(name)["Endpoint"])

    def listed(self, parent: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """The endpoints that pass the filter."""
        request = fill(ListEndpointsRequest, request_parameters(query))
        found = [record["Endpoint"] for record in self.records.all() if record["VisibleAt"] <= time.time()]
        return {"endpoints": labelled(found, request.filter)}

    @_alone
    def update(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Change an endpoint's labels, the one field that is changed here."""
        asked = fill(UpdateEndpointRequest, {**request_parameters(query), "endpoint": body})
        if list(asked.update_mask.paths) != ["labels"]:
            raise wrong_fields({"update_mask": "The sandbox changes labels only."})
        endpoint: dict[str, Any] = self.known(name)["Endpoint"] | {"labels": dict(asked.endpoint.labels)}
        violations = dict(names_and_labels(fill(Endpoint, endpoint), "endpoint"))
        if violations:
            raise wrong_fields(violations)
        self.records.change(name.rsplit("/", 1)[1], Endpoint=endpoint)
        return endpoint

    @_alone
    def delete(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Forget an endpoint on which nothing is deployed."""
        record = self.known(name)
        if record["Moving"]:
            told = f"The Endpoint {name} has deployed or being-deployed DeployedModels; undeploy them first."
            raise GoogleError("FAILED_PRECONDITION", told)
        self.records.remove(name.rsplit("/", 1)[1])
        operation = self._operations.begin(name, "Delete")
        self._operations.end(operation["Name"])
        return shown(self._operations.known(operation["Name"]))

    @_alone
    def deploy(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Begin to deploy a model; its machine is started by whoever takes care of endpoints."""
        record, request = self.known(name), fill(DeployModelRequest, body)
        deployed = json_format.MessageToDict(request.deployed_model)
        _check_deployed(request.deployed_model)
        number = deployed.setdefault("id", str(time.time_ns())[-10:])
        if record["Moving"]:
            known = ", ".join(record["Moving"])
            why = "already exists" if number in record["Moving"] else f"would be one more beside {known}"
            status = "ALREADY_EXISTS" if number in record["Moving"] else "UNIMPLEMENTED"
            raise GoogleError(status, f"The DeployedModel {number} {why} on {name}.")
        model = self._models.known(deployed["model"])
        if self._faults.take("quota", deployed.get("displayName", "")):
            metric = "aiplatform.googleapis.com/custom_model_serving_cpus"
            told = f"The following quota metrics exceed quota limits: {metric}"
            raise GoogleError("RESOURCE_EXHAUSTED", told)
        operation = self._operations.begin(name, "DeployModel")
        if self._faults.take("capacity-job", deployed.get("displayName", "")):
            self._operations.end(operation["Name"], error={"code": 8, "message": NO_MACHINE})
            return shown(self._operations.known(operation["Name"]))
        id_of_operation = operation["Name"].rsplit("/", 1)[1]
        moving = {"State": "Deploying", "Deployed": deployed, "Model": model, "Operation": operation["Name"]}
        moving |= {"Since": time.time(), "Machine": f"endpoint-{name.rsplit('/', 1)[1]}-{id_of_operation}"}
        self._change(name, {number: moving})
        return shown(operation)

    @_alone
    def undeploy(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Begin to take a model off."""
        number = fill(UndeployModelRequest, body).deployed_model_id
        moving = self.known(name)["Moving"].get(number)
        if moving is None:
            raise GoogleError("NOT_FOUND", f"The DeployedModel {number} does not exist on {name}.")
        if moving["State"] != "Deployed":
            told = f"The DeployedModel {number} on {name} is being deployed or undeployed."
            raise GoogleError("FAILED_PRECONDITION", told)
        operation = self._operations.begin(name, "UndeployModel")
        self._change(
            name, {number: moving | {"State": "Undeploying", "Operation": operation["Name"]}}, deployed=[]
        )
        return shown(operation)

    @_alone
    def cancel(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Begin to cancel a deployment; any other operation goes on."""
        record = self._operations.known(name)
        for number, moving in self.known(record["Resource"])["Moving"].items():
            if moving["Operation"] == name and moving["State"] == "Deploying":
                error = {"code": 1, "message": "The operation was cancelled."}
                self._change(record["Resource"], {number: moving | {"State": "Failing", "Error": error}})
        return {}

    def known(self, name: str) -> Record:
        """The record of this resource name.

        Raises:
            GoogleError: `NOT_FOUND`.
        """
        record = self.records.get(name.rsplit("/", 1)[1])
        if record is None or record["Endpoint"]["name"] != name or record["VisibleAt"] > time.time():
            raise GoogleError("NOT_FOUND", f"The Endpoint does not exist: {name}")
        return record

    def _change(self, name: str, moving: dict[str, Any], **news: Any) -> None:
        number = name.rsplit("/", 1)[1]
        endpoint = self.known(name)["Endpoint"]
        if "deployed" in news:
            endpoint = {**endpoint, "deployedModels": news["deployed"]}
        self.records.change(number, Moving=moving, Endpoint=endpoint)


def in_use(records: Records, model: str) -> bool:
    """Whether a model is deployed anywhere, or on its way."""
    return any(
        moving["Deployed"]["model"] == model
        for record in records.all()
        for moving in record["Moving"].values()
    )


def _check_deployed(deployed: Any) -> None:
    violations = {}
    machine = deployed.dedicated_resources.machine_spec.machine_type
    if deployed.id and not _DEPLOYED_ID.fullmatch(deployed.id):
        violations["deployed_model.id"] = f"{deployed.id!r} is no id of a deployed model: 1-10 digits."
    if not machine:
        violations["deployed_model.dedicated_resources.machine_spec.machine_type"] = (
            "Required field is not set."
        )
    if deployed.dedicated_resources.min_replica_count != 1:
        violations["deployed_model.dedicated_resources.min_replica_count"] = "The sandbox has one replica."
    if violations:
        raise wrong_fields(violations)
