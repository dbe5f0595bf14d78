from pathlib import Path

import pytest

from activities.gcp.identity import LocalAccount, account_of, credentials
from activities.gcp.machines import VertexMachines, machine_spec
from activities.gcp.settings import GcpSettings
from activities.settings import SettingsError
from contracts.errors import ErrorKind
from contracts.machines import Resources
from contracts.units import MIB

ENOUGH = {
    "CAUSEWAY_CONTAINER": "causeway",
    "GOOGLE_CLOUD_PROJECT": "causeway-dev",
    "CAUSEWAY_GCP_LOCATION": "us-central1",
}


def test_three_variables_are_enough_for_the_real_cloud() -> None:
    settings = GcpSettings.from_mapping(ENOUGH)
    assert settings.parent == "projects/causeway-dev/locations/us-central1"
    assert settings.storage_endpoint == "https://storage.googleapis.com"


@pytest.mark.parametrize("name", list(ENOUGH))
def test_a_variable_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        GcpSettings.from_mapping({**ENOUGH, name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOOGLE_CLOUD_PROJECT", "No Project"),
        ("CAUSEWAY_GCP_LOCATION", "somewhere"),
        ("CAUSEWAY_GCP_STORAGE_ENDPOINT", "storage.local"),
        ("CAUSEWAY_GCP_VERTEX_ENDPOINT", "http://host/with/path"),
        ("CAUSEWAY_GCP_MACHINE_TYPE", "Large Machine"),
    ],
)
def test_a_variable_that_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        GcpSettings.from_mapping({**ENOUGH, name: value})


@pytest.mark.parametrize("content", [None, "no json", "{}"], ids=["absent", "no JSON", "nothing in it"])
def test_credentials_that_cannot_be_used_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "account.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(SettingsError, match=r"GOOGLE_APPLICATION_CREDENTIALS.*$"):
        credentials()


def test_a_local_account_never_asks_google_about_itself(
    settings: GcpSettings,
) -> None:
    identity = credentials()
    assert isinstance(identity, LocalAccount)
    assert not identity._is_regional_access_boundary_lookup_required()
    assert account_of(identity).endswith(f"@{settings.project}.iam.gserviceaccount.com")


@pytest.mark.parametrize(
    ("resources", "default", "machine"),
    [
        (Resources(), None, "e2-standard-4"),
        (Resources(cpu=2, memory=4096 * MIB), None, "e2-standard-4"),
        (Resources(cpu=4, memory=32 * 1024 * MIB), None, "e2-highmem-4"),
        (Resources(cpu=64), None, "n2-standard-64"),
        (Resources(cpu=2), "n1-standard-8", "n1-standard-8"),
        (Resources(cpu=32), "e2-standard-4", "e2-standard-32"),
        (Resources(cpu=64, instance="a2-highgpu-1g"), "e2-standard-4", "a2-highgpu-1g"),
    ],
    ids=["nothing asked", "small", "memory", "cpu", "unknown default", "default too small", "named"],
)
def test_a_job_gets_the_cheapest_machine_that_suffices(
    resources: Resources, default: str | None, machine: str
) -> None:
    assert VertexMachines(preferred=default).choose("train", resources).instance == machine


@pytest.mark.parametrize(
    ("resources", "spec"),
    [
        (
            Resources(cpu=8, accelerator="T4"),
            {
                "machine_type": "n1-standard-8",
                "accelerator_type": "NVIDIA_TESLA_T4",
                "accelerator_count": 1,
            },
        ),
        (
            Resources(accelerator="A100:2"),
            {
                "machine_type": "a2-highgpu-2g",
                "accelerator_type": "NVIDIA_TESLA_A100",
                "accelerator_count": 2,
            },
        ),
        (
            Resources(instance="n1-highmem-32", accelerator="P100:4"),
            {
                "machine_type": "n1-highmem-32",
                "accelerator_type": "NVIDIA_TESLA_P100",
                "accelerator_count": 4,
            },
        ),
        (Resources(instance="n1-standard-8"), {"machine_type": "n1-standard-8"}),
    ],
    ids=["attached", "built in", "at its owner's word", "bare"],
)
def test_an_accelerator_is_asked_for_by_googles_name(resources: Resources, spec: dict[str, object]) -> None:
    assert machine_spec(VertexMachines().choose("train", resources)) == spec


def test_an_accelerator_that_google_has_not_is_answered_with_those_it_has() -> None:
    with pytest.raises(
        Exception, match=r"A10:1 \(there are A100, .*L4.*the nearest is n1-standard-4 with .*T4:1"
    ) as raised:
        VertexMachines().choose("train", Resources(accelerator="a10"))
    assert getattr(raised.value, "type", "") == ErrorKind.UNSUPPORTED


def test_more_than_any_machine_has_is_unsupported() -> None:
    with pytest.raises(Exception, match=r"resources\.instance") as raised:
        VertexMachines().choose("train", Resources(cpu=1024))
    assert getattr(raised.value, "type", "") == ErrorKind.UNSUPPORTED
