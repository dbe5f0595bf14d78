"""Vertex AI's JobService over REST, for custom jobs: create, get, list, cancel, delete."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import Endpoints
from sandbox.servers.faults import Faults
from sandbox.servers.vertex import filters
from sandbox.servers.vertex.checks import check_custom_job
from sandbox.servers.vertex.errors import GoogleError, wrong_fields
from sandbox.servers.vertex.jobs import Jobs
from sandbox.servers.vertex.messages import fill, plain, read_json, request_parameters
from sandbox.servers.vertex.tokens import CLOUD_PLATFORM, TokenOffice, require_caller
from sandbox.servers.vertex.vendor_types import (
    CreateCustomJobRequest,
    JobState,
    ListCustomJobsRequest,
    RestRoute,
    rest_route,
)

SERVICE = "aiplatform.googleapis.com"
DEFAULT_PAGE_SIZE = 100
OUTPUT_ONLY = (
    "name", "state", "create_time", "start_time", "end_time", "update_time", "error", "web_access_uris",
    "satisfies_pzs", "satisfies_pzi",
)  # fmt: skip
# From the comment of ListCustomJobsRequest.filter.
FILTER_FIELDS = {"display_name": "= != :", "state": "= !=", "create_time": "= != < <= > >=", "labels.": "= :"}

Handler = Callable[[str, dict[str, Any], dict[str, str]], dict[str, Any]]


class CustomJobs:
    """The five methods, each given the resource's name, the body and the query."""

    def __init__(self, jobs: Jobs, faults: Faults, office: TokenOffice, endpoints: Endpoints) -> None:
        """Serve these jobs, in the sandbox's project and location only, to whom the office recognises."""
        self._jobs = jobs
        self._faults = faults
        self._office = office
        self._location = f"projects/{endpoints.gcp_project}/locations/{endpoints.gcp_location}"

    def routes(self) -> list[Route]:
        """The routes of the vendor's generated client, answered by the methods below."""
        methods: dict[str, Handler] = {
            "CreateCustomJob": self.create,
            "GetCustomJob": self.get,
            "ListCustomJobs": self.listed,
            "CancelCustomJob": self.cancel,
            "DeleteCustomJob": self.delete,
        }
        return [self._route(name, handler) for name, handler in methods.items()]

    def create(self, parent: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Take a job; the vendor has no client-chosen id, so calling twice makes two jobs."""
        fill(CreateCustomJobRequest, request_parameters(query))
        job = fill(CreateCustomJobRequest, {"customJob": body}).custom_job
        for field in OUTPUT_ONLY:
            job.ClearField(field)
        check_custom_job(job)
        if self._faults.take("quota", job.display_name):
            metric = "aiplatform.googleapis.com/custom_model_training_cpus"
            raise GoogleError(
                "RESOURCE_EXHAUSTED", f"The following quota metrics exceed quota limits: {metric}"
            )
        return plain(self._jobs.create(parent, job), query)

    def get(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """The job as it is now."""
        return plain(self._jobs.get(name), query)

    def listed(self, parent: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """One page of the jobs that pass the filter, newest first."""
        request = fill(ListCustomJobsRequest, request_parameters(query))
        if request.page_size < 0:
            raise wrong_fields({"page_size": "The page size must not be negative."})
        accepts = filters.parse(request.filter, FILTER_FIELDS)
        after = _read_page_token(request.page_token)
        found = [
            job
            for job in self._jobs.listed(parent)
            if (not after or job.name.rsplit("/", 1)[1] < after) and accepts(_lookup(job))
        ]
        page = found[: request.page_size or DEFAULT_PAGE_SIZE]
        answer: dict[str, Any] = {}
        if page:
            answer["customJobs"] = [plain(_masked(job, request.read_mask), query) for job in page]
        if len(page) < len(found):
            answer["nextPageToken"] = urlsafe_b64encode(page[-1].name.rsplit("/", 1)[1].encode()).decode()
        return answer

    def cancel(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Begin to stop the job."""
        self._jobs.cancel(name)
        return {}

    def delete(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Forget a job that has ended; the long-running operation is over at once."""
        self._jobs.delete(name)
        empty = {"@type": "type.googleapis.com/google.protobuf.Empty"}
        return {"name": f"{name}/operations/0", "done": True, "response": empty}

    def _route(self, method: str, handler: Handler) -> Route:
        described = rest_route(method)
        return Route(
            described.path,
            self._endpoint(method, described, handler),
            methods=[described.method],
            name=method,
        )

    def _endpoint(
        self, method: str, described: RestRoute, handler: Handler
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            resource = described.name.format(**request.path_params)
            request.state.resource = resource
            try:
                require_caller(request, self._office, SERVICE, frozenset({CLOUD_PLATFORM}))
                self._require_location(method, resource)
                body = read_json(await request.body()) if described.body else {}
                result = await run_in_threadpool(handler, resource, body, dict(request.query_params))
            except GoogleError as refused:
                return refused.response()
            request.state.resource = result.get("name", resource)
            return JSONResponse(result)

        return answer

    def _require_location(self, method: str, resource: str) -> None:
        if resource == self._location or resource.startswith(f"{self._location}/"):
            return
        permission = f"aiplatform.customJobs.{method.removesuffix('s').removesuffix('CustomJob').lower()}"
        raise GoogleError(
            "PERMISSION_DENIED",
            f"Permission '{permission}' denied on resource '//{SERVICE}/{resource}' (or it may not exist).",
        )


def _lookup(job: Any) -> filters.Lookup:
    def field(name: str) -> Any:
        if name.startswith("labels."):
            return job.labels.get(name.removeprefix("labels."))
        if name == "state":
            return JobState(job.state)
        return job.create_time.ToDatetime(UTC) if name == "create_time" else job.display_name

    return field


def _masked(job: Any, mask: Any) -> Any:
    if not mask.paths:
        return job
    shown = type(job)()
    mask.MergeMessage(job, shown)
    return shown


def _read_page_token(token: str) -> str:
    try:
        return urlsafe_b64decode(token.encode()).decode("ascii")
    except ValueError:
        raise GoogleError("INVALID_ARGUMENT", f"The page token {token!r} is not one of ours.") from None
