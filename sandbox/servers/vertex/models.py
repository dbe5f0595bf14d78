"""Vertex AI's ModelService over REST: upload, get, list, delete. A model is visible once its upload is over."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from starlette.routing import Route

from sandbox.servers.records import Records
from sandbox.servers.vertex import filters
from sandbox.servers.vertex.checks import names_and_labels
from sandbox.servers.vertex.errors import GoogleError, wrong_fields
from sandbox.servers.vertex.gateway import Gateway
from sandbox.servers.vertex.messages import fill, request_parameters
from sandbox.servers.vertex.operations import Operations, shown, typed
from sandbox.servers.vertex.vendor_types import ListModelsRequest, UploadModelRequest

QUICK_SECONDS = 0.2
"""How long it takes to upload a model or to create an endpoint."""
_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
LABEL_FIELDS = {"display_name": "= !=", "labels.": "= :"}


class Models:
    """All models; `in_use` tells whether an endpoint serves one, by its resource name."""

    def __init__(self, root: Path, operations: Operations, in_use: Callable[[str], bool]) -> None:
        """Keep them below `root`."""
        self._records = Records(root)
        self._operations = operations
        self._in_use = in_use

    def routes(self, gateway: Gateway) -> list[Route]:
        """The routes of the vendor's generated client, answered by the methods below."""
        methods = {"UploadModel": self.upload, "GetModel": self.get, "ListModels": self.listed}
        return gateway.routes("model", {**methods, "DeleteModel": self.delete})

    def upload(self, parent: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Take a model; of one id there is one."""
        request = fill(UploadModelRequest, body)
        _check(request)
        model_id = request.model_id or str(time.time_ns())
        name = f"{parent}/models/{model_id}"
        now = time.time()
        model = json_format.MessageToDict(request.model) | {"name": name, "createTime": instant(now)}
        model |= {"versionId": "1", "deployedModels": []}
        if not self._records.add(model_id, {"Model": model, "VisibleAt": now + QUICK_SECONDS}):
            raise GoogleError("ALREADY_EXISTS", f"The Model already exists: {name}")
        return shown(self._operations.begin(name, "UploadModel"))

    def get(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """The model, once it is uploaded."""
        return self.known(name)

    def listed(self, parent: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """The models that pass the filter."""
        request = fill(ListModelsRequest, request_parameters(query))
        found = [record["Model"] for record in self._records.all() if record["VisibleAt"] <= time.time()]
        return {"models": labelled(found, request.filter)}

    def delete(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Forget a model that no endpoint serves."""
        self.known(name)
        if self._in_use(name):
            told = f"The Model {name} is deployed or being deployed at an Endpoint; undeploy it first."
            raise GoogleError("FAILED_PRECONDITION", told)
        self._records.remove(name.rsplit("/", 1)[1])
        operation = self._operations.begin(name, "Delete")
        self._operations.end(operation["Name"])
        return shown(self._operations.known(operation["Name"]))

    def known(self, name: str) -> dict[str, Any]:
        """The model of this resource name.

        Raises:
            GoogleError: `NOT_FOUND`.
        """
        record = self._records.get(name.rsplit("/", 1)[1])
        if record is None or record["Model"]["name"] != name or record["VisibleAt"] > time.time():
            raise GoogleError("NOT_FOUND", f"The Model does not exist: {name}")
        return dict(record["Model"])

    def settle(self) -> None:
        """End the uploads whose time has come."""
        for record in self._records.all():
            model = record["Model"]
            if record["VisibleAt"] <= time.time() and not record.get("Settled"):
                answer = {"model": model["name"], "modelVersionId": "1"}
                self._operations.end_all(model["name"], "UploadModel", typed("UploadModelResponse", answer))
                self._records.change(model["name"].rsplit("/", 1)[1], Settled=True)


def labelled(resources: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """The resources that pass a filter, newest first; the sandbox puts all of them on one page."""
    accepts = filters.parse(text, LABEL_FIELDS)
    newest = sorted(resources, key=lambda resource: str(resource["createTime"]), reverse=True)
    return [resource for resource in newest if accepts(_lookup(resource))]


def instant(seconds: float) -> str:
    """Seconds since the epoch as Google's JSON writes a time."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1_000_000):06d}Z"


def _lookup(resource: dict[str, Any]) -> filters.Lookup:
    def field(name: str) -> Any:
        if name.startswith("labels."):
            return resource.get("labels", {}).get(name.removeprefix("labels."))
        return resource["displayName"]

    return field


def _check(request: Any) -> None:
    violations = dict(names_and_labels(request.model, "model"))
    container = request.model.container_spec
    if request.model_id and not _MODEL_ID.fullmatch(request.model_id):
        violations["model_id"] = f"{request.model_id!r} is no id of a model."
    if not container.image_uri:
        violations["model.container_spec.image_uri"] = "Required field is not set."
    for field in ("health_route", "predict_route"):
        if not getattr(container, field).startswith("/"):
            violations[f"model.container_spec.{field}"] = "The sandbox needs a path that begins with a slash."
    if not request.model.artifact_uri.startswith("gs://"):
        violations["model.artifact_uri"] = f"{request.model.artifact_uri!r} is no gs:// URI."
    if violations:
        raise wrong_fields(violations)
    if not container.command:
        told = "The sandbox runs no images: container_spec.command must say what to start."
        raise GoogleError("UNIMPLEMENTED", told)
