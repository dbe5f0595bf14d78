"""Vertex AI's JobService over REST, for custom jobs and batch predictions: create, get, list, cancel, delete."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC
from typing import Any

from starlette.routing import Route

from sandbox.servers.faults import Faults
from sandbox.servers.vertex import filters
from sandbox.servers.vertex.errors import GoogleError, wrong_fields
from sandbox.servers.vertex.gateway import Gateway
from sandbox.servers.vertex.jobs import Jobs
from sandbox.servers.vertex.messages import fill, plain, request_parameters
from sandbox.servers.vertex.vendor_types import JobState

DEFAULT_PAGE_SIZE = 100
OUTPUT_ONLY = (
    "name", "state", "create_time", "start_time", "end_time", "update_time", "error", "web_access_uris",
    "satisfies_pzs", "satisfies_pzi", "output_info", "completion_stats", "partial_failures", "resources_consumed",
)  # fmt: skip
# From the comment of ListCustomJobsRequest.filter.
FILTER_FIELDS = {"display_name": "= != :", "state": "= !=", "create_time": "= != < <= > >=", "labels.": "= :"}


class JobMethods:
    """The five methods of one kind of job, each given the resource's name, the body and the query."""

    def __init__(self, jobs: Jobs, faults: Faults) -> None:
        """Serve these jobs."""
        self._jobs = jobs
        self._kind = jobs.kind
        self._faults = faults

    def routes(self, gateway: Gateway) -> list[Route]:
        """The routes of the vendor's generated client, answered by the methods below."""
        noun = self._kind.noun
        return gateway.routes(
            "job",
            {
                f"Create{noun}": self.create,
                f"Get{noun}": self.get,
                f"List{noun}s": self.listed,
                f"Cancel{noun}": self.cancel,
                f"Delete{noun}": self.delete,
            },
        )

    def create(self, parent: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Take a job; the vendor has no client-chosen id, so calling twice makes two jobs."""
        fill(self._kind.create_request, request_parameters(query))
        job = getattr(fill(self._kind.create_request, {self._kind.member: body}), self._kind.field)
        for field in OUTPUT_ONLY:
            if field in job.DESCRIPTOR.fields_by_name:
                job.ClearField(field)
        self._kind.check(job)
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
        request = fill(self._kind.list_request, request_parameters(query))
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
            answer[self._kind.collection] = [plain(_masked(job, request.read_mask), query) for job in page]
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
