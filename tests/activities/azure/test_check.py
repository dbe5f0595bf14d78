"""Each fault is planted by the request that makes it, found by the check, named with its fix, and taken away again."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core import PipelineClient
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from temporalio.testing import ActivityEnvironment

from activities.azure import arm, room
from activities.azure.check import AzureCheck
from activities.azure.check_container import ContainerLooks
from activities.azure.check_workspace import allows
from activities.azure.errors import translate
from activities.azure.identity import WorkerIdentity
from activities.azure.settings import AzureSettings
from activities.looking import Look, look_at_all, passed
from contracts.checks import CheckLine, CheckReport, CheckRequest
from contracts.connections import PreflightRequest
from sandbox.layout import Endpoints, Layout

AUTHORIZATION = "providers/Microsoft.Authorization"


_IDENTITIES: dict[str, WorkerIdentity] = {}
"""One for each secret: its tokens are kept, as a worker keeps them."""


def check(settings: AzureSettings, **options: Any) -> CheckReport:
    needs = options.pop("needs", None)
    secret = os.environ["AZURE_CLIENT_SECRET"]
    who = _IDENTITIES.get(secret) or _IDENTITIES.setdefault(secret, room.credential(settings))
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


@pytest.fixture(scope="module")
def manager(settings: AzureSettings) -> Manager:
    return Manager(settings)


@pytest.fixture(scope="module")
def endpoints(sandbox: Any) -> Endpoints:
    """With the account's key, which no worker holds."""
    return Endpoints.load(Layout(sandbox.root, sandbox.root, sandbox.root))


@pytest.fixture(scope="module")
def clean(settings: AzureSettings) -> CheckReport:
    return check(settings)


def test_a_connection_as_it_should_be_has_nothing_failed_and_is_checked_within_20_seconds(
    settings: AzureSettings,
) -> None:
    began = datetime.now(UTC)
    report = check(settings)
    assert datetime.now(UTC) - began < timedelta(seconds=20)
    assert [line for line in report.lines if line.verdict in ("failed", "unreachable")] == []
    assert report.identity == os.environ["AZURE_CLIENT_ID"]


def test_what_the_emulator_cannot_know_is_unknown_and_not_passed(clean: CheckReport) -> None:
    assert {line.check for line in clean.lines if line.verdict == "unknown"} == {"encryption", "quota"}


def test_every_look_that_can_be_taken_passes(clean: CheckReport) -> None:
    seen = {line.check for line in clean.lines if line.verdict == "passed"}
    assert seen >= {
        "identity", "reach", "clock", "region", "read", "write", "excess", "public_access", "tls_only", "versions",
        "retention", "jobs", "keys",
    }  # fmt: skip


def test_a_client_secret_is_a_warning_and_a_workload_identity_is_not(
    settings: AzureSettings, clean: CheckReport
) -> None:
    assert lines_of(clean, "keys", "warning")[0].subject == "AZURE_CLIENT_SECRET"
    kept = {name: value for name, value in os.environ.items() if name != "AZURE_CLIENT_SECRET"}
    keyless = check(settings, environment={**kept, "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token"})
    assert "workload identity" in [line.found for line in lines_of(keyless, "keys", "passed")]


