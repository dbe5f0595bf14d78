"""Requests to the servers of Azure ML's online endpoints, each with the key of its endpoint."""

import threading
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest, HttpResponse

from activities.azure.actions import ML
from activities.azure.errors import CLOUD
from activities.azure.resources import Resources
from activities.scrub import scrub
from contracts.errors import ErrorDetail, ErrorKind, failure

NEEDS = {
    "resources.get": (f"{ML}/onlineEndpoints/read",),
    "resources.post": (f"{ML}/onlineEndpoints/listKeys/action",),
    "send_request": (),
}
"""Scores are asked for with the endpoint's own key."""
MODEL_STATUS = "ms-azureml-model-error-statuscode"
"""What the server itself answered, when the endpoint tells of it as a 424:
https://learn.microsoft.com/azure/machine-learning/how-to-troubleshoot-online-endpoints#http-status-codes"""
KIND_OF_ANSWER = {429: ErrorKind.THROTTLED, 503: ErrorKind.UNAVAILABLE}
Door = tuple[str, str]


class Scoring:
    """Scores by the endpoints of one workspace. Addresses and keys are asked for once and kept in memory alone."""

    def __init__(self, resources: Resources, **options: Any) -> None:
        """`options` are those of an azure-core client."""
        self._resources = resources
        # Keys are for the endpoint alone, so no policy may add or log anything.
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            "https://", policies=[], **options
        )
        self._lock = threading.Lock()
        self._doors: dict[str, Door] = {}

    def score(self, path: str, deployment: str, body: bytes) -> bytes:
        """Post a body to the endpoint at this path, for this deployment of it.

        Raises:
            HttpResponseError: the endpoint itself refused.
            ApplicationError: its server did: `THROTTLED`, `UNAVAILABLE`, `INVALID_REQUEST`, `JOB_FAILED`.
        """
        url, key = self._door(path)
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Authorization": f"Bearer {key}",
            # Without it the endpoint's traffic rules choose, and there are none.
            "azureml-model-deployment": deployment,
        }
        answer = self._client.send_request(HttpRequest("POST", url, content=body, headers=headers))
        if answer.status_code == HTTPStatus.FAILED_DEPENDENCY:
            raise _refused(path, answer)
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            self._forget(path)
            raise HttpResponseError(message=f"the endpoint answered {answer.status_code}", response=answer)
        content: bytes = answer.content
        return content

    def _door(self, path: str) -> Door:
        with self._lock:
            if path not in self._doors:
                held = self._resources.get(path)
                url = str((held or {}).get("properties", {}).get("scoringUri") or "")
                if urlsplit(url).scheme != "https":
                    told = f"there is no endpoint {path} that has an address"
                    raise failure(ErrorKind.SOURCE_MISSING, told, ErrorDetail(cloud=CLOUD, ref=path))
                self._doors[path] = (url, self._resources.post(f"{path}/listKeys", {})["primaryKey"])
            return self._doors[path]

    def _forget(self, path: str) -> None:
        """Ask again next time: the key may have been renewed, or the endpoint made anew."""
        with self._lock:
            self._doors.pop(path, None)


def _refused(path: str, answer: HttpResponse) -> Exception:
    told = answer.headers.get(MODEL_STATUS, "")
    status = int(told) if told.isdigit() else 500
    kind = KIND_OF_ANSWER.get(status)
    kind = kind or (ErrorKind.INVALID_REQUEST if status < 500 else ErrorKind.JOB_FAILED)
    words = scrub(answer.text()) or "no words"
    asked = answer.headers.get("Retry-After", "")
    wait = timedelta(seconds=int(asked)) if asked.isdigit() and len(asked) < 6 else None
    detail = ErrorDetail(cloud=CLOUD, ref=path, code=f"model {status}")
    return failure(kind, f"the server of {path} answered {status}: {words[:500]}", detail, retry_after=wait)
