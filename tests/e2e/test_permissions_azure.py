"""The roles that `starter permissions` prints, held by the identity that the worker has: a run needs no more, and no less."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.layout import CONTAINER, Endpoints, Layout
from sandbox.servers.azure.conditions import Act
from sandbox.servers.azure.rights import (
    BLOB_DELEGATOR,
    BLOB_READER,
    JOURNAL,
    SEEDED,
    Asked,
    Rights,
)
from tests.e2e.runs import Run
from tests.house import CHECKOUT, PATIENCE_SECONDS, Sandbox
from tests.pipelines import SLEEPER, write

ML = "Microsoft.MachineLearningServices/workspaces"
CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
BLOBS = f"{CONTAINERS}/blobs"
BUILT_IN = {"Storage Blob Delegator": BLOB_DELEGATOR, "Storage Blob Data Reader": BLOB_READER}
NEVER = (
    *(f"{ML}/{what}" for what in ("write", "delete", "listKeys/action", "computes/write", "jobs/delete")),
    *(f"{ML}/{what}" for what in ("onlineEndpoints/write", "datastores/listSecrets/action", "models/write")),
    *(f"Microsoft.Storage/storageAccounts/{what}" for what in ("write", "delete", "listKeys/action")),
    *(f"{CONTAINERS}/{what}" for what in ("write", "delete", "setAcl/action")),
    *("Microsoft.Authorization/roleAssignments/write", "Microsoft.Compute/virtualMachines/write"),
)
"""What nobody who runs this pipeline may do, on whatever resource."""


class Directory:
    """The account's own person, who changes what the worker may do."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self.group = f"/subscriptions/{endpoints.azure_subscription_id}/resourceGroups/{endpoints.azure_resource_group}"
        self.worker = str(uuid.uuid5(uuid.NAMESPACE_OID, endpoints.azure_client_id))

    def send(self, method: str, path: str, body: Any = None) -> None:
        answer = requests.request(
            method,
            f"{self.endpoints.azure_url}{path}?api-version=2022-04-01",
            json=body,
            headers={"Authorization": f"Bearer {self._token()}"},
            verify=str(self.endpoints.ca_certificate),
            timeout=PATIENCE_SECONDS,
        )
        assert answer.ok, answer.text

    def _token(self) -> str:
        ours = self.endpoints
        fields = {
            "grant_type": "client_credentials",
            "client_id": ours.azure_client_id,
            "client_secret": ours.azure_client_secret,
            "scope": "https://management.azure.com/.default",
        }
        url = f"{ours.azure_url}/{ours.azure_tenant_id}/oauth2/v2.0/token"
        answer = requests.post(url, data=fields, verify=str(ours.ca_certificate), timeout=PATIENCE_SECONDS)
        return str(answer.json()["access_token"])

    @contextmanager
    def only(self, told: dict[str, Any]) -> Iterator[None]:
        """Give the worker what was printed, as `az` does, instead of what it has in a fresh sandbox."""
        definition, made = str(uuid.uuid4()), [str(uuid.uuid4()) for _ in told["worker_assignments"]]
        self._define(definition, told["worker_role"])
        for name, held in zip(made, told["worker_assignments"], strict=True):
            self._assign(name, held, definition)
        for seeded in SEEDED:
            self.send("DELETE", self._path("roleAssignments", seeded.partition("/")[2]))
        try:
            yield
        finally:
            for seeded, held in SEEDED.items():
                path = self._path("roleAssignments", seeded.partition("/")[2])
                self.send("PUT", path, {"properties": {"roleDefinitionId": held["role"]}})
            for name in made:
                self.send("DELETE", self._path("roleAssignments", name))
            self.send("DELETE", self._path("roleDefinitions", definition))

    def _define(self, name: str, role: dict[str, Any]) -> None:
        lists = ("Actions", "NotActions", "DataActions", "NotDataActions")
        permission = {f"{part[0].lower()}{part[1:]}": role[part] for part in lists}
        properties = {
            "roleName": role["Name"],
            "type": "CustomRole",
            "description": role["Description"],
            "permissions": [permission],
            "assignableScopes": role["AssignableScopes"],
        }
        assert role["AssignableScopes"] == [self.group]
        self.send("PUT", self._path("roleDefinitions", name), {"properties": properties})

    def _assign(self, name: str, held: dict[str, str], definition: str) -> None:
        properties = {
            "roleDefinitionId": BUILT_IN.get(held["Role"], definition),
            "principalId": self.worker,
            "principalType": "ServicePrincipal",
        }
        if "Condition" in held:
            properties |= {"condition": held["Condition"], "conditionVersion": held["ConditionVersion"]}
        path = f"{held['Scope']}/providers/Microsoft.Authorization/roleAssignments/{name}"
        self.send("PUT", path, {"properties": properties})

    def _path(self, kind: str, name: str) -> str:
        return f"{self.group}/providers/Microsoft.Authorization/{kind}/{name}"


