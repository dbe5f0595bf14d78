from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest

from sandbox.layout import Endpoints, Layout, Unreachable


def endpoints(**changes: object) -> Endpoints:
    plain = Endpoints(
        ports={"aws": 4001, "blob": 4002, "azure": 4003},
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        blob_account="account",
        blob_key="blob-key",
        azure_tenant_id="tenant",
        azure_client_id="client",
        azure_client_secret="client-secret",
        azure_subscription_id="subscription",
        ca_certificate=Path("/s/tls/ca.pem"),
        ca_bundle=Path("/s/tls/bundle.pem"),
        server_certificate=Path("/s/tls/server.pem"),
        server_key=Path("/s/tls/server.key"),
        service_account_file=Path("/s/tls/google.json"),
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def layout(root: Path) -> Layout:
    return Layout(root=root, tools=root / "tools", checkout=root)


def test_endpoints_come_back_as_they_were_saved(tmp_path: Path) -> None:
    saved = endpoints(gcp_project="another")
    saved.save(layout(tmp_path))
    assert Endpoints.load(layout(tmp_path)) == saved


def test_endpoints_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    endpoints().save(layout(tmp_path))
    assert stat.S_IMODE((tmp_path / "endpoints.json").stat().st_mode) == 0o600


def test_saving_leaves_no_other_file_behind(tmp_path: Path) -> None:
    endpoints().save(layout(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["endpoints.json"]


def test_a_missing_sandbox_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="python -m sandbox up"):
        Endpoints.load(layout(tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"], ids=["empty", "cut", "list", "without fields"])
def test_an_unreadable_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "endpoints.json").write_text(text)
    with pytest.raises(Unreachable, match=r"endpoints\.json cannot be read"):
        Endpoints.load(layout(tmp_path))


def test_urls_use_loopback_and_tls_where_the_cloud_needs_it() -> None:
    known = endpoints()
    assert known.s3_url == "http://127.0.0.1:4001"
    assert known.blob_url == "https://localhost:4002/account"
    assert known.azure_url == "https://localhost:4003"


def test_the_root_can_be_chosen_while_tools_stay_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSEWAY_SANDBOX", str(tmp_path))
    monkeypatch.delenv("CAUSEWAY_SANDBOX_TOOLS", raising=False)
    chosen = Layout.from_environment()
    assert chosen.root == tmp_path
    assert chosen.tools == chosen.checkout / ".sandbox" / "tools"
