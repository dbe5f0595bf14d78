"""The run history of a workspace: when a job ran, why it ended, and its log. The job API itself tells none of these."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest, HttpResponse

from activities.azure.actions import ML

NEEDS = {"send_request": (f"{ML}/experiments/runs/read",)}
LOG_FILES = ("user_logs/std_log.txt", "logs/user/stdout/", "user_logs/std_log")
"""How the file is called in which a command's words lie, or begins to be: of a batch its nodes and processes follow."""
TAIL_BYTES = 64 * 1024
"""The most of a log that is read at once."""
_TOTAL = re.compile(r"bytes (?:\d+-\d+|\*)/(\d+)")
_FRACTION = re.compile(r"\.(\d{1,6})\d*")


class RunHistory:
    """The data plane of one workspace, found through its discovery address."""

    def __init__(
        self, url: str, workspace_id: str, credential: TokenCredential, scope: str, **options: Any
    ) -> None:
        """Talk to the API at this URL about the workspace with this ARM id; `options` are those of an azure-core client."""
        identity = BearerTokenCredentialPolicy(credential, scope)
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            url, policies=[identity], **options
        )
        # A log's link carries its own signature; our token is not for that host.
        self._plain: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(url, policies=[], **options)
        self._runs = f"{url.rstrip('/')}/history/v1.0{workspace_id}/runs"

    def details(self, name: str) -> dict[str, Any]:
        """Return what the history knows of a run.

        Raises:
            HttpResponseError: the service refused; 404 while it knows no such run.
        """
        request = HttpRequest("GET", f"{self._runs}/{quote(name, safe='')}/details")
        answer = self._client.send_request(request)
        if answer.status_code != 200:
            raise HttpResponseError(message=f"run history answered {answer.status_code}", response=answer)
        found: dict[str, Any] = answer.json()
        return found

    def step(self, name: str) -> str | None:
        """Return the run of the one step that a pipeline job has; None while there is none."""
        answer = self._client.send_request(
            HttpRequest("GET", f"{self._runs}/{quote(name, safe='')}/children")
        )
        if answer.status_code != 200:
            raise HttpResponseError(message=f"run history answered {answer.status_code}", response=answer)
        found = answer.json().get("value") or []
        return str(found[0]["runId"]) if found else None

    def tag(self, name: str, experiment: str, tags: Mapping[str, str]) -> None:
        """Add tags to a run.

        Raises:
            HttpResponseError: the service refused.
        """
        place = f"{self._runs.removesuffix('/runs')}/experiments/{quote(experiment, safe='')}"
        url = f"{place}/runs/{quote(name, safe='')}"
        answer = self._client.send_request(HttpRequest("PATCH", url, json={"tags": dict(tags)}))
        if answer.status_code != 200:
            raise HttpResponseError(message=f"run history answered {answer.status_code}", response=answer)

    def log(self, name: str, start: int | None) -> tuple[bytes, int]:
        """Return the log from a byte on, or its last `TAIL_BYTES`, and where it ends; nothing while there is none."""
        try:
            link = _log_of(self.details(name).get("logFiles") or {})
        except HttpResponseError as exc:
            if exc.status_code != 404:
                raise
            link = None
        if not link or urlsplit(link).scheme != "https":
            return b"", start or 0
        end = self._size(link)
        first = max(0, end - TAIL_BYTES) if start is None else start
        if first >= end:
            return b"", first
        last = min(end, first + TAIL_BYTES) - 1
        return self._read(link, first, last), last + 1

    def _size(self, link: str) -> int:
        answer = self._ask(link, 0, 0)
        total = _TOTAL.fullmatch(answer.headers.get("Content-Range", ""))
        return int(total[1]) if total else 0

    def _read(self, link: str, first: int, last: int) -> bytes:
        answer = self._ask(link, first, last)
        content: bytes = answer.read()
        return content if answer.status_code in {200, 206} else b""

    def _ask(self, link: str, first: int, last: int) -> HttpResponse:
        request = HttpRequest(
            "GET", link, headers={"x-ms-range": f"bytes={first}-{last}", "x-ms-version": "2021-12-02"}
        )
        answer = self._plain.send_request(request)
        # 416: the log is still empty.
        if answer.status_code not in {200, 206, 404, 416}:
            raise HttpResponseError(message=f"the log's store answered {answer.status_code}", response=answer)
        return answer


def _log_of(files: Mapping[str, str]) -> str | None:
    """Return the link to what the job itself printed."""
    return next(
        (files[name] for start in LOG_FILES for name in sorted(files) if name.startswith(start)), None
    )


def time_of(text: object) -> datetime | None:
    """Read a time of the history: ISO 8601, sometimes with more digits than Python takes."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(lambda found: "." + found[1].ljust(6, "0"), text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
