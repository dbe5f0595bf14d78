"""What an Azure connection answers when it is checked: everything that can be seen with the worker's own identity."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.azure import arm
from activities.azure.arm import ResourceReader
from activities.azure.blobs import blob_location
from activities.azure.check_account import AccountLooks
from activities.azure.check_container import ContainerLooks
from activities.azure.check_identity import PUBLIC_AUTHORITY, Clock, credential_line, reach_look
from activities.azure.check_workspace import WorkspaceLooks
from activities.azure.connection import STORAGE_SCOPE
from activities.azure.errors import translate
from activities.azure.identity import claims_of, name_in
from activities.azure.settings import AzureSettings
from activities.azure.workspace import MlWorkspace
from activities.looking import Look, finding, look_at_all, passed
from contracts.checks import CheckActivities, CheckLine, CheckReport, CheckRequest

_OPTIONS: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 8}


def utc_now() -> datetime:
    """The worker's own clock."""
    return datetime.now(UTC)


class AzureCheck(CheckActivities):
    """One storage account and one workspace, looked at with the identity that does the work."""

    def __init__(
        self,
        settings: AzureSettings,
        service: BlobServiceClient,
        workspace: MlWorkspace,
        identity: TokenCredential,
        environment: Mapping[str, str] = os.environ,
        now: Clock = utc_now,
    ) -> None:
        """Check what these reach; `environment` is where azure-identity finds its credentials."""
        self._settings = settings
        self._service = service
        self._workspace = workspace
        self._identity = identity
        self._environment = environment
        self._now = now

    @activity.defn(name="connections.check", no_thread_cancel_exception=True)
    def check(self, request: CheckRequest) -> CheckReport:
        """See the contract."""
        claims: dict[str, Any] = {}
        lines = look_at_all([self._who(claims), *self._reach()], translate)
        lines.insert(1, credential_line(self._environment, self._settings.resource_group))
        looks = self._looks(request, str(claims.get("oid") or "YOUR_OBJECT_ID"))
        lines += look_at_all(looks, translate) if claims else [_unseen(look) for look in looks]
        if request.needs and "tables" in request.needs.needs:
            why = "The stages that ask for tables cannot run here; give them a connection of Google Cloud."
            lines.append(finding("tables", request.connection, "failed", "Azure connections have none", why))
        return CheckReport(connection=request.connection, identity=name_in(claims), lines=tuple(lines))

    def _who(self, claims: dict[str, Any]) -> Look:
        def ask() -> list[CheckLine]:
            claims.update(claims_of(self._identity.get_token(STORAGE_SCOPE).token))
            return [
                passed("identity", name_in(claims), f"tenant {claims.get('tid')}, object {claims.get('oid')}")
            ]

        client = self._environment.get("AZURE_CLIENT_ID", "YOUR_CLIENT_ID")
        fix = f"az ad app credential reset --id {client} --append  # and set AZURE_CLIENT_SECRET to what it prints"
        return Look("identity", client, ask, "failed", "Without a token nothing else can be done.", fix)

    def _reach(self) -> list[Look]:
        authority = self._environment.get("AZURE_AUTHORITY_HOST") or PUBLIC_AUTHORITY
        login = authority if "://" in authority else f"https://{authority}"
        tenant = self._environment.get("AZURE_TENANT_ID") or "common"
        known = f"{login.rstrip('/')}/{tenant}/v2.0/.well-known/openid-configuration"
        return [
            reach_look(
                "Blob storage", lambda: f"{self._settings.storage_url.rstrip('/')}/?comp=list", self._now
            ),
            reach_look("Entra ID", lambda: known, self._now),
            reach_look("Resource Manager", self._workspace.manager_url, self._now),
        ]

    def _looks(self, request: CheckRequest, principal: str) -> list[Look]:
        reader = ResourceReader(self._workspace.manager_url, self._identity, **_OPTIONS)
        account = self._account_id(reader)
        needs = request.needs
        workspace = WorkspaceLooks(reader, self._workspace.resource_id, self._settings, principal)
        containers = ContainerLooks(self._service, account, principal)
        uris = needs.containers if needs else ()
        names = dict.fromkeys([self._settings.container, *(blob_location(uri).container for uri in uris)])
        looks = [look for name in names for look in containers.at(name)]
        looks += [containers.signing(), *AccountLooks(reader, account, principal).all(workspace.region)]
        if needs is None or "jobs" in needs.needs:
            looks += [self._discovery(reader), *workspace.all()]
        return looks

    def _discovery(self, reader: ResourceReader) -> Look:
        def url() -> str:
            found = reader.get(self._workspace.resource_id, arm.MACHINE_LEARNING)
            return str((found.get("properties") or {}).get("discoveryUrl") or "")

        return reach_look("Run history", url, self._now)

    def _account_id(self, reader: ResourceReader) -> str:
        """Return the account's ARM id: as its workspace names it, else in the workspace's resource group."""
        told, name = self._settings, str(self._service.account_name)
        try:
            found = reader.get(self._workspace.resource_id, arm.MACHINE_LEARNING)
            named = str((found.get("properties") or {}).get("storageAccount") or "")
        except (AzureError, ApplicationError):
            # The look at the workspace tells why it cannot be read.
            named = ""
        if named.rsplit("/", 1)[-1].lower() == name.lower():
            return named
        group = f"/subscriptions/{told.subscription}/resourceGroups/{told.resource_group}"
        return f"{group}/providers/Microsoft.Storage/storageAccounts/{name}"


def _unseen(look: Look) -> CheckLine:
    return finding(
        look.check, look.subject, "unknown", "not looked at: there is no token", "See the line on identity."
    )
