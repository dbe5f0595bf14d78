"""Command jobs as the resource manager shows them: create or update, get, list, cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.azure import vendor
from sandbox.servers.azure.arm import WORKSPACE_PATH, Call, ResourceManager, not_found, user_error
from sandbox.servers.azure.commands import Commands
from sandbox.servers.azure.records import NAME, JobRecord, JobStore, now
from sandbox.servers.azure.runs import TERMINAL, Runs
from sandbox.servers.azure.workspace import COMPUTES
from sandbox.servers.faults import Faults

PAGE = 50
MUTABLE = {"description", "tags", "displayName", "properties", "isArchived"}
IMMUTABLE = (
    "command",
    "codeId",
    "environmentId",
    "computeId",
    "environmentVariables",
    "inputs",
    "outputs",
    "limits",
    "resources",
    "distribution",
    "identity",
    "experimentName",
)
_TAKEN = (
    "A job with this name already exists. If you are trying to create a new job, use a different name. "
    "If you are trying to update an existing job, the existing job's{members} cannot be changed. "
    "Only description, tags, displayName, properties, and isArchived can be updated."
)


@dataclass(frozen=True)
class Jobs:
    """The jobs of the workspace.

    A name belongs to its first job for ever. A second PUT with the same immutable members merges tags and
    properties (tags are never removed: Azure/azure-sdk-for-python#30671) and answers 200; one that differs
    in any is refused with 400 `UserError` / `JobPropertyImmutable` in the words quoted in
    MicrosoftDocs/azure-docs#122250 and Azure/azure-sdk-for-python#47389.
    """

    manager: ResourceManager
    store: JobStore
    runs: Runs
    commands: Commands
    faults: Faults

    def routes(self) -> list[Route]:
        """Create or update, get, list, cancel."""
        route, base = self.manager.route, f"{WORKSPACE_PATH}/jobs"
        return [
            route(base, "Jobs.List", self._list, named="workspace"),
            route(f"{base}/{{name}}", "Jobs.Get", self._get),
            route(f"{base}/{{name}}", "Jobs.CreateOrUpdate", self._put, method="PUT"),
            route(f"{base}/{{name}}/cancel", "Jobs.Cancel", self._cancel, method="POST"),
            route(f"{base}/{{name}}/cancelOperations/1", "Jobs.CancelOperation", self._cancel_operation),
        ]

    def _get(self, call: Call) -> Response:
        return JSONResponse(self._render(self._find(call)))

    def _find(self, call: Call) -> JobRecord:
        record = self.store.find(call.names["name"])
        if record is None:
            raise not_found("workspaces/jobs", call.names["name"])
        return record

    def _put(self, call: Call) -> Response:
        name = call.names["name"]
        if not NAME.fullmatch(name):
            raise user_error(f"The job name '{name}' is invalid: it must match {NAME.pattern}.")
        found = vendor.problems("JobBase", call.body)
        if found:
            raise user_error("The request is invalid. " + "; ".join(found))
        asked = _without_nulls(call.body["properties"])
        if asked["jobType"] != "Command":
            raise user_error(f"Jobs of type {asked['jobType']} are not offered by the sandbox.")
        with self.store.locked():
            existing = self.store.find(name)
            if existing is not None:
                return JSONResponse(self._render(self._update(existing, asked)))
            record = self._create(call, name, asked)
        self.runs.submit(name)
        return JSONResponse(self._render(record, "NotStarted"), 201)

    def _create(self, call: Call, name: str, asked: dict[str, Any]) -> JobRecord:
        self._check_compute(asked)
        self.commands.check(asked)
        if self.faults.take("quota", name):
            raise user_error("The cluster's vCPU quota in this region is used up.", "QuotaExceeded")
        fault = self.faults.take_job_fault(name)
        record = JobRecord(name, asked, created_at=now(), created_by=call.client_id, fault=fault)
        self.store.add(record)
        return record

    def _check_compute(self, asked: dict[str, Any]) -> None:
        compute = asked.get("computeId")
        # No compute at all is a serverless job, which must say what machine it wants.
        if compute is None and (asked.get("resources") or {}).get("instanceType"):
            return
        known = {f"{self.manager.workspace_id}/computes/{name}".lower() for name in COMPUTES}
        if compute is None or compute.lower() not in known:
            raise user_error(f"Compute target '{compute}' is not found in the workspace.", "ComputeNotFound")

    def _update(self, existing: JobRecord, asked: dict[str, Any]) -> JobRecord:
        old = existing.properties
        changed = [key for key in IMMUTABLE if (asked.get(key) or None) != (old.get(key) or None)]
        if changed:
            members = ", ".join(f" {key[0].upper()}{key[1:]}" for key in changed)
            raise user_error(_TAKEN.format(members=members), "Immutable", "JobPropertyImmutable")
        kept = [key for key, value in (asked.get("properties") or {}).items() if _differs(old, key, value)]
        if kept:
            raise user_error(f"Existing properties cannot be updated: {', '.join(kept)}.", "Immutable")
        merged = {**old, **{key: asked[key] for key in MUTABLE & asked.keys()}}
        for key in ("tags", "properties"):
            if key in asked:
                merged[key] = {**(old.get(key) or {}), **asked[key]}
        return self.store.change(existing.name, properties=merged)

    def _list(self, call: Call) -> Response:
        query = call.request.query_params
        records = [
            record
            for record in self.store.all()
            if not record.parent and _listed(record, query.get("tag"), query.get("listViewType"))
        ]
        start = int(query.get("$skip") or 0)
        answer: dict[str, Any] = {"value": [self._render(record) for record in records[start : start + PAGE]]}
        if start + PAGE < len(records):
            answer["nextLink"] = str(call.request.url.include_query_params(**{"$skip": str(start + PAGE)}))
        return JSONResponse(answer)

    def _cancel(self, call: Call) -> Response:
        record = self._find(call)
        self.runs.cancel(record.name)
        return Response(status_code=202, headers=self._poll_headers(record.name))

    def _cancel_operation(self, call: Call) -> Response:
        record = self._find(call)
        if self.runs.status(record) in TERMINAL:
            return Response(status_code=200)
        return Response(status_code=202, headers=self._poll_headers(record.name))

    def _poll_headers(self, name: str) -> dict[str, str]:
        base = f"{self.manager.endpoints.azure_url}{self.manager.workspace_id}/jobs/{name}"
        return {"Location": f"{base}/cancelOperations/1?api-version=2024-01-01-preview", "Retry-After": "1"}

    def _render(self, record: JobRecord, status: str | None = None) -> dict[str, Any]:
        properties = dict(record.properties)
        outputs = {}
        for name, wanted in (properties.get("outputs") or {}).items():
            outputs[name] = {**wanted, "uri": self.commands.output_uri(record, name)}
        # The service adds an output of its own to every job: the folder of its logs.
        outputs["default"] = {
            "jobOutputType": "uri_folder",
            "mode": "ReadWriteMount",
            "uri": f"azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.{record.name}",
        }
        studio = f"{self.manager.endpoints.azure_url}/studio/runs/{record.name}"
        properties |= {
            "status": status or self.runs.status(record),
            "outputs": outputs,
            "experimentName": properties.get("experimentName") or "Default",
            "services": {"Studio": {"jobServiceType": "Studio", "endpoint": studio, "status": None}},
        }
        system = {
            "createdAt": record.created_at,
            "createdBy": record.created_by,
            "createdByType": "Application",
        }
        return self.manager.resource("jobs", record.name, properties, systemData=system)


def _differs(old: dict[str, Any], key: str, value: Any) -> bool:
    """Whether a property has another value already: the service takes only new ones, says the SDK."""
    known = old.get("properties") or {}
    return key in known and known[key] != value


def _listed(record: JobRecord, tag: str | None, view: str | None) -> bool:
    """The filter `tag` asks for the presence of a tag by its name, as the vendor's specification has it."""
    archived = bool(record.properties.get("isArchived"))
    if view != "All" and archived != (view == "ArchivedOnly"):
        return False
    return tag is None or tag in (record.properties.get("tags") or {})


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
