import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.layout import Layout
from tests.house import Sandbox

MINE = {
    "workflows": (),
    "aws": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "azure": ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    "gcp": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "onprem": (),
}


@pytest.fixture(scope="module")
def histories(house: Sandbox) -> dict[str, str]:
    """The exported histories of a whole run and of its transfers."""
    house.sandbox("up", "--workers")
    run_id = "quickstart/secrets"
    house.starter("run", "--key", "secrets", "--json", check=True)
    listed = json.loads(
        _temporal(house, "list", "--query", f"WorkflowId STARTS_WITH '{run_id}'", "--output", "json")
    )
    names = [item["execution"]["workflowId"] for item in listed]
    assert len(names) == 5, names
    return {name: _temporal(house, "show", "--workflow-id", name, "--output", "json") for name in names}


@pytest.mark.parametrize("worker", MINE)
def test_a_workers_environment_holds_no_other_clouds_credentials(house: Sandbox, worker: str) -> None:
    house.sandbox("up", "--workers")
    known = house.worker(worker).environ()
    for other, names in MINE.items():
        present = [name for name in names if name in known]
        assert present == (list(names) if other == worker else []), f"{worker} sees {present}"


def test_histories_hold_no_key(house: Sandbox, histories: dict[str, str]) -> None:
    endpoints = json.loads((house.root / "endpoints.json").read_text())
    secrets = [
        value
        for name, value in endpoints.items()
        if isinstance(value, str) and re.search(r"secret|blob_key", name)
    ]
    account = json.loads(Path(endpoints["service_account_file"]).read_text())
    secrets += [account["private_key"], account["private_key"].splitlines()[1]]
    assert len(secrets) >= 5
    for name, history in histories.items():
        text = _decoded(history)
        assert "PRIVATE KEY" not in text
        for secret in secrets:
            assert secret not in text, f"{name} holds a key"


def test_every_signed_url_in_a_history_ends_within_a_quarter_of_an_hour(histories: dict[str, str]) -> None:
    urls = [
        url for history in histories.values() for url in re.findall(r"https?://[^\"\\ ]+", _decoded(history))
    ]
    signed = [url for url in urls if re.search(r"X-Amz-Signature|X-Goog-Signature|[?&]sig=", url)]
    assert signed, "grants do travel through histories; the documents say so"
    for url in signed:
        life = re.search(r"X-(?:Amz|Goog)-Expires=(\d+)", url)
        assert life is None or int(life[1]) <= 900
        assert life or re.search(r"[?&]se=", url)


def test_no_bulk_bytes_travel_through_histories(histories: dict[str, str]) -> None:
    assert all(len(history) < 2_000_000 for history in histories.values())
    data = (Path(__file__).parents[2] / "pipelines/quickstart/data/breast_cancer.csv").read_text()
    line = data.splitlines()[5]
    assert all(line not in _decoded(history) for history in histories.values())


def test_files_with_keys_are_readable_by_their_owner_only(house: Sandbox) -> None:
    held = [house.root / "endpoints.json", *(house.root / "env").glob("*.env")]
    assert len(held) > 5
    for path in held:
        assert path.stat().st_mode & 0o077 == 0, path.name


def _decoded(history: str) -> str:
    """The history with every payload in clear: they are base64 of JSON."""
    import base64

    def reveal(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64decode(item).decode(errors="replace")
                if key == "data" and isinstance(item, str)
                else reveal(item)
                for key, item in value.items()
            }
        return [reveal(item) for item in value] if isinstance(value, list) else value

    return (
        json.dumps(reveal(json.loads(history)), ensure_ascii=False).replace('\\"', '"').replace("\\\\", "\\")
    )


def _temporal(house: Sandbox, *arguments: str) -> str:
    binary = Layout.from_environment().tools / "local" / "bin" / "temporal"
    address = house.environment("starter")["TEMPORAL_ADDRESS"]
    done = subprocess.run(
        [str(binary), "workflow", *arguments, "--address", address],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": str(house.root)},
    )
    return done.stdout
