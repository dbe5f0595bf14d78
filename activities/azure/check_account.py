"""The storage account as its owner set it up: encryption, doors to the outside, what is kept and billed, who watches."""

from collections.abc import Callable
from typing import Any

from azure.core.exceptions import HttpResponseError

from activities.azure import arm
from activities.azure.arm import ResourceReader
from activities.looking import Look, finding, passed
from contracts.checks import CheckLine

Properties = dict[str, Any]
_UNNAMED = "the account does not say"
_AUDITED = ("StorageRead", "StorageWrite", "StorageDelete")
_PRICE = "like a live one (about 0.02 $ per GB a month)"
"""Hot, locally redundant, US, from memory: https://azure.microsoft.com/pricing/details/storage/blobs"""


class AccountLooks:
    """One account, by its ARM id."""

    def __init__(self, reader: ResourceReader, account_id: str, principal: str) -> None:
        """Read it with this reader; `principal` is the object id that a missing right is given to."""
        self._reader = reader
        self._id = account_id
        parts = account_id.split("/")
        self._name, self._group = parts[-1], parts[4]
        self._grant = (
            f"az role assignment create --assignee-object-id {principal} --assignee-principal-type "
            f'ServicePrincipal --role Reader --scope "{account_id}"'
        )

    def all(self, region: Callable[[], str]) -> list[Look]:
        """Every look at the account; `region` is where the workspace is."""
        return [
            self._look("encryption", lambda: [self._encryption(self._account())]),
            self._look("public_access", lambda: [self._public_access(self._account())]),
            self._look("tls_only", lambda: [self._tls(self._account())]),
            self._look("keys", lambda: [self._shared_keys(self._account())]),
            self._look("region", lambda: [self._region(region())]),
            self._look("versions", lambda: [self._versions()]),
            self._look("retention", lambda: [self._retention()]),
            self._look("audit", lambda: [self._audit()]),
        ]

    def _look(self, check: str, take: Callable[[], list[CheckLine]]) -> Look:
        return Look(check, self._name, take, fix=self._grant)

    def _account(self) -> Properties:
        return self._reader.get(self._id, arm.STORAGE).get("properties") or {}

    def _service(self) -> Properties:
        found = self._reader.get(f"{self._id}/blobServices/default", arm.STORAGE)
        return found.get("properties") or {}

    def _update(self, option: str) -> str:
        return f"az storage account update --name {self._name} --resource-group {self._group} {option}"

    def _encryption(self, found: Properties) -> CheckLine:
        encryption = found.get("encryption") or {}
        source = str(encryption.get("keySource") or "")
        twice = ", encrypted twice" if encryption.get("requireInfrastructureEncryption") else ""
        if source.lower() == "microsoft.keyvault":
            key = encryption.get("keyvaultproperties") or encryption.get("keyVaultProperties") or {}
            name = (
                key.get("currentVersionedKeyIdentifier")
                or f"{key.get('keyvaulturi')}keys/{key.get('keyname')}"
            )
            return passed("encryption", self._name, f"your key {name}{twice}")
        if source.lower() == "microsoft.storage":
            return passed("encryption", self._name, f"AES-256 with Microsoft's keys{twice}")
        why = "Data at rest could be read by whoever gets hold of the disks."
        return finding(
            "encryption",
            self._name,
            "unknown",
            _UNNAMED,
            why,
            self._update("--encryption-key-source Microsoft.Storage"),
        )

    def _public_access(self, found: Properties) -> CheckLine:
        # Accounts made before late 2023 that never set it allow it.
        if found.get("allowBlobPublicAccess") is False:
            return passed("public_access", self._name, "no container can be made public")
        why = "Anyone with rights on the account can open a container to the whole internet."
        fix = self._update("--allow-blob-public-access false")
        return finding("public_access", self._name, "warning", "containers may be made public", why, fix)

    def _tls(self, found: Properties) -> CheckLine:
        least = str(found.get("minimumTlsVersion") or "TLS1_0")
        if found.get("supportsHttpsTrafficOnly") is False:
            why = "Tokens and data can travel unencrypted."
            return finding(
                "tls_only",
                self._name,
                "failed",
                "plain http is taken",
                why,
                self._update("--https-only true"),
            )
        if least in ("TLS1_0", "TLS1_1"):
            why = "Versions below 1.2 are broken; a client can be talked down to them."
            fix = self._update("--min-tls-version TLS1_2")
            return finding("tls_only", self._name, "failed", f"https only, but {least} is taken", why, fix)
        return passed("tls_only", self._name, f"https only, {least} at least")

    def _shared_keys(self, found: Properties) -> CheckLine:
        if found.get("allowSharedKeyAccess") is False:
            return passed("keys", self._name, "account keys are refused")
        why = "An account key opens everything, names nobody and never ends; Causeway needs none."
        fix = self._update("--allow-shared-key-access false")
        return finding("keys", self._name, "warning", "account keys are taken", why, fix)

    def _region(self, workspace: str) -> CheckLine:
        account = _bare(self._reader.get(self._id, arm.STORAGE).get("location"))
        if account == _bare(workspace):
            return passed("region", self._name, account)
        found = f"account in {account}, workspace in {_bare(workspace)}"
        why = "Every byte a job reads or writes crosses regions: slower, and billed as transfer between them."
        fix = (
            f"az storage account create --name NEW_NAME --resource-group {self._group} --location {_bare(workspace)} "
            "--sku Standard_LRS --https-only true --min-tls-version TLS1_2 --allow-blob-public-access false"
        )
        return finding("region", self._name, "warning", found, why, fix)

    def _versions(self) -> CheckLine:
        if not self._service().get("isVersioningEnabled"):
            return passed("versions", self._name, "off: only what is there is billed")
        if self._lifecycle():
            return passed("versions", self._name, "on, and a lifecycle rule ends them")
        why = f"Every overwritten or deleted blob stays as a version, billed {_PRICE}, for ever."
        fix = (
            f"az storage account management-policy create --account-name {self._name} --resource-group {self._group} "
            '--policy \'{"rules":[{"enabled":true,"name":"end-versions","type":"Lifecycle","definition":{"filters":'
            '{"blobTypes":["blockBlob"]},"actions":{"version":{"delete":{"daysAfterCreationGreaterThan":30}}}}}]}\''
        )
        return finding("versions", self._name, "warning", "on, and nothing ends them", why, fix)

    def _lifecycle(self) -> bool:
        try:
            found = self._reader.get(f"{self._id}/managementPolicies/default", arm.STORAGE)
        except HttpResponseError as exc:
            if exc.status_code != 404:
                raise
            return False
        rules = ((found.get("properties") or {}).get("policy") or {}).get("rules") or []
        actions = [
            (rule.get("definition") or {}).get("actions") or {} for rule in rules if rule.get("enabled", True)
        ]
        return any("delete" in (action.get("version") or {}) for action in actions)

    def _retention(self) -> CheckLine:
        kept = self._service().get("deleteRetentionPolicy") or {}
        parts = "parts that were never committed are billed for 7 days"
        if not kept.get("enabled"):
            return passed("retention", self._name, f"deleted blobs are gone at once; {parts}")
        days = kept.get("days")
        why = (
            f"Each deleted or overwritten GB, staged data too, is billed {days} days more, {_PRICE}; {parts}."
        )
        fix = (
            f"az storage account blob-service-properties update --account-name {self._name} --resource-group "
            f"{self._group} --enable-delete-retention false"
        )
        return finding("retention", self._name, "warning", f"deleted blobs are kept {days} days", why, fix)

    def _audit(self) -> CheckLine:
        service = f"{self._id}/blobServices/default"
        listed = self._reader.get(f"{service}/providers/Microsoft.Insights/diagnosticSettings", arm.INSIGHTS)
        wheres = [
            where for one in listed.get("value") or [] if (where := _destination(one.get("properties") or {}))
        ]
        if wheres:
            return passed("audit", self._name, f"reads, writes and deletes are logged to {', '.join(wheres)}")
        why = "Nobody can tell afterwards who read, wrote or deleted what."
        logs = ",".join(f'{{"category":"{kind}","enabled":true}}' for kind in _AUDITED)
        fix = (
            f'az monitor diagnostic-settings create --name causeway-audit --resource "{service}" --workspace '
            f"\"$LOG_ANALYTICS_WORKSPACE_ID\" --logs '[{logs}]'"
        )
        return finding(
            "audit", self._name, "warning", "no diagnostic setting logs reads, writes and deletes", why, fix
        )


def _destination(setting: Properties) -> str:
    """Return where a setting sends the logs of all three kinds; nothing when it leaves one out."""
    on = [log for log in setting.get("logs") or [] if log.get("enabled")]
    groups = {log.get("categoryGroup") for log in on}
    kinds = {log.get("category") for log in on}
    if not groups & {"allLogs", "audit"} and not set(_AUDITED) <= kinds:
        return ""
    places = ("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId")
    return next((str(setting[place]).rsplit("/", 1)[-1] for place in places if setting.get(place)), "")


def _bare(region: object) -> str:
    """Return a region's name as the command line writes it: `West Europe` is `westeurope`."""
    return str(region or "").replace(" ", "").lower()
