"""Azure ML's batch endpoints: one for each batch, of a name derived from the request's, with one deployment and its model."""

import time
from datetime import timedelta
from typing import Any

from azure.core.exceptions import HttpResponseError

from activities.azure import hosting, serving_states
from activities.azure.actions import ML
from activities.azure.batch_code import SCRIPT, BatchCode
from activities.azure.batch_find import ROOT, RunsEndpoints
from activities.azure.errors import CLOUD
from activities.azure.hosting import Hosting, short_name
from activities.azure.invocations import Invocation
from activities.azure.resources import Resource, Resources
from activities.azure.workspace import MlWorkspace
from activities.scrub import scrub
from activities.stopping import rest
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRequest

_DEPLOYMENTS = f"{ML}/batchEndpoints/deployments"
NEEDS: dict[str, tuple[str, ...]] = {
    "resources.get": (f"{ML}/batchEndpoints/read", f"{_DEPLOYMENTS}/read", f"{ML}/models/read"),
    "resources.put": (f"{ML}/batchEndpoints/write", f"{_DEPLOYMENTS}/write", f"{ML}/computes/read"),
    "resources.delete": (
        f"{ML}/batchEndpoints/delete",
        f"{ML}/models/delete",
        f"{ML}/models/versions/delete",
    ),
    # How an operation went is told at the subscription, where a worker has no right: without it, a failure has no words.
    "resources.why": (),
    "jobs.begin_cancel": (f"{ML}/jobs/cancel/action",),
}
DEPLOYMENT = "score"
SIZE, PARALLEL = "CAUSEWAY_BATCH_SIZE", "CAUSEWAY_MAX_PARALLEL"
LONGEST_MINI_BATCH = timedelta(days=3)
"""https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-parallel, of `retry_settings.timeout`."""
PATIENCE_SECONDS = 120.0
"""How long a submit waits for an endpoint or deployment that is being made; then Temporal tries again."""
GOING_SECONDS = 5.0
_PAUSE_SECONDS = 0.3


class BatchEndpoints:
    """The batch endpoints of one workspace. Whatever is put has a name of its own, so that putting it again changes nothing."""

    def __init__(self, workspace: MlWorkspace, where: Hosting, code: BatchCode) -> None:
        self._workspace = workspace
        self._hosting = where
        self._code = code

    def held(self, name: str) -> Resource | None:
        """Return the endpoint of a request's name."""
        return self._resources.get(path_of(name))

    def ensure(self, request: JobRequest, cluster: str) -> None:
        """Have model, endpoint and deployment exist, and be ready; the deployment runs on this cluster.

        Raises:
            ApplicationError: `JOB_FAILED`, the service could not make it; `UNAVAILABLE`, it still does;
                `TARGET_CONFLICT`, `UNSUPPORTED` (no image), `SOURCE_MISSING`.
            CancelledError: the activity was cancelled.
        """
        path, location = path_of(request.name), self._hosting.location()
        if self._resources.get(path) is None:
            self._hosting.model(request)
            self._once(path, endpoint_body(request, location))
        self._ready(path, request)
        deployment = f"{path}/deployments/{DEPLOYMENT}"
        if self._resources.get(deployment) is None:
            model = self._hosting.model(request)
            code = self._code.ensure(f"{request.run.run_uid}/{request.stage}")
            ids = (model, self._hosting.environment(request, serves=False), code)
            compute = f"{self._resources.workspace_id}/computes/{cluster}"
            self._once(deployment, deployment_body(request, location, compute, ids))
        self._ready(deployment, request)

    def invoke(self, request: JobRequest, rows: str, scored: str) -> Invocation:
        """Start the job that scores the rows below one URI, and leaves predictions beside a file of the other's name.

        Raises:
            HttpResponseError: the service refused.
        """
        url = str((self.held(request.name) or {}).get("properties", {}).get("scoringUri") or "")
        body = invocation_body(request, self._hosting.place(rows), self._hosting.place(scored))
        key = f"{request.name} {request.digest}"
        return self._workspace.invocations.invoke(url, DEPLOYMENT, key, body)

    def jobs(self, name: str) -> list[Invocation]:
        """List the jobs that came of the endpoint of a request's name, oldest first."""
        return self._workspace.invocations.of(short_name(name))

    def of_run(self, run_uid: str, stage: str | None) -> list[tuple[dict[str, str], list[Invocation]]]:
        """List the tags of a run's endpoints, each with its jobs."""
        found = RunsEndpoints(self._resources).of(run_uid, stage)
        return [(tags, self.jobs(tags["causeway-key"])) for tags in found]

    def stop(self, job: str) -> None:
        """Ask a job to stop; one that is ending is left alone."""
        try:
            self._workspace.client.jobs.begin_cancel(job, polling=False)
        except HttpResponseError as exc:
            # A job that is ending, or has ended since, cannot be cancelled: the end will be seen.
            if exc.status_code not in {400, 404, 409}:
                raise

    def retire(self, name: str) -> None:
        """Stop what the endpoint of a request's name still runs; once nothing does, delete it."""
        live = [job for job in self.jobs(name) if not job.phase.terminal]
        for job in live:
            self.stop(job.name)
        if not live:
            self._resources.delete(path_of(name))

    def drop(self, name: str) -> None:
        """Delete the endpoint of a batch that has ended, and its model; what is not let go of now is left to a sweep."""
        path, model = path_of(name), f"models/{short_name(name)}"
        if self._resources.get(path) is None and self._resources.get(model) is None:
            return
        self.retire(name)
        until = time.monotonic() + GOING_SECONDS
        while self._resources.get(path) is not None and time.monotonic() < until:
            rest(_PAUSE_SECONDS)
        if self._resources.get(path) is None:
            self._resources.delete(f"{model}/versions/{hosting.VERSION}")
            self._resources.delete(model)

    @property
    def _resources(self) -> Resources:
        return self._workspace.resources

    def _once(self, path: str, body: hosting.Body) -> None:
        """Create it; one that somebody else is creating is taken as it is."""
        try:
            self._resources.put(path, body)
        except HttpResponseError as exc:
            if exc.status_code not in {400, 409} or self._resources.get(path) is None:
                raise

    def _ready(self, path: str, request: JobRequest) -> None:
        """Wait until the service has made what lies at a path for this very request."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            held = self._resources.get(path)
            if held is not None:
                _check(held, request)
            status = str(held["properties"].get("provisioningState")) if held else "Deleting"
            if status == serving_states.SUCCEEDED:
                return
            detail = ErrorDetail(cloud=CLOUD, ref=path, code=status)
            if status not in {*serving_states.UNDER_WAY, "Deleting"}:
                why = scrub(self._resources.why(path), limit=1500) or status
                raise failure(ErrorKind.JOB_FAILED, f"{path} could not be made: {why}", detail)
            if status == "Deleting" or time.monotonic() > until:
                raise failure(ErrorKind.UNAVAILABLE, f"{path} is {status}; it is looked for again", detail)
            rest(_PAUSE_SECONDS)


def path_of(name: str) -> str:
    """Return where the endpoint of a request's name lies below its workspace."""
    return f"{ROOT}/{short_name(name)}"