@pytest.fixture(scope="module")
def directory(house: Sandbox) -> Directory:
    return Directory(Endpoints.load(Layout(root=house.root, tools=house.root, checkout=house.root)))


@pytest.fixture(scope="module")
def file(house: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = house.root / "onprem" / "allowed"
    source.mkdir(exist_ok=True)
    (source / "small.txt").write_text("small")
    # Large enough to be sent in parts.
    (source / "large.bin").write_bytes(os.urandom(36 * 2**20))
    job = {"kind": "train", "code": "src", "command": "python sleep.py --seconds 1 --out {outputs.o}"}
    stages = {
        "ingest": {"kind": "copy", "on": "azure", "source": "file:///allowed/"},
        "fit": {**job, "on": "azure", "inputs": {"data": "ingest"}, "outputs": ["o"]},
        "home": {"kind": "copy", "on": "onprem", "inputs": {"data": "fit.o"}},
        "aside": {
            "kind": "copy",
            "on": "azure",
            "inputs": {"data": "fit.o"},
            "target": f"az://{CONTAINER}/results/",
        },
    }
    spec = {"pipeline": "allowed", "stages": stages, "defaults": {"on_failure": "fail", "retries": 0}}
    return write(tmp_path_factory.mktemp("allowed"), spec, {"src/sleep.py": SLEEPER})


@pytest.fixture(scope="module")
def told(house: Sandbox, file: Path) -> dict[str, Any]:
    """The document, as the command prints it for the settings that the worker has."""
    command = [sys.executable, "-m", "starter", "permissions", str(file), "--cloud", "azure"]
    environment = {**house.variables, **house.environment("azure")}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)["azure/default"]
    return document


def judged(house: Sandbox, after: int, worker: str) -> list[dict[str, Any]]:
    return [entry for entry in house.requests(JOURNAL)[after:] if entry["principal"] == worker]


def test_a_run_succeeds_with_exactly_the_roles_that_are_printed(
    house: Sandbox, directory: Directory, file: Path, told: dict[str, Any]
) -> None:
    before = len(house.requests(JOURNAL))
    with directory.only(told):
        document = Run.start(house, file).until("SUCCEEDED")
        assert document["state"] == "SUCCEEDED"
        taken = judged(house, before, directory.worker)
        assert [entry for entry in taken if not entry["allowed"]] == []
        assert {entry["action"] for entry in taken} >= {
            f"{ML}/read",
            f"{ML}/jobs/read",
            f"{ML}/jobs/write",
            f"{ML}/experiments/runs/read",
            f"{BLOBS}/read",
            f"{BLOBS}/write",
            f"{CONTAINERS}/read",
            # Not the key that URLs are signed by: the worker may still have one of a run before.
        }
        for asked in forbidden(directory):
            assert not rights(house).allows(asked), asked


def rights(house: Sandbox) -> Rights:
    """What the servers judge by, asked here."""
    from sandbox.servers.azure.rights import opened

    return opened(Layout(root=house.root, tools=house.root, checkout=house.root), {})


def forbidden(directory: Directory) -> Iterator[Asked]:
    """Of every other kind of action, and of the same ones on other blobs."""
    ours, who = directory.endpoints, directory.worker
    account = f"{directory.group}/providers/Microsoft.Storage/storageAccounts/{ours.blob_account}"
    workspace = f"{directory.group}/providers/{ML}/{ours.azure_workspace}"
    for action in NEVER:
        for scope in (account, f"{account}/blobServices/default/containers/{CONTAINER}", workspace):
            yield Asked(who, scope, Act(action))
    for container, name in ((CONTAINER, "elsewhere/x"), (CONTAINER, "results"), ("another", "runs/x")):
        scope = f"{account}/blobServices/default/containers/{container}"
        attributes = {f"@Resource[{CONTAINERS}:name]": container, f"@Resource[{BLOBS}:path]": name}
        for verb in ("read", "write", "delete", "add/action", "move/action"):
            yield Asked(who, scope, Act(f"{BLOBS}/{verb}", "", attributes), data=True)


@pytest.mark.parametrize(
    ("part", "action"),
    [
        ("Actions", f"{ML}/jobs/write"),
        ("DataActions", f"{BLOBS}/delete"),
        # Used by another worker alone, which was handed a signature of ours.
        ("DataActions", f"{BLOBS}/write"),
    ],
    ids=["jobs", "deletes", "writes"],
)
def test_a_right_that_is_taken_out_is_missed(
    house: Sandbox, directory: Directory, file: Path, told: dict[str, Any], part: str, action: str
) -> None:
    role = {**told["worker_role"], part: [held for held in told["worker_role"][part] if held != action]}
    before = len(house.requests(JOURNAL))
    with directory.only({**told, "worker_role": role}):
        document = Run.start(house, file).until("FAILED")
    assert "ACCESS_DENIED" in json.dumps(document)
    refused = {entry["action"] for entry in judged(house, before, directory.worker) if not entry["allowed"]}
    assert refused == {action}
