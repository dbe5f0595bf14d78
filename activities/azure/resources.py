"""The children of a workspace by the resource manager's own REST calls: models, endpoints, their deployments.

The SDK's calls of these wait by themselves for minutes, print, and take local folders where ours are in the store already.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest, HttpResponse

from activities.asked import answered

NEEDS: dict[str, tuple[str, ...]] = {"send_request": ()}
"""Whoever names a path says what it takes."""
API_VERSION = "2024-04-01"
"""https://learn.microsoft.com/rest/api/azureml/online-endpoints; the version's members are those of the SDK's models."""
Resource = dict[str, Any]
_NOT_NOW = {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}


class Resources:
    """One workspace's resources, by their path below it: `onlineEndpoints/name`."""

    def __init__(
        self, workspace_id: str, manager: Callable[[], str], credential: TokenCredential, **options: Any
    ) -> None:
        """Ask the resource manager at the URL that `manager` returns about the workspace with this ARM id."""
        self.workspace_id = workspace_id
        self._manager = manager
        self._credential = credential
        self._options = options
        self._operations: dict[str, str] = {}
        """Where the service tells how the last change of a resource went."""

    def get(self, path: str) -> Resource | None:
        """Return a resource; None when there is none. The empty path is the workspace itself."""
        answer = self._ask("GET", self._url(path))
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        return _told(answer)

    def put(self, path: str, body: Mapping[str, Any]) -> tuple[Resource, bool]:
        """Create or change a resource; return it, and whether this call made it.

        Raises:
            HttpResponseError: the service refused; 409 while an earlier change of it is under way.
        """
        answer = self._ask("PUT", self._url(path), body)
        found = _told(answer)
        where = answer.headers.get("Azure-AsyncOperation", "")
        # Our token goes to no other host than the resource manager's.
        if urlsplit(where).netloc == urlsplit(self._base).netloc:
            self._operations[path] = where
        return found, answer.status_code == HTTPStatus.CREATED

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """Begin to change some members of a resource.

        Raises:
            HttpResponseError: the service refused; 404 when there is none, 409 while another change of it is under way.
        """
        _told(self._ask("PATCH", self._url(path), body))

    def post(self, path: str, body: Mapping[str, Any]) -> Resource:
        """Ask a resource for something."""
        return _told(self._ask("POST", self._url(path), body))

    def delete(self, path: str) -> None:
        """Ask for the removal of a resource; one that is gone, or busy with another change, is left to the next look."""
        answer = self._ask("DELETE", self._url(path))
        if answer.status_code not in _NOT_NOW:
            _told(answer)

    def all(self, path: str) -> Iterator[Resource]:
        """List a kind of resources, page by page."""
        url: str | None = self._url(path)
        while url:
            page = _told(self._ask("GET", url))
            yield from page["value"]
            url = page.get("nextLink")

    def why(self, path: str) -> str:
        """Return the code and the words with which the last change of a resource failed, as far as this worker knows."""
        where = self._operations.get(path)
        answer = self._ask("GET", where) if where else None
        if answer is None or answer.status_code != HTTPStatus.OK:
            return ""
        error = answer.json().get("error") or {}
        return ": ".join(str(error[part]) for part in ("code", "message") if error.get(part))

    @cached_property
    def _base(self) -> str:
        return self._manager().rstrip("/")

    @cached_property
    def _client(self) -> PipelineClient[HttpRequest, HttpResponse]:
        policy = BearerTokenCredentialPolicy(self._credential, f"{self._base}/.default")
        return PipelineClient(self._base, policies=[policy], **self._options)

    def _url(self, path: str) -> str:
        below = f"/{path}" if path else ""
        return f"{self._base}{self.workspace_id}{below}?{urlencode({'api-version': API_VERSION})}"

    def _ask(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> HttpResponse:
        answer = self._client.send_request(HttpRequest(method, url, json=body))
        answered(answer.headers.get("x-ms-request-id"))
        return answer


def _told(answer: HttpResponse) -> Resource:
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        raise HttpResponseError(response=answer)
    found: Resource = answer.json() if answer.content else {}
    return found
