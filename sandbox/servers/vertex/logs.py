"""Cloud Logging's `entries:list`, for the lines that jobs and the servers of endpoints print.

A machine keeps one file of lines without times, so an entry's timestamp is the job's start plus one
microsecond a line: the order is right and stays the same, the clock time is not. On the vendor stderr is
severity ERROR; here the two are one stream.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import chain
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import Endpoints
from sandbox.servers.machine import Machines
from sandbox.servers.rights.of_vertex import of_logs
from sandbox.servers.rights.planted import Rights
from sandbox.servers.vertex import filters
from sandbox.servers.vertex.errors import GoogleError, field_violations
from sandbox.servers.vertex.gateway import denied
from sandbox.servers.vertex.jobs import Jobs
from sandbox.servers.vertex.messages import read_json
from sandbox.servers.vertex.states import REPLICA
from sandbox.servers.vertex.tokens import CLOUD_PLATFORM, TokenOffice, require_caller

SERVICE = "logging.googleapis.com"
SCOPES = frozenset(
    {
        CLOUD_PLATFORM,
        "https://www.googleapis.com/auth/logging.read",
        "https://www.googleapis.com/auth/logging.admin",
    }
)
# ListLogEntriesRequest of google/logging/v2/logging.proto; its proto is no dependency of the product.
REQUEST_FIELDS = {"resourceNames": list, "filter": str, "orderBy": str, "pageSize": int, "pageToken": str}
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 1000
READ_AT_MOST_BYTES = 4 * 1024 * 1024
"""Of a longer log only the end is served."""
FILTER_FIELDS = {
    "resource.type": "=",
    "resource.labels.": "=",
    "log_name": "= :",
    "severity": "= != < <= > >=",
    "timestamp": "= != < <= > >=",
    "json_payload.message": "= :",
}
Severity = IntEnum("Severity", "DEFAULT DEBUG INFO NOTICE WARNING ERROR CRITICAL ALERT EMERGENCY")
JOB_ID = re.compile(r'resource\.labels\.job_id\s*=\s*"?(\d+)"?')
ENDPOINT_ID = re.compile(r'resource\.labels\.endpoint_id\s*=\s*"?([a-z0-9-]+)"?')


class LogEntries:
    """`POST /v2/entries:list`."""

    def __init__(
        self,
        jobs: tuple[Jobs, ...],
        servers: Machines,
        office: TokenOffice,
        endpoints: Endpoints,
        rights: Rights,
    ) -> None:
        """Serve the logs of these jobs and of endpoints' servers to whom the office recognises."""
        self._rights = rights
        self._jobs = jobs
        self._servers = servers
        self._office = office
        self._project = endpoints.gcp_project

    def route(self) -> Route:
        """The one route of the service that exists here."""
        return Route("/v2/entries:list", self._answer, methods=["POST"], name="ListLogEntries")

    async def _answer(self, request: Request) -> Response:
        try:
            require_caller(request, self._office, SERVICE, SCOPES)
            body = _checked(read_json(await request.body()))
            missing = self._rights.lacking(of_logs(self._project))
            if missing:
                raise denied(missing)
            return JSONResponse(await run_in_threadpool(self.listed, body))
        except GoogleError as refused:
            return refused.response()

    def listed(self, body: dict[str, Any]) -> dict[str, Any]:
        """One page of the entries that pass the filter, oldest first unless `orderBy` says otherwise."""
        if f"projects/{self._project}" not in body["resourceNames"]:
            raise GoogleError(
                "PERMISSION_DENIED", f"Permission denied for {', '.join(body['resourceNames'])}"
            )
        text = body.get("filter", "")
        accepts = filters.parse(text, FILTER_FIELDS)
        entries = chain(
            *map(self._of_job, JOB_ID.findall(text)), *map(self._of_endpoint, ENDPOINT_ID.findall(text))
        )
        found = [entry for entry in entries if accepts(_lookup(entry))]
        if _newest_first(body.get("orderBy", "")):
            found.reverse()
        start = _read_page_token(body.get("pageToken", ""))
        until = start + min(body.get("pageSize") or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        answer: dict[str, Any] = {"entries": found[start:until]} if found[start:until] else {}
        if until < len(found):
            answer["nextPageToken"] = urlsafe_b64encode(str(until).encode()).decode()
        return answer

    def _of_job(self, job_id: str) -> Iterator[dict[str, Any]]:
        for jobs in self._jobs:
            started_at = jobs.started_at(job_id)
            if started_at is not None:
                labels = {"job_id": job_id, "task_name": REPLICA}
                lines = _lines(jobs.machines.log(job_id), final=jobs.machines.status(job_id).phase == "DONE")
                yield from self._entries(("ml_job", labels, job_id), lines, started_at)

    def _of_endpoint(self, endpoint_id: str) -> Iterator[dict[str, Any]]:
        for machine in self._servers.names():
            if machine.rpartition("-")[0] == f"endpoint-{endpoint_id}":
                status = self._servers.status(machine)
                started = status.started_at
                if started is not None:
                    lines = _lines(self._servers.log(machine), final=status.phase == "DONE")
                    what = ("aiplatform.googleapis.com/Endpoint", {"endpoint_id": endpoint_id}, machine)
                    yield from self._entries(what, lines, datetime.fromtimestamp(started, UTC))

    def _entries(
        self, what: tuple[str, dict[str, str], str], lines: list[str], started_at: datetime
    ) -> Iterator[dict[str, Any]]:
        kind, labels, name = what
        resource = {"type": kind, "labels": {"project_id": self._project, **labels}}
        for number, line in enumerate(lines):
            moment = started_at + timedelta(microseconds=number)
            yield {
                "insertId": f"{name}-{number:09d}",
                "logName": f"projects/{self._project}/logs/{REPLICA}",
                "resource": resource,
                "timestamp": _rfc3339(moment),
                "receiveTimestamp": _rfc3339(moment),
                "severity": "INFO",
                "labels": {"compute.googleapis.com/resource_name": f"cmle-training-{name}"},
                "jsonPayload": {"message": line, "levelname": "INFO", "attrs": {"tag": REPLICA}},
            }


def _lines(log: Path, *, final: bool) -> list[str]:
    """What is written of a line is an entry when the line is whole, or when nothing more will be written."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - READ_AT_MOST_BYTES))
            content = stream.read()
            whole = content if final else content[: content.rfind(b"\n") + 1]
            return whole.decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    for name, value in body.items():
        if name not in REQUEST_FIELDS:
            text = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            raise GoogleError("INVALID_ARGUMENT", text, [field_violations({name: text})])
        if not isinstance(value, REQUEST_FIELDS[name]):
            raise GoogleError("INVALID_ARGUMENT", f"Invalid value at '{name}': {value!r}")
    if not body.get("resourceNames"):
        raise GoogleError("INVALID_ARGUMENT", "A resource must be specified in resourceNames.")
    return body


def _newest_first(order: str) -> bool:
    if order not in ("", "timestamp", "timestamp asc", "timestamp desc"):
        raise GoogleError("INVALID_ARGUMENT", f"Cannot order by {order!r}: only by timestamp.")
    return order.endswith("desc")


def _read_page_token(token: str) -> int:
    try:
        return int(urlsafe_b64decode(token.encode())) if token else 0
    except ValueError:
        raise GoogleError("INVALID_ARGUMENT", f"page_token {token!r} is not one of ours.") from None


def _lookup(entry: dict[str, Any]) -> filters.Lookup:
    def field(name: str) -> Any:
        if name == "timestamp":
            return datetime.fromisoformat(entry["timestamp"])
        if name.startswith("resource.labels."):
            return entry["resource"]["labels"].get(name.removeprefix("resource.labels."))
        if name == "severity":
            return Severity[entry["severity"]]
        found = {"resource.type": entry["resource"]["type"], "log_name": entry["logName"]}
        return found.get(name, entry["jsonPayload"]["message"])

    return field


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
