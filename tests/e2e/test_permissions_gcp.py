"""The rights that `starter permissions --cloud gcp` prints, planted for the account of the worker: a run needs no more."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from google.auth.transport.requests import Request

from activities.gcp.identity import LocalAccount
from sandbox.layout import CONTAINER, Endpoints, Layout
from sandbox.servers.rights.planted import JOURNAL, planted_at
from tests.e2e.runs import Run
from tests.house import CHECKOUT, PATIENCE_SECONDS, Sandbox
from tests.pipelines import SLEEPER, write

ROWS = "id,label\n1,0\n2,1\n"
NOT_ASKED_HERE = {
    *(
        "aiplatform.customJobs.cancel",
        "logging.logEntries.list",
    ),  # of a stage that is stopped, and of one that fails
    *("aiplatform.batchPredictionJobs.list", "bigquery.tables.list"),  # of a sweep
    "storage.objects.update",  # where the very object lay there before
    "iam.serviceAccounts.signBlob",  # where there is no key
}
"""What is printed, and a run that goes well does not need."""
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def laid_out(house: Sandbox) -> Layout:
    return Layout(root=house.root, tools=house.root, checkout=house.root)


@pytest.fixture
def planted(house: Sandbox) -> Iterator[Path]:
    """Where rights are planted; the account may do everything again afterwards."""
    path = planted_at(laid_out(house))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def pipeline(house: Sandbox, folder: Path, name: str) -> Path:
    source = house.root / "onprem" / name
    source.mkdir(exist_ok=True)
    (source / "rows.csv").write_text(ROWS)
    # Large enough to be sent in parts.
    (source / "large.bin").write_bytes(os.urandom(36 * 2**20))
    job = {"kind": "train", "code": "src", "command": "python sleep.py --seconds 1 --out {outputs.o}"}
    table = f"demo.{name}"
    columns = [{"name": "id", "type": "INTEGER"}, {"name": "label", "type": "INTEGER"}]
    stages = {
        "ingest": {"kind": "copy", "on": "gcp", "source": f"file:///{name}/"},
        "fit": {**job, "on": "gcp", "inputs": {"data": "ingest"}, "outputs": ["o"]},
        "load": {
            "kind": "load_table",
            "on": "gcp",
            "inputs": {"rows": "ingest"},
            "table": table,
            "format": "csv",
            "schema": columns,
            "write": "truncate",
        },
        "ask": {"kind": "query", "on": "gcp", "after": ["load"], "sql": f"SELECT COUNT(*) AS n FROM {table}"},
        "home": {"kind": "copy", "on": "onprem", "inputs": {"data": "fit.o"}},
    }
    spec = {"pipeline": name, "stages": stages, "defaults": {"on_failure": "fail", "retries": 0}}
    return write(folder, spec, {"src/sleep.py": SLEEPER})


def permitted(house: Sandbox, file: Path) -> dict[str, Any]:
    """The worker's rights, as the command prints them for the settings that it has; the account is the worker's own."""
    command = [sys.executable, "-m", "starter", "permissions", str(file), "--cloud", "gcp"]
    told = {**house.variables, **house.environment("gcp")}
    done = subprocess.run(command, cwd=CHECKOUT, env=told, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout.replace("$WORKER", email(house)))["gcp/default"][
        "worker"
    ]
    return document


def email(house: Sandbox) -> str:
    return str(account(house)["client_email"])


def account(house: Sandbox) -> dict[str, Any]:
    endpoints = Endpoints.load(laid_out(house))
    stored: dict[str, Any] = json.loads(endpoints.service_account_file.read_text())
    return stored


def plant(path: Path, rights: dict[str, Any], *, without: str = "") -> None:
    """Put the rights in place at once; a role may lack a permission that it was printed with."""
    held = json.loads(json.dumps(rights))
    for role in held["roles"].values():
        role["includedPermissions"] = [name for name in role["includedPermissions"] if name != without]
    made = path.with_suffix(".new")
    made.write_text(json.dumps(held))
    made.replace(path)


def recorded(house: Sandbox, since: int = 0) -> list[dict[str, Any]]:
    return house.requests(JOURNAL)[since:]


class Caller:
    """The worker's own account, asking over HTTP."""

    def __init__(self, house: Sandbox) -> None:
        self.endpoints = Endpoints.load(laid_out(house))
        load: Any = LocalAccount.from_service_account_file
        held: Any = load(str(self.endpoints.service_account_file), scopes=SCOPES)
        held.refresh(Request())
        self._headers = {"Authorization": f"Bearer {held.token}"}

    def ask(self, method: str, url: str, body: Any = None) -> requests.Response:
        return requests.request(method, url, json=body, headers=self._headers, timeout=PATIENCE_SECONDS)


