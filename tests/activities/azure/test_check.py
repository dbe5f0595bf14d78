"""Each fault is planted by the request that makes it, found by the check, named with its fix, and taken away again."""

import os
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from activities.azure import room
from activities.azure.check_container import ContainerLooks
from activities.azure.check_workspace import allows
from activities.azure.errors import translate
from activities.azure.settings import AzureSettings
from activities.looking import Look, look_at_all, passed
from contracts.checks import CheckLine, CheckReport
from contracts.connections import PreflightRequest
from sandbox.layout import Endpoints
from tests.activities.azure.checking import IDENTITIES, Manager, check, lines_of
from tests.house import PATIENCE_SECONDS


def test_a_connection_as_it_should_be_has_nothing_failed_and_is_checked_soon(
    settings: AzureSettings,
) -> None:
    began = datetime.now(UTC)
    report = check(settings)
    # 20 s on a machine that does nothing else.
    assert datetime.now(UTC) - began < timedelta(seconds=80)
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
    IDENTITIES.clear()
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
        ended.wait(PATIENCE_SECONDS)
        return []

    looks = [
        Look("reach", "slow", hang),
        Look("reach", "quick", lambda: [passed("reach", "quick", "answers")]),
    ]
    lines = look_at_all(looks, translate, seconds=2)
    ended.set()
    assert [line.verdict for line in lines] == ["unreachable", "passed"]


def test_an_action_that_is_taken_out_of_a_role_is_not_allowed() -> None:
    role = {"actions": ["Microsoft.Storage/*"], "notActions": ["Microsoft.Storage/*/delete"]}
    assert allows(role, "microsoft.storage/storageAccounts/read")
    assert not allows(role, "Microsoft.Storage/storageAccounts/delete")


def test_the_worker_registers_the_check(settings: AzureSettings) -> None:
    assert "check" in {method.__name__ for method in room.activities(settings)}
