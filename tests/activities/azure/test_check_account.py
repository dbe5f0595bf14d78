"""Faults of the storage account and of what is kept of it: planted, found, named with their fix, and taken away again."""

from typing import Any

import pytest

from activities.azure import arm
from activities.azure.settings import AzureSettings
from contracts.checks import CheckReport
from tests.activities.azure.checking import Manager, check, lines_of

PLANTED = [
    (
        "tls_only",
        "failed",
        {"supportsHttpsTrafficOnly": False},
        {"supportsHttpsTrafficOnly": True},
        "--https-only true",
    ),
    (
        "tls_only",
        "failed",
        {"minimumTlsVersion": "TLS1_0"},
        {"minimumTlsVersion": "TLS1_2"},
        "--min-tls-version TLS1_2",
    ),
    (
        "public_access",
        "warning",
        {"allowBlobPublicAccess": True},
        {"allowBlobPublicAccess": False},
        "public-access false",
    ),
]


@pytest.mark.parametrize(
    ("word", "verdict", "planted", "mended", "fix"), PLANTED, ids=["http", "old-tls", "may-be-public"]
)
def test_a_fault_of_the_account_is_found_and_its_fix_mends_it(
    settings: AzureSettings, manager: Manager, word: str, verdict: str, planted: Any, mended: Any, fix: str
) -> None:
    with manager.changed({"properties": planted}, {"properties": mended}):
        [line] = lines_of(check(settings), word, "failed", "warning")
    assert line.verdict == verdict
    assert line.why
    assert line.fix.startswith("az storage account update --name ")
    assert fix in line.fix
    assert lines_of(check(settings), word, "failed", "warning") == []


def test_account_keys_are_a_warning_until_they_are_refused(
    settings: AzureSettings, manager: Manager, clean: CheckReport
) -> None:
    assert "--allow-shared-key-access false" in " ".join(
        line.fix for line in lines_of(clean, "keys", "warning")
    )
    off, on = ({"properties": {"allowSharedKeyAccess": taken}} for taken in (False, True))
    with manager.changed(off, on):
        assert "account keys are refused" in [
            line.found for line in lines_of(check(settings), "keys", "passed")
        ]


def test_the_key_of_an_account_that_is_encrypted_is_named(settings: AzureSettings, manager: Manager) -> None:
    key = "https://vault.vault.azure.net/keys/causeway/1"
    own = {"keySource": "Microsoft.Keyvault", "keyvaultproperties": {"currentVersionedKeyIdentifier": key}}
    with manager.changed({"properties": {"encryption": own}}, {"properties": {"encryption": None}}):
        [line] = lines_of(check(settings), "encryption", "passed")
    assert key in line.found


def test_versions_and_soft_delete_are_said_to_cost(settings: AzureSettings, manager: Manager) -> None:
    on = {"isVersioningEnabled": True, "deleteRetentionPolicy": {"enabled": True, "days": 14}}
    off = {"isVersioningEnabled": False, "deleteRetentionPolicy": {"enabled": False}}
    with manager.changed({"properties": on}, {"properties": off}, "/blobServices/default"):
        report = check(settings)
    [versions], [retention] = (
        lines_of(report, "versions", "warning"),
        lines_of(report, "retention", "warning"),
    )
    assert "management-policy create" in versions.fix
    assert "14 days" in retention.found
    assert "billed" in retention.why


def test_versions_that_a_lifecycle_rule_ends_are_no_finding(
    settings: AzureSettings, manager: Manager
) -> None:
    ends = {"actions": {"version": {"delete": {"daysAfterCreationGreaterThan": 30}}}}
    rules = [{"name": "end-versions", "enabled": True, "type": "Lifecycle", "definition": ends}]
    on, off = ({"properties": {"isVersioningEnabled": kept}} for kept in (True, False))
    ruled, bare = ({"properties": {"policy": {"rules": some}}} for some in (rules, []))
    with (
        manager.changed(on, off, "/blobServices/default"),
        manager.changed(ruled, bare, "/managementPolicies/default"),
    ):
        assert "lifecycle" in lines_of(check(settings), "versions", "passed")[0].found


def test_an_account_in_another_region_is_named(settings: AzureSettings, manager: Manager) -> None:
    with manager.changed({"location": "West Europe"}, {"location": "local"}):
        [line] = lines_of(check(settings), "region", "warning")
    assert "westeurope" in line.found
    assert "--location local" in line.fix


def test_diagnostics_that_are_off_are_found_and_what_the_fix_sends_turns_them_on(
    settings: AzureSettings, manager: Manager, clean: CheckReport
) -> None:
    [line] = lines_of(clean, "audit", "warning")
    assert line.fix.startswith("az monitor diagnostic-settings create --name causeway-audit --resource ")
    path = f"{manager.account}/blobServices/default/providers/Microsoft.Insights/diagnosticSettings/causeway-audit"
    logs = [{"category": f"Storage{kind}", "enabled": True} for kind in ("Read", "Write", "Delete")]
    where = {
        "workspaceId": f"{manager.group}/providers/Microsoft.OperationalInsights/workspaces/kept",
        "logs": logs,
    }
    manager.send("PUT", path, {"properties": where}, arm.INSIGHTS)
    try:
        assert lines_of(check(settings), "audit", "passed")[0].found.endswith("to kept")
        manager.send("PUT", path, {"properties": {**where, "logs": logs[:2]}}, arm.INSIGHTS)
        assert lines_of(check(settings), "audit", "warning")
    finally:
        manager.send("DELETE", path, version=arm.INSIGHTS)


def test_a_missing_right_on_the_account_is_unknown_and_named_with_its_role(
    settings: AzureSettings, manager: Manager
) -> None:
    with manager.without("reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7"):
        report = check(settings)
    for word in ("encryption", "tls_only", "audit"):
        [line] = lines_of(report, word)
        assert line.verdict == "unknown"
        assert "AuthorizationFailed" in line.found
        assert "--role Reader --scope" in line.fix
