"""Environments and code snapshots: small versioned documents the jobs refer to."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import write_private
from sandbox.servers.azure import vendor
from sandbox.servers.azure.arm import WORKSPACE_PATH, Call, ResourceManager, not_found, user_error

CURATED = {"sklearn-1.5": "1", "acft-hf-nlp-gpu": "1"}
"""Environments that are there without anyone registering them, and their only version."""
UPLOAD_LIFE = timedelta(hours=2)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_KINDS = {"codes": "CodeVersion", "environments": "EnvironmentVersion"}


@dataclass(frozen=True)
class Assets:
    """Registered versions, one file each under `folder`. A version never changes once it is there."""

    manager: ResourceManager
    folder: Path

    def routes(self) -> list[Route]:
        """Get, list and put for both kinds, and the upload of code."""
        route, found = self.manager.route, []
        for kind in _KINDS:
            base, title = f"{WORKSPACE_PATH}/{kind}/{{name}}/versions", kind.capitalize()
            found += [
                route(base, f"{title}.List", self._list),
                route(f"{base}/{{version}}", f"{title}.Get", self._get),
                route(f"{base}/{{version}}", f"{title}.CreateOrUpdate", self._put, method="PUT"),
            ]
        path = f"{WORKSPACE_PATH}/codes/{{name}}/versions/{{version}}/startPendingUpload"
        return [*found, route(path, "Codes.StartPendingUpload", self._start_upload, method="POST")]

    def find(self, kind: str, arm_id: str) -> dict[str, Any] | None:
        """The properties of the version an ARM id names, or None when it names none of ours."""
        match = re.fullmatch(
            rf"{re.escape(self.manager.workspace_id)}/{kind}/([^/]+)/versions/([^/]+)", arm_id, re.I
        )
        return self._read(kind, *match.groups()) if match else None

    def _read(self, kind: str, name: str, version: str) -> dict[str, Any] | None:
        path = self._path(kind, name, version)
        if path.exists():
            stored: dict[str, Any] = json.loads(path.read_text())
            return stored
        if kind == "environments" and CURATED.get(name) == version:
            return {"image": f"curated/{name}:{version}", "osType": "Linux", "environmentType": "Curated"}
        return None

    def _path(self, kind: str, name: str, version: str) -> Path:
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(version):
            raise user_error(f"'{name}:{version}' is not a valid name and version.")
        return self.folder / kind / name / f"{version}.json"

    def _get(self, call: Call) -> Response:
        kind, name, version = _identity(call)
        properties = self._read(kind, name, version)
        if properties is None:
            raise not_found(f"workspaces/{kind}", f"{name}/versions/{version}")
        return JSONResponse(self.manager.resource(kind, f"{name}/versions/{version}", properties))

    def _list(self, call: Call) -> Response:
        kind, name, _ = _identity(call)
        versions = {
            path.stem: json.loads(path.read_text()) for path in (self.folder / kind / name).glob("*.json")
        }
        if kind == "environments" and name in CURATED:
            versions.setdefault(CURATED[name], self._read(kind, name, CURATED[name]))
        # The SDK asks by content hash whether it must upload the code at all.
        digest = call.request.query_params.get("hash")
        if digest:
            versions = {
                version: properties
                for version, properties in versions.items()
                if (properties.get("properties") or {}).get("hash_sha256") == digest
            }
        value = [self.manager.resource(kind, f"{name}/versions/{v}", p) for v, p in sorted(versions.items())]
        return JSONResponse({"value": value})

    def _put(self, call: Call) -> Response:
        kind, name, version = _identity(call)
        found = vendor.problems(_KINDS[kind], call.body)
        if found:
            raise user_error("; ".join(found))
        path, asked = self._path(kind, name, version), call.body["properties"]
        existing = self._read(kind, name, version)
        if existing is None:
            existing = {**asked, "provisioningState": "Succeeded"}
            write_private(path, json.dumps(existing))
        return JSONResponse(self.manager.resource(kind, f"{name}/versions/{version}", existing), 201)

    def _start_upload(self, call: Call) -> Response:
        found = vendor.problems("PendingUploadRequestDto", call.body or {})
        if found:
            raise user_error("; ".join(found))
        _, name, version = _identity(call)
        container = "code-" + hashlib.sha256(f"{name}/{version}".encode()).hexdigest()[:32]
        url = f"{self.manager.endpoints.blob_url}/{container}"
        reference = {
            "blobUri": url,
            "storageAccountArmId": self.manager.endpoints.blob_account,
            "credential": {"credentialType": "SAS", "sasUri": f"{url}?{self._signed(container)}"},
        }
        return JSONResponse(
            {
                "pendingUploadId": str(uuid.uuid4()),
                "pendingUploadType": "TemporaryBlobReference",
                "blobReferenceForConsumption": reference,
            }
        )

    def _signed(self, container: str) -> str:
        # Imported here: only code uploads need it, and it costs half a second.
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

        ours = self.manager.endpoints
        client = ContainerClient(
            ours.blob_url, container, credential=ours.blob_key, connection_verify=str(ours.ca_bundle)
        )
        with client:
            try:
                client.create_container()
            except ResourceExistsError:
                pass
        rights = ContainerSasPermissions(read=True, write=True, list=True, add=True, create=True)
        expiry = datetime.now(UTC) + UPLOAD_LIFE
        return generate_container_sas(
            ours.blob_account, container, ours.blob_key, permission=rights, expiry=expiry, protocol="https"
        )


def _identity(call: Call) -> tuple[str, str, str]:
    # .../workspaces/W/<kind>/<name>/versions/<version>
    kind = call.request.url.path.split("/")[9]
    return kind, call.names["name"], call.names.get("version", "")
