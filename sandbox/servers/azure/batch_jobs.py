"""Invocations of batch endpoints, and the jobs that came of them, at the workspace's data plane."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.azure.arm import WORKSPACE_PATH, Call, not_found, user_error
from sandbox.servers.azure.batch import DURATION, BatchEndpoints
from sandbox.servers.azure.commands import Commands
from sandbox.servers.azure.records import JobRecord, JobStore, made_and_kept, now
from sandbox.servers.azure.runs import Runs
from sandbox.servers.faults import Faults
from sandbox.servers.records import Record

BASE = f"/mferp/managementfrontend{WORKSPACE_PATH}/batchEndpoints/{{name}}"
PAGE = 50
MEMBERS = {
    "inputData": dict[str, dict[str, Any]],
    "outputData": dict[str, dict[str, Any]],
    "outputFileName": str,
    "miniBatchSize": int,
    "errorThreshold": int,
    "retrySettings": dict[str, Any],
    "properties": dict[str, str],
    "name": str,
}
"""What `BatchJobSchema` of `azure-ai-ml` sends, as far as it is offered here. The service gives a job no name but its own:
Azure/azure-sdk-for-python#32763."""


@dataclass(frozen=True)
class BatchJobs:
    """Invokes, gets and lists.

    Nothing says that the service heeds a repeatability id, so here every invocation that is accepted starts a job.
    """

    batch: BatchEndpoints
    store: JobStore
    runs: Runs
    commands: Commands
    faults: Faults

    def routes(self) -> list[Route]:
        """At the address that an endpoint calls its scoring URI."""
        route = self.batch.manager.route
        below = f"{BASE}/deployments/{{deployment}}/jobs"
        return [
            route(f"{BASE}/jobs", "BatchJobs.List", self._list),
            route(f"{BASE}/jobs", "BatchJobs.Invoke", self._invoke, method="POST"),
            route(f"{BASE}/jobs/{{job}}", "BatchJobs.Get", self._get),
            route(below, "BatchJobs.ListOfDeployment", self._list),
        ]

    def _invoke(self, call: Call) -> Response:
        endpoint = self.batch.known(call.names["name"])
        if endpoint["status"] != "Succeeded":
            raise not_found("workspaces/batchEndpoints", endpoint["name"])
        headers = call.request.headers
        deployment = self.batch.deployment(endpoint, headers.get("azureml-model-deployment"))
        asked = _members(call.body)
        if self.faults.take("quota", endpoint["name"]):
            raise user_error("The cluster's vCPU quota in this region is used up.", "QuotaExceeded")
        pipeline, step = self._made(call, deployment, asked)
        self.commands.check(step.properties)
        with self.store.locked():
            # The step first: one whose pipeline job is missing is never started.
            self.store.add(step)
            self.store.add(pipeline)
        self.runs.submit(step.name)
        return JSONResponse(self._render(pipeline), 201)

    def _made(self, call: Call, deployment: Record, asked: dict[str, Any]) -> tuple[JobRecord, JobRecord]:
        endpoint, of = deployment["endpoint"], deployment["body"]["properties"]
        source, given = _one_input(asked)
        experiment = (asked.get("properties") or {}).get("experimentName") or endpoint
        name, child = f"batchjob-{uuid.uuid4()}", str(uuid.uuid4())
        pipeline = JobRecord(
            name,
            {
                "jobType": "Pipeline",
                "experimentName": experiment,
                "tags": {
                    "azureml.batchrun": "true",
                    "azureml.deploymentname": deployment["name"],
                    "azureml.jobtype": "azureml.pipelinejob",
                },
                "properties": {
                    "azureml.endpointname": endpoint,
                    "azureml.deploymentname": deployment["name"],
                    "azureml.runsource": "azureml.PipelineRun",
                    "runSource": "BatchDeployment",
                },
            },
            created_at=now(),
            created_by=call.client_id,
            child=child,
        )
        written = _written(asked, of, name)
        properties = {
            "jobType": "Command",
            "command": f"python driver/amlbi_main.py --scoring_module_name {of['codeConfiguration']['scoringScript']}",
            "codeId": of["codeConfiguration"]["codeId"],
            "environmentId": of["environmentId"],
            "environmentVariables": of.get("environmentVariables") or {},
            "computeId": of["compute"],
            "experimentName": experiment,
            "displayName": "batchscoring",
            "inputs": {source: {**given, "mode": "ReadOnlyMount"}},
            "outputs": {"score": {"jobOutputType": "uri_file", "mode": "ReadWriteMount", "uri": written}},
        }
        step = replace(
            pipeline,
            name=child,
            properties=properties,
            child=None,
            parent=name,
            fault=self.faults.take_job_fault(endpoint),
            scoring=_scoring(asked, of, source, deployment["place"]),
        )
        return pipeline, step

    def _get(self, call: Call) -> Response:
        record = self.store.find(call.names["job"])
        if record is None or _endpoint_of(record) != call.names["name"]:
            raise not_found("workspaces/batchEndpoints/jobs", call.names["job"])
        return JSONResponse(self._render(record))

    def _list(self, call: Call) -> Response:
        endpoint, query = self.batch.known(call.names["name"]), call.request.query_params
        if "api-version" not in query:
            raise user_error("The api-version query parameter (?api-version=) is required for all requests.")
        wanted = call.names.get("deployment")
        found = [
            record
            for record in self.store.all()
            if _endpoint_of(record) == endpoint["name"]
            and wanted in {None, record.properties["tags"]["azureml.deploymentname"]}
        ]
        start = int(query.get("$skip") or 0)
        answer: dict[str, Any] = {"value": [self._render(record) for record in found[start : start + PAGE]]}
        if start + PAGE < len(found):
            answer["nextLink"] = str(call.request.url.include_query_params(**{"$skip": str(start + PAGE)}))
        return JSONResponse(answer)

    def _render(self, record: JobRecord) -> dict[str, Any]:
        base = f"{self.batch.manager.workspace_id}/batchEndpoints/{_endpoint_of(record)}/jobs"
        studio = f"{self.batch.manager.endpoints.azure_url}/studio/runs/{record.name}"
        return {
            "id": f"{base}/{record.name}",
            "name": record.name,
            "type": "Microsoft.MachineLearningServices/workspaces/batchEndpoints/jobs",
            "properties": {
                "compute": {"isLocal": False},
                "interactionEndpoints": {"Studio": {"endpoint": studio, "jobEndpointType": "Studio"}},
                "output": {},
                "provisioningState": "Succeeded",
                "properties": record.properties["properties"],
                "tags": record.properties["tags"],
                "status": self.runs.status(record),
            },
            "systemData": made_and_kept(record.created_at),
        }


