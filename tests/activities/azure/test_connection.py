import os
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.azure import room
from activities.azure.errors import translate
from activities.azure.settings import AzureSettings
from activities.settings import SettingsError
from contracts.connections import ConnectionReport, PreflightRequest
from contracts.errors import ErrorKind

TOKEN = "https://storage.azure.com/.default"


def preflight(settings: AzureSettings, **asked: Any) -> ConnectionReport:
    activities = {method.__name__: method for method in room.activities(settings)}
    request = PreflightRequest(connection="azure/default", **asked)
    report: ConnectionReport = ActivityEnvironment().run(activities["preflight"], request)
    return report


def refusal(settings: AzureSettings, **asked: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        preflight(settings, **asked)
    return raised.value


def test_a_connection_says_who_and_where_it_is(settings: AzureSettings) -> None:
    report = preflight(settings, needs=("storage", "jobs"))
    assert report.container == "az://causeway/"
    assert report.identity == os.environ["AZURE_CLIENT_ID"]
    assert report.region


@pytest.mark.parametrize("private", [True, False], ids=["private", "public"])
def test_a_connection_tells_whether_its_store_can_be_read_from_outside(
    settings: AzureSettings, private: bool
) -> None:
    changed = settings.model_copy(update={"private_store": private})
    assert preflight(changed).readable_from_outside is not private


@pytest.mark.parametrize(
    ("changed", "asked", "kind", "told"),
    [
        ({}, {"needs": ("tables",)}, ErrorKind.UNSUPPORTED, "no tables"),
        (
            {"image": None},
            {"needs": ("jobs",), "image_given": False},
            ErrorKind.UNSUPPORTED,
            "CAUSEWAY_IMAGE",
        ),
        ({}, {"containers": ("az://not-there/",)}, ErrorKind.SOURCE_MISSING, "az storage container create"),
        ({"workspace": "elsewhere"}, {"needs": ("jobs",)}, ErrorKind.SOURCE_MISSING, "elsewhere"),
        ({"compute": "elsewhere"}, {"needs": ("jobs",)}, ErrorKind.SOURCE_MISSING, "elsewhere"),
        ({"datastore": "elsewhere"}, {"needs": ("jobs",)}, ErrorKind.SOURCE_MISSING, "elsewhere"),
    ],
    ids=["tables", "image", "container", "workspace", "compute", "datastore"],
)
def test_what_is_missing_is_named(
    settings: AzureSettings, changed: dict[str, Any], asked: dict[str, Any], kind: ErrorKind, told: str
) -> None:
    error = refusal(settings.model_copy(update=changed), **asked)
    assert error.type == kind
    assert told in str(error)


def test_all_that_stands_in_the_way_is_named_at_once(settings: AzureSettings) -> None:
    changed = settings.model_copy(update={"image": None, "datastore": "elsewhere"})
    needs = ("jobs", "tables")
    error = refusal(changed, needs=needs, image_given=False, containers=("az://not-there/",))
    first, *lines = error.message.splitlines()
    assert first == "4 things stand in the way:"
    named = ("no tables", "CAUSEWAY_IMAGE", "not-there", "datastore elsewhere")
    assert [name in line for name, line in zip(named, lines, strict=True)] == [True] * 4


def test_an_authority_that_is_away_is_unavailable_and_not_a_refusal(
    settings: AzureSettings, sandbox: Any
) -> None:
    identity = room.credential(settings)
    sandbox.sandbox("fault", "azure", "unavailable", "--seconds", "2")
    try:
        with pytest.raises(AzureError) as raised:
            identity.get_token(TOKEN)
    finally:
        sandbox.sandbox("fault", "azure", "clear")
    assert translate(raised.value, "here").type == ErrorKind.UNAVAILABLE
    assert identity.get_token(TOKEN).token


def test_a_wrong_secret_is_a_refusal(settings: AzureSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    error = refusal(settings)
    assert error.type == ErrorKind.UNAUTHENTICATED
    assert "AADSTS" in str(error)


COMPLETE = {
    "CAUSEWAY_CONTAINER": "causeway",
    "CAUSEWAY_AZURE_STORAGE_URL": "https://account.blob.core.windows.net",
    "CAUSEWAY_AZURE_SUBSCRIPTION": "s",
    "CAUSEWAY_AZURE_RESOURCE_GROUP": "r",
    "CAUSEWAY_AZURE_WORKSPACE": "w",
}


@pytest.mark.parametrize("name", COMPLETE)
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not set"):
        AzureSettings.from_mapping({**COMPLETE, name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAUSEWAY_CONTAINER", "Upper"),
        ("CAUSEWAY_CONTAINER", "ab"),
        ("CAUSEWAY_CONTAINER", "a--b"),
        ("CAUSEWAY_AZURE_STORAGE_URL", "http://account.blob.core.windows.net"),
        ("CAUSEWAY_AZURE_STORAGE_URL", "https://account.blob.core.windows.net/?sig=x"),
        ("CAUSEWAY_AZURE_DATASTORE", "a/b"),
        ("CAUSEWAY_AZURE_DISABLE_INSTANCE_DISCOVERY", "perhaps"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is wrong") as raised:
        AzureSettings.from_mapping({**COMPLETE, name: value})
    assert value not in str(raised.value)