def endpoint_body(request: JobRequest, location: str) -> hosting.Body:
    """Return an endpoint that is invoked with a token of Entra's."""
    return {"location": location, "tags": request.tags, "properties": {"authMode": "AADToken"}}


def deployment_body(
    request: JobRequest, location: str, compute: str, ids: tuple[str, str, str]
) -> hosting.Body:
    """Return one node that scores file by file: by one process, since the server in it takes requests in parallel.

    No file may fail. One that does is tried once more, for as long as the whole batch may take.
    """
    model, environment, code = ids
    batch = request.batch
    told = {SIZE: str(batch.batch_size), PARALLEL: str(batch.max_parallel)} if batch else {}
    timeout = min(request.timeout, LONGEST_MINI_BATCH)
    properties: dict[str, Any] = {
        "model": {"referenceType": "Id", "assetId": model},
        "codeConfiguration": {"codeId": code, "scoringScript": SCRIPT},
        "environmentId": environment,
        "environmentVariables": {**request.env, **told},
        "compute": compute,
        "resources": {"instanceCount": 1},
        "maxConcurrencyPerInstance": 1,
        "miniBatchSize": 1,
        "errorThreshold": 0,
        "retrySettings": {"maxRetries": 1, "timeout": f"PT{max(1, int(timeout.total_seconds()))}S"},
        "outputAction": "SummaryOnly",
        "loggingLevel": "Info",
    }
    return {"location": location, "tags": request.tags, "properties": properties}


def invocation_body(request: JobRequest, rows: str, scored: str) -> hosting.Body:
    """Return what an invocation asks for: the rows to score, and the file beside which predictions shall lie."""
    return {
        "properties": {
            "inputData": {"rows": {"jobInputType": "UriFolder", "uri": rows}},
            "outputData": {"score": {"jobOutputType": "UriFile", "uri": scored}},
            "properties": {"experimentName": request.run.pipeline},
        }
    }


def _check(held: Resource, request: JobRequest) -> None:
    if (held.get("tags") or {}).get("causeway-digest") != request.tags["causeway-digest"]:
        message = f"a batch endpoint for {request.name} exists in the workspace and asks for something else"
        raise failure(ErrorKind.TARGET_CONFLICT, message, ErrorDetail(cloud=CLOUD, ref=str(held["id"])))