def test_a_wrong_secret_is_one_failed_line_and_nothing_else_is_guessed(
    settings: AzureSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    report = check(settings)
    failed = [line for line in report.lines if line.verdict == "failed"]
    assert [line.check for line in failed] == ["identity"]
    assert "AADSTS7000215" in failed[0].found
    assert failed[0].fix.startswith("az ad app credential reset --id ")
    assert report.identity == ""
    assert {line.verdict for line in lines_of(report, "write")} == {"unknown"}


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


def test_a_public_container_fails(settings: AzureSettings, endpoints: Endpoints) -> None:
    owner = BlobServiceClient(endpoints.blob_behind_url, credential=endpoints.blob_key)
    with owner:
        container = owner.create_container("open-to-all", public_access="blob")
        try:
            report = check(
                settings,
                needs=PreflightRequest(connection="azure/default", containers=("az://open-to-all/",)),
            )
        finally:
            container.delete_container()
    [line] = lines_of(report, "public_access", "failed")
    assert line.subject == "az://open-to-all/"
    assert line.fix.startswith("az storage container-rm update --name open-to-all ")
    assert line.fix.endswith(" --public-access off")
    assert lines_of(report, "jobs") == []


def test_a_container_that_is_missing_fails_with_the_command_that_makes_it(settings: AzureSettings) -> None:
    report = check(settings.model_copy(update={"container": "not-there"}))
    assert {line.check for line in report.lines if line.verdict == "failed"} == {"read", "write", "jobs"}
    assert "az storage container create --name not-there " in lines_of(report, "write")[0].fix


def test_an_identity_that_may_only_read_fails_to_write_and_is_told_the_role(
    settings: AzureSettings, endpoints: Endpoints
) -> None:
    signed = generate_container_sas(
        endpoints.blob_account, "causeway", account_key=endpoints.blob_key, protocol="https",
        permission=ContainerSasPermissions(read=True, list=True), expiry=datetime.now(UTC) + timedelta(minutes=5),
    )  # fmt: skip
    with BlobServiceClient(settings.storage_url, credential=signed) as service:
        lines = look_at_all(ContainerLooks(service, "/account", "me").at("causeway")[:2], translate)
    assert [line.verdict for line in lines] == ["passed", "failed"]
    assert '--role "Storage Blob Data Contributor" --scope "/account/blobServices' in lines[1].fix


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


def test_a_worker_that_may_not_submit_jobs_fails(settings: AzureSettings, manager: Manager) -> None:
    with manager.without("data-scientist", "f6c7c914-8db3-469d-8ca1-694a8f32e121"):
        [line] = lines_of(check(settings), "jobs", "failed")
    assert line.subject == "Microsoft.MachineLearningServices/workspaces/jobs/write"
    assert '--role "AzureML Data Scientist"' in line.fix


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner"),
        ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
    ],
    ids=["owner", "contributor"],
)
def test_a_worker_that_may_do_everything_is_a_warning_that_names_the_narrower_role(
    settings: AzureSettings, manager: Manager, role: str, name: str
) -> None:
    with manager.role(role):
        [line] = lines_of(check(settings), "excess", "warning")
    assert name in line.found
    assert "AzureML Data Scientist" in line.fix


@pytest.mark.parametrize(("minutes", "verdict"), [(3, "warning"), (10, "failed")])
def test_a_clock_that_is_off_is_found(settings: AzureSettings, minutes: int, verdict: str) -> None:
    report = check(settings, now=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    assert {line.verdict for line in lines_of(report, "clock")} == {verdict}


def test_an_endpoint_that_is_away_is_unreachable(settings: AzureSettings) -> None:
    away = settings.model_copy(update={"storage_url": "https://localhost:9/account"})
    report = check(away)
    lost = [line for line in report.lines if line.verdict == "unreachable"]
    assert {"reach", "read", "write"} <= {line.check for line in lost}
    assert lines_of(report, "identity", "passed")


@pytest.mark.parametrize(
    "changed", [{"workspace": "away"}, {"compute": "away"}, {"datastore": "away"}], ids=str
)
def test_what_jobs_need_and_is_missing_fails_with_a_fix(
    settings: AzureSettings, changed: dict[str, str]
) -> None:
    failed = lines_of(check(settings.model_copy(update=changed)), "jobs", "failed")
    assert failed
    assert all(line.fix.startswith(("az ", "printf ")) for line in failed)


def test_a_control_plane_that_is_down_is_unreachable_and_no_refusal(
    settings: AzureSettings, sandbox: Any
) -> None:
    _IDENTITIES.clear()
    sandbox.sandbox("fault", "azure", "unavailable", "--seconds", "30")
    try:
        report = check(settings)
    finally:
        sandbox.sandbox("fault", "azure", "clear")
    assert {line.check for line in report.lines if line.verdict == "unreachable"} == {"identity", "reach"}
    assert [line for line in report.lines if line.verdict == "failed"] == []
    assert lines_of(report, "reach", "passed")[0].subject.startswith("Blob storage")


def test_a_look_that_hangs_does_not_keep_the_others_waiting() -> None:
    ended = threading.Event()

    def hang() -> list[CheckLine]:
        ended.wait(20)
        return []

    looks = [
        Look("reach", "slow", hang),
        Look("reach", "quick", lambda: [passed("reach", "quick", "answers")]),
    ]
    lines = look_at_all(looks, translate, seconds=0.2)
    ended.set()
    assert [line.verdict for line in lines] == ["unreachable", "passed"]


def test_an_action_that_is_taken_out_of_a_role_is_not_allowed() -> None:
    role = {"actions": ["Microsoft.Storage/*"], "notActions": ["Microsoft.Storage/*/delete"]}
    assert allows(role, "microsoft.storage/storageAccounts/read")
    assert not allows(role, "Microsoft.Storage/storageAccounts/delete")


def test_the_worker_registers_the_check(settings: AzureSettings) -> None:
    assert "check" in {method.__name__ for method in room.activities(settings)}
