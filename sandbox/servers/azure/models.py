"""Registered models: a container of a name, and versions that say where in the store a model lies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.azure import vendor
from sandbox.servers.azure.arm import WORKSPACE_PATH, Call, ResourceManager, not_found, user_error
from sandbox.servers.azure.records import made_and_kept, now
from sandbox.servers.azure.references import References
from sandbox.servers.records import Record, Records

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True)
class Models:
    """The models of the workspace. A version never changes; a container goes with all its versions."""

    manager: ResourceManager
    references: References
    records: Records

    def routes(self) -> list[Route]:
        """Get, list, put and delete, of containers and of versions."""
        route, base = self.manager.route, f"{WORKSPACE_PATH}/models"
        one, version = f"{base}/{{name}}", f"{base}/{{name}}/versions/{{version}}"
        return [
            route(base, "Models.List", self._list, named="workspace"),
            route(one, "Models.Get", self._get),
            route(one, "Models.CreateOrUpdate", self._put, method="PUT"),
            route(one, "Models.Delete", self._delete, method="DELETE"),
            route(version, "ModelVersions.Get", self._get_version),
            route(version, "ModelVersions.CreateOrUpdate", self._put_version, method="PUT"),
            route(version, "ModelVersions.Delete", self._delete_version, method="DELETE"),
        ]

    def place(self, arm_id: str) -> str:
        """The `az://` prefix of the version that an ARM id names.

        Raises:
            ArmError: 400, there is none.
        """
        found = re.fullmatch(
            rf"{re.escape(self.manager.workspace_id)}/models/([^/]+)/versions/([^/]+)", arm_id
        )
        record = self.records.get(found[1]) if found else None
        version = record["versions"].get(found[2]) if record and found else None
        if version is None:
            raise user_error(f"Model '{arm_id}' does not exist.", "NotFound")
        return self.references.resolve(version["modelUri"]).rstrip("/") + "/"

    def _list(self, call: Call) -> Response:
        return JSONResponse({"value": [self._render(record) for record in self.records.all()]})

    def _get(self, call: Call) -> Response:
        return JSONResponse(self._render(self._known(call)))

    def _put(self, call: Call) -> Response:
        _valid("ModelContainer", call)
        name, asked = call.names["name"], call.body["properties"]
        record = {"name": name, "properties": asked, "versions": {}, "created": now()}
        if self.records.add(name, record):
            return JSONResponse(self._render(record), 201)
        return JSONResponse(self._render(self.records.change(name, properties=asked) or record))

    def _delete(self, call: Call) -> Response:
        return Response(status_code=200 if self.records.remove(call.names["name"]) else 204)

    def _get_version(self, call: Call) -> Response:
        record, version = self._known(call), call.names["version"]
        if version not in record["versions"]:
            raise not_found("workspaces/models", f"{record['name']}/versions/{version}")
        return JSONResponse(self._render_version(record, version))

    def _put_version(self, call: Call) -> Response:
        _valid("ModelVersion", call)
        name, version, asked = call.names["name"], call.names["version"], call.body["properties"]
        if not asked.get("modelUri"):
            raise user_error("ModelUri is required.")
        self.references.resolve(asked["modelUri"])
        # A version brings its container along.
        self.records.add(name, {"name": name, "properties": {}, "versions": {}, "created": now()})
        record = self._known(call)
        held = record["versions"].get(version)
        if held is not None and held["modelUri"] != asked["modelUri"]:
            raise user_error(f"ModelUri of model {name}:{version} cannot be changed.", "Immutable")
        versions = {**record["versions"], version: {**asked, "provisioningState": "Succeeded"}}
        changed = self.records.change(name, versions=versions) or record
        return JSONResponse(self._render_version(changed, version), 200 if held else 201)

    def _delete_version(self, call: Call) -> Response:
        record, version = self.records.get(call.names["name"]), call.names["version"]
        if record is None or version not in record["versions"]:
            return Response(status_code=204)
        left = {name: held for name, held in record["versions"].items() if name != version}
        self.records.change(record["name"], versions=left)
        return Response(status_code=200)

    def _known(self, call: Call) -> Record:
        record = self.records.get(call.names["name"])
        if record is None:
            raise not_found("workspaces/models", call.names["name"])
        return record

    def _render(self, record: Record) -> dict[str, Any]:
        system = made_and_kept(record["created"])
        return self.manager.resource("models", record["name"], record["properties"], systemData=system)

    def _render_version(self, record: Record, version: str) -> dict[str, Any]:
        name = f"{record['name']}/versions/{version}"
        system = made_and_kept(record["created"])
        return self.manager.resource("models", name, record["versions"][version], systemData=system)


def _valid(model: str, call: Call) -> None:
    if not all(_NAME.fullmatch(call.names[part]) for part in ("name", "version") if part in call.names):
        raise user_error(f"'{call.names['name']}' is not a valid name.")
    found = vendor.problems(model, call.body)
    if found:
        raise user_error("; ".join(found))