def never(endpoints: Endpoints) -> dict[str, tuple[str, str, Any]]:
    """What nobody who runs this pipeline may do, each as the request that would."""
    storage = f"{endpoints.gcs_url}/storage/v1/b"
    upload = f"{endpoints.gcs_url}/upload/storage/v1/b/{CONTAINER}/o?uploadType=media&name=elsewhere/data"
    tables = f"{endpoints.bigquery_url}/bigquery/v2/projects/{endpoints.gcp_project}"
    vertex = f"{endpoints.vertex_url}/v1/projects/{endpoints.gcp_project}/locations/{endpoints.gcp_location}"
    return {
        "storage.buckets.delete": ("DELETE", f"{storage}/{CONTAINER}", None),
        "storage.buckets.list": ("GET", f"{storage}?project={endpoints.gcp_project}", None),
        "storage.buckets.create": ("POST", f"{storage}?project={endpoints.gcp_project}", {"name": "another"}),
        "storage.buckets.update": ("PATCH", f"{storage}/{CONTAINER}", {"labels": {"a": "b"}}),
        "storage.buckets.setIamPolicy": ("PUT", f"{storage}/{CONTAINER}/iam", {"bindings": []}),
        "storage.objects.get": ("GET", f"{storage}/{CONTAINER}/o/elsewhere%2Fdata", None),
        "storage.objects.create": ("POST", upload, {}),
        "bigquery.datasets.create": ("POST", f"{tables}/datasets", {"datasetReference": {"datasetId": "x"}}),
        "bigquery.datasets.delete": ("DELETE", f"{tables}/datasets/demo", None),
        "bigquery.tables.get": ("GET", f"{tables}/datasets/demo/tables/somebody_elses", None),
        "aiplatform.endpoints.create": ("POST", f"{vertex}/endpoints", {"displayName": "x"}),
        "aiplatform.models.upload": ("POST", f"{vertex}/models:upload", {"model": {"displayName": "x"}}),
        "aiplatform.customJobs.delete": ("DELETE", f"{vertex}/customJobs/1", None),
    }


def test_a_run_on_google_cloud_succeeds_with_exactly_the_rights_that_are_printed(
    house: Sandbox, planted: Path, tmp_path: Path
) -> None:
    file = pipeline(house, tmp_path, "permittedgcp")
    rights = permitted(house, file)
    plant(planted, rights)
    since = len(recorded(house))
    document = Run.start(house, file).until("SUCCEEDED")
    assert document["state"] == "SUCCEEDED"
    asked = recorded(house, since)
    printed = {name for role in rights["roles"].values() for name in role["includedPermissions"]}
    assert [entry for entry in asked if not entry["granted"]] == []
    assert {entry["permission"] for entry in asked} <= printed
    assert {
        *("storage.objects.create", "storage.objects.delete", "storage.objects.list"),
        *("aiplatform.customJobs.create", "bigquery.jobs.create", "bigquery.tables.updateData"),
    } <= {entry["permission"] for entry in asked}
    assert printed - {entry["permission"] for entry in asked} <= NOT_ASKED_HERE
    caller = Caller(house)
    for permission, (method, url, body) in never(caller.endpoints).items():
        before = len(recorded(house))
        assert caller.ask(method, url, body).status_code == 403, permission
        assert permission in {held["permission"] for held in recorded(house, before) if not held["granted"]}


@pytest.mark.parametrize(
    ("permission", "stage"),
    [
        ("storage.objects.get", "ingest"),
        ("aiplatform.customJobs.create", "fit"),
        ("bigquery.tables.updateData", "load"),
    ],
)
def test_a_right_that_is_taken_out_is_missed_by_the_stage_that_needs_it(
    house: Sandbox, planted: Path, tmp_path: Path, permission: str, stage: str
) -> None:
    file = pipeline(house, tmp_path, f"short{stage}")
    plant(planted, permitted(house, file), without=permission)
    run = Run.start(house, file)
    run.reach("FAILED")
    told = run.stage(stage)
    assert "ACCESS_DENIED" in json.dumps(told)
    assert permission in json.dumps(told)


def test_a_right_to_write_that_is_taken_out_is_told_by_who_pushes_and_not_asked_for_anew(
    house: Sandbox, planted: Path, tmp_path: Path
) -> None:
    file = pipeline(house, tmp_path, "unwritten")
    plant(planted, permitted(house, file), without="storage.objects.create")
    since = len(recorded(house))
    run = Run.start(house, file)
    run.reach("FAILED")
    told = json.dumps(run.stage("ingest"))
    assert "ACCESS_DENIED" in told
    assert "whoever signed the URL" in told
    refused = [entry["permission"] for entry in recorded(house, since) if not entry["granted"]]
    assert set(refused) == {"storage.objects.create"}
