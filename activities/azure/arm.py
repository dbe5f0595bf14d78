"""Reads of the resource manager beyond the workspace: the storage account, diagnostics, permissions, quotas."""

import threading
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest, HttpResponse

STORAGE = "2023-05-01"
"""https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties"""
INSIGHTS = "2021-05-01-preview"
"""https://learn.microsoft.com/rest/api/monitor/diagnostic-settings/list"""
AUTHORIZATION = "2022-04-01"
"""https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource"""
MACHINE_LEARNING = "2024-04-01"
"""https://learn.microsoft.com/rest/api/azureml/usages/list"""


class ResourceReader:
    """The resource manager of one cloud, only ever read, and each resource once: make one for each check."""

    def __init__(self, manager: Callable[[], str], credential: TokenCredential, **options: Any) -> None:
        """Ask at the URL that `manager` returns; `options` are those of an azure-core client."""
        self._manager = manager
        self._credential = credential
        self._options = options
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._found: dict[str, dict[str, Any]] = {}

    def get(self, resource_id: str, version: str) -> dict[str, Any]:
        """Return a resource by its whole id, as it was when it was first asked for.

        Raises:
            HttpResponseError: the service refused; 404 when there is none.
        """
        url = f"{self._base}{resource_id}?{urlencode({'api-version': version})}"
        with self._locks[url]:
            if url not in self._found:
                self._found[url] = self._fetched(url)
            return self._found[url]

    def _fetched(self, url: str) -> dict[str, Any]:
        answer = self._client.send_request(HttpRequest("GET", url))
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise HttpResponseError(response=answer)
        found: dict[str, Any] = answer.json()
        return found

    @cached_property
    def _base(self) -> str:
        return self._manager().rstrip("/")

    @cached_property
    def _client(self) -> PipelineClient[HttpRequest, HttpResponse]:
        policy = BearerTokenCredentialPolicy(self._credential, f"{self._base}/.default")
        return PipelineClient(self._base, policies=[policy], **self._options)
