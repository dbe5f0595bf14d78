from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from sandbox import environment, keys
from sandbox.layout import WORKERS, Endpoints, Layout, Misuse
from sandbox.ports import USUAL

CLOUDS = {"aws": ("AWS_",), "azure": ("AZURE_", "ARM_"), "gcp": ("GOOGLE_",)}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(root=tmp_path, tools=tmp_path / "tools", checkout=tmp_path)


@pytest.fixture
def endpoints(layout: Layout) -> Endpoints:
    made = keys.generate(layout, dict(USUAL))
    keys.refresh(made)
    return made


def secrets_of(endpoints: Endpoints) -> dict[str, set[str]]:
    return {
        "aws": {endpoints.aws_access_key_id, endpoints.aws_secret_access_key},
        "azure": {endpoints.azure_client_secret},
        "gcp": {str(endpoints.service_account_file)},
        "nobody": {endpoints.blob_key, endpoints.aws_root_secret_access_key},
    }


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_sees_only_its_own_clouds_credentials(
    worker: str, layout: Layout, endpoints: Endpoints
) -> None:
    settings = environment.worker(worker, layout, endpoints)
    for cloud, hidden in secrets_of(endpoints).items():
        held = hidden & set(settings.values())
        assert held == (hidden if cloud == worker else set())


@pytest.mark.parametrize("worker", ["workflows", "starter"])
def test_workflows_and_starter_hold_no_cloud_at_all(
    worker: str, layout: Layout, endpoints: Endpoints
) -> None:
    names = set(environment.worker(worker, layout, endpoints))
    own = {"CAUSEWAY_WORKFLOWS"} if worker == "workflows" else set()
    assert names == {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "CAUSEWAY_WEB_UI"} | own


def test_no_setting_of_a_real_cloud_reaches_our_servers(
    layout: Layout, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AZURE_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS", "TEMPORAL_API_KEY"):
        monkeypatch.setenv(name, "real")
    assert "real" not in environment.own(layout, endpoints).values()
    assert "real" not in environment.bare().values()


def test_loopback_is_reached_without_the_callers_proxy(
    layout: Layout, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet")
    assert environment.own(layout, endpoints)["NO_PROXY"] == "intranet,127.0.0.1,localhost"


def test_two_sandboxes_share_no_key(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        layout = Layout(root=tmp_path / name, tools=tmp_path, checkout=tmp_path)
        made.append(keys.generate(layout, dict(USUAL)))
        keys.refresh(made[-1])
    first, second = (set.union(*secrets_of(endpoints).values()) for endpoints in made)
    assert not first & second


def test_the_bundle_trusts_the_callers_authorities_and_ours(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs.pem"
    other = keys.generate(Layout(root=tmp_path / "other", tools=tmp_path, checkout=tmp_path), dict(USUAL))
    theirs.write_text(other.ca_certificate.read_text())
    monkeypatch.setenv("SSL_CERT_FILE", str(theirs))
    endpoints = keys.generate(layout, dict(USUAL))
    keys.refresh(endpoints)
    trusted = {item["serialNumber"] for item in _authorities(endpoints.ca_bundle)}
    ours = {item["serialNumber"] for item in _authorities(endpoints.ca_certificate)}
    assert trusted == ours | {item["serialNumber"] for item in _authorities(theirs)}


def test_the_bundle_does_not_grow_when_the_caller_already_uses_it(
    endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = endpoints.ca_bundle.read_text()
    monkeypatch.setenv("SSL_CERT_FILE", str(endpoints.ca_bundle))
    keys.refresh(endpoints)
    assert endpoints.ca_bundle.read_text() == before


def test_the_service_account_follows_the_token_endpoint_and_keeps_its_key(
    layout: Layout, endpoints: Endpoints
) -> None:
    before = json.loads(endpoints.service_account_file.read_text())
    moved = Endpoints(**{**vars(endpoints), "ports": {**endpoints.ports, "vertex": 23456}})
    keys.refresh(moved)
    after = json.loads(endpoints.service_account_file.read_text())
    assert after["token_uri"] == "http://127.0.0.1:23456/token"
    assert after["private_key"] == before["private_key"]


def _authorities(file: Path) -> list[dict[str, Any]]:
    return ssl.create_default_context(cafile=str(file)).get_ca_certs()


def test_what_a_person_adds_for_a_worker_goes_before_what_the_sandbox_says(
    layout: Layout, endpoints: Endpoints
) -> None:
    layout.settings.mkdir()
    (layout.settings / "aws.env").write_text("# mine\nCAUSEWAY_IMAGE=mine\n\nCAUSEWAY_MACHINES=/m=1.yaml\n")
    told = environment.worker("aws", layout, endpoints)
    assert (told["CAUSEWAY_IMAGE"], told["CAUSEWAY_MACHINES"]) == ("mine", "/m=1.yaml")
    assert environment.worker("azure", layout, endpoints)["CAUSEWAY_IMAGE"] == "sandbox"


def test_an_addition_that_is_no_setting_is_refused_with_its_line(
    layout: Layout, endpoints: Endpoints
) -> None:
    layout.settings.mkdir()
    (layout.settings / "gcp.env").write_text("CAUSEWAY_IMAGE=mine\nexport X\n")
    with pytest.raises(Misuse, match=r"gcp\.env, line 2: write NAME=value"):
        environment.worker("gcp", layout, endpoints)
