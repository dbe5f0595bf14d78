"""The run history: what happened in a job, why it failed, where its log is, and the log itself."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.servers.azure.arm import WORKSPACE_PATH, Call, ResourceManager, not_found, user_error
from sandbox.servers.azure.commands import Commands
from sandbox.servers.azure.records import JobRecord, JobStore
from sandbox.servers.azure.runs import TERMINAL, Runs

LOG = "user_logs/std_log.txt"
STEP_LOG = "logs/user/stdout/10.0.0.4/process000.stdout.txt"
"""What the scoring script of a batch prints: node by node and process by process, and here there is one of each."""
LINK_SECONDS = 3600
BASE = f"/history/v1.0{WORKSPACE_PATH}"


@dataclass(frozen=True)
class History:
    """One run for each job, under the job's name.

    Log links need no token, like the vendor's links into its blob store: they are signed, and die after an
    hour.
    """

    manager: ResourceManager
    store: JobStore
    runs: Runs
    commands: Commands
    link_key: bytes

    def routes(self) -> list[Route]:
        """Runs, their details, their metadata, and their logs."""
        route = self.manager.route
        by_experiment = f"{BASE}/experiments/{{experiment}}/runs/{{name}}"
        return [
            route(f"{BASE}/runs/{{name}}", "Runs.Get", self._get),
            route(f"{BASE}/runs/{{name}}/details", "Runs.GetDetails", self._details),
            route(f"{BASE}/runs/{{name}}/children", "Runs.GetChild", self._children),
            route(f"{BASE}/rundata", "Runs.GetData", self._data, method="POST"),
            route(by_experiment, "Runs.Modify", self._modify, method="PATCH"),
            Route("/logs/{name}/{file:path}", self._log, name="Logs.Read"),
        ]

    def _find(self, name: str) -> JobRecord:
        record = self.store.find(name)
        if record is None:
            raise not_found("workspaces/runs", name)
        # Looking at the state may be what records the end.
        self.runs.status(record)
        return self.store.find(name) or record

    def _get(self, call: Call) -> Response:
        return JSONResponse(self._run(self._find(call.names["name"])))

    def _details(self, call: Call) -> Response:
        record = self._find(call.names["name"])
        answer = self._run(record)
        warning = record.ended.get("warning")
        answer["warnings"] = [{"source": "Compute", "message": warning}] if warning else []
        file = STEP_LOG if record.parent else LOG
        answer["logFiles"] = {file: self._link(record.name, file)} if self.runs.log(record.name) else {}
        return JSONResponse(answer)

    def _children(self, call: Call) -> Response:
        record = self._find(call.names["name"])
        step = self.store.find(record.child) if record.child else None
        return JSONResponse({"value": [self._run(self._find(step.name))] if step else []})

    def _data(self, call: Call) -> Response:
        if not isinstance(call.body, dict) or "runId" not in call.body:
            raise user_error("runId is required.")
        record = self._find(call.body["runId"])
        return JSONResponse({"runMetadata": self._run(record)})

    def _modify(self, call: Call) -> Response:
        """Merge tags, properties and names, as the SDK's `jobs.update` asks for."""
        record, body = self._find(call.names["name"]), call.body or {}
        merged = dict(record.properties)
        for key in ("tags", "properties"):
            merged[key] = {**(merged.get(key) or {}), **(body.get(key) or {})}
        merged |= {key: body[key] for key in ("displayName", "description") if body.get(key) is not None}
        return JSONResponse(self._run(self.store.change(record.name, properties=merged)))

    def _run(self, record: JobRecord) -> dict[str, Any]:
        status = self.runs.status(record)
        outputs = {
            name: {"assetId": self.commands.output_uri(record, name), "type": wanted["jobOutputType"]}
            for name, wanted in (record.properties.get("outputs") or {}).items()
        }
        return {
            "runId": record.name,
            "rootRunId": record.parent or record.name,
            "parentRunId": record.parent,
            "status": status,
            "target": (record.properties.get("computeId") or "serverless").rsplit("/", 1)[-1],
            "createdUtc": record.created_at,
            "startTimeUtc": self.runs.started_at(record),
            "endTimeUtc": record.ended.get("at") if status in TERMINAL else None,
            "tags": record.properties.get("tags") or {},
            "properties": record.properties.get("properties") or {},
            "outputs": outputs,
            "error": _error(record, self.manager.endpoints.azure_workspace),
        }

    def _link(self, name: str, file: str) -> str:
        expiry = int(time.time()) + LINK_SECONDS
        base = f"{self.manager.endpoints.azure_url}/logs/{name}"
        return f"{base}/{file}?se={expiry}&sig={self._sign(name, expiry)}"

    def _sign(self, name: str, expiry: int) -> str:
        return hmac.new(self.link_key, f"{name}\n{expiry}".encode(), hashlib.sha256).hexdigest()

    def _log(self, request: Request) -> Response:
        name, query = request.path_params["name"], request.query_params
        request.state.resource = name
        expiry = int(query.get("se", "0")) if query.get("se", "0").isdigit() else 0
        if expiry < time.time() or not hmac.compare_digest(query.get("sig", ""), self._sign(name, expiry)):
            return PlainTextResponse("AuthenticationFailed: the signature is not valid or has expired", 403)
        path = self.runs.log(name)
        if path is None:
            return PlainTextResponse("BlobNotFound", 404)
        return _slice(path, request.headers.get("x-ms-range") or request.headers.get("range"))


def _slice(path: Path, asked: str | None) -> Response:
    """The file, or the one range of it that was asked for as Blob storage knows it: `bytes=FIRST-[LAST]`."""
    size = path.stat().st_size
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked or "")
    first = int(match[1]) if match else 0
    last = min(int(match[2]) if match and match[2] else size - 1, size - 1)
    if match and first >= size:
        return PlainTextResponse("InvalidRange", 416, headers={"Content-Range": f"bytes */{size}"})
    with path.open("rb") as stream:
        stream.seek(first)
        body = stream.read(max(0, last - first + 1))
    if not match:
        return Response(body, media_type="text/plain")
    headers = {"Content-Range": f"bytes {first}-{last}/{size}"}
    return Response(body, 206, headers, media_type="text/plain")


def _error(record: JobRecord, workspace: str) -> dict[str, Any] | None:
    """The vendor's `ErrorResponse` around a root error."""
    error = record.ended.get("error")
    if not error:
        return None
    return {
        "error": {**error, "severity": None, "details": [], "innerError": None},
        "environment": "local",
        "location": workspace,
        "time": record.ended["at"],
        "componentName": "CommonRuntime",
    }
