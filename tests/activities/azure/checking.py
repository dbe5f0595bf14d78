"""An Azure connection checked by the worker's own identity, and the faults that are planted for it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core import PipelineClient
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest
from temporalio.testing import ActivityEnvironment

from activities.azure import arm, room
from activities.azure.check import AzureCheck
from activities.azure.identity import WorkerIdentity
from activities.azure.settings import AzureSettings
from contracts.checks import CheckLine, CheckReport, CheckRequest

AUTHORIZATION = "providers/Microsoft.Authorization"


IDENTITIES: dict[str, WorkerIdentity] = {}
"""One for each secret: its tokens are kept, as a worker keeps them."""


def check(settings: AzureSettings, **options: Any) -> CheckReport:
    needs = options.pop("needs", None)
    secret = os.environ["AZURE_CLIENT_SECRET"]
    who = IDENTITIES.get(secret) or IDENTITIES.setdefault(secret, room.credential(settings))
    checked = AzureCheck(
        settings,
        room.blob_service(settings, who),
        room.workspace(settings, who),
        who,
        **options,
    )
    request = CheckRequest(connection="azure/default", needs=needs)
    report: CheckReport = ActivityEnvironment().run(checked.check, request)
    return report


def lines_of(report: CheckReport, word: str, *verdicts: str) -> list[CheckLine]:
    return [
        line for line in report.lines if line.check == word and line.verdict in (verdicts or (line.verdict,))
    ]


class Manager:
    """The resource manager, as `az` speaks to it."""

    def __init__(self, settings: AzureSettings) -> None:
        who = room.credential(settings)
        workspace = room.workspace(settings, who)
        self.base = workspace.manager_url().rstrip("/")
        self.group = f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}"
        account = room.blob_service(settings, who).account_name
        self.account = f"{self.group}/providers/Microsoft.Storage/storageAccounts/{account}"
        policy = BearerTokenCredentialPolicy(who, f"{self.base}/.default")
        self._client: PipelineClient[Any, Any] = PipelineClient(self.base, policies=[policy])

    def send(self, method: str, path: str, body: Any = None, version: str = arm.STORAGE) -> Any:
        request = HttpRequest(method, f"{self.base}{path}?api-version={version}", json=body)
        answer = self._client.send_request(request)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    @contextmanager
    def changed(self, planted: dict[str, Any], mended: dict[str, Any], below: str = "") -> Iterator[None]:
        method = "PUT" if below else "PATCH"
        self.send(method, self.account + below, planted)
        try:
            yield
        finally:
            self.send(method, self.account + below, mended)

    @contextmanager
    def role(self, role: str) -> Iterator[None]:
        path = f"{self.group}/{AUTHORIZATION}/roleAssignments/planted"
        body = {"properties": {"roleDefinitionId": f"{AUTHORIZATION}/roleDefinitions/{role}"}}
        self.send("PUT", path, body, arm.AUTHORIZATION)
        try:
            yield
        finally:
            self.send("DELETE", path, version=arm.AUTHORIZATION)

    @contextmanager
    def without(self, name: str, role: str) -> Iterator[None]:
        path = f"{self.group}/{AUTHORIZATION}/roleAssignments/{name}"
        self.send("DELETE", path, version=arm.AUTHORIZATION)
        try:
            yield
        finally:
            body = {"properties": {"roleDefinitionId": f"{AUTHORIZATION}/roleDefinitions/{role}"}}
            self.send("PUT", path, body, arm.AUTHORIZATION)