def _members(body: Any) -> dict[str, Any]:
    """The invocation's members by the names that the SDK gives them, whatever case they were written in."""
    asked = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(asked, dict):
        raise user_error("properties: an object is expected")
    names = {name.lower(): name for name in MEMBERS}
    found: dict[str, Any] = {}
    for name, value in asked.items():
        known = names.get(name.lower())
        if known is None:
            raise user_error(f"Could not find member '{name}' on object of type 'BatchJob'.")
        try:
            found[known] = TypeAdapter(MEMBERS[known]).validate_python(value)
        except ValueError:
            raise user_error(f"{name} is not what a batch job takes there.") from None
    return found


def _one_input(asked: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    given = asked.get("inputData") or {}
    if len(given) != 1:
        raise user_error("A batch deployment of a model takes exactly one input.")
    name, entry = next(iter(given.items()))
    entry = {key.lower(): value for key, value in entry.items()}
    kinds = {"urifolder": "uri_folder", "urifile": "uri_file"}
    kind = kinds.get(str(entry.get("jobinputtype")).lower())
    if kind is None or not entry.get("uri"):
        raise user_error(f"Input '{name}' is neither a UriFolder nor a UriFile.")
    return name, {"jobInputType": kind, "uri": entry["uri"]}


def _written(asked: dict[str, Any], of: dict[str, Any], job: str) -> str:
    """Where the output `score` goes: a file that the invocation names, or a place of the service's own."""
    wanted = {key.lower(): value for key, value in (asked.get("outputData") or {}).get("score", {}).items()}
    file = asked.get("outputFileName") or of.get("outputFileName") or "predictions.csv"
    return wanted.get("uri") or f"azureml://datastores/workspaceblobstore/paths/azureml/{job}/score/{file}"


def _scoring(asked: dict[str, Any], of: dict[str, Any], source: str, model: str) -> dict[str, Any]:
    """How the step's script is run: as the deployment says, where the invocation does not say otherwise."""
    settings = {**(of.get("retrySettings") or {}), **(asked.get("retrySettings") or {})}
    seconds = DURATION.validate_python(settings.get("timeout") or "PT30S").total_seconds()
    chosen = {name: asked.get(name, of.get(name)) for name in ("miniBatchSize", "errorThreshold")}
    return {
        "script": of["codeConfiguration"]["scoringScript"],
        "input": source,
        "model": model,
        "miniBatchSize": chosen["miniBatchSize"] or 10,
        "errorThreshold": -1 if chosen["errorThreshold"] is None else chosen["errorThreshold"],
        "concurrency": of.get("maxConcurrencyPerInstance") or 1,
        "maxRetries": 3 if settings.get("maxRetries") is None else settings["maxRetries"],
        "timeoutSeconds": seconds,
        "outputAction": of.get("outputAction") or "AppendRow",
    }


def _endpoint_of(record: JobRecord) -> str | None:
    properties = record.properties.get("properties") or {}
    return properties.get("azureml.endpointname") if record.child else None
