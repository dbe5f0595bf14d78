"""The roles of a pipeline on Azure reach no further than it does."""

import json
import shlex
import subprocess
import sys
from typing import Any

import pytest

from activities.azure import policy
from activities.azure.actions import BLOB_DELETE, BLOB_READ, BLOB_WRITE, BLOBS, CONTAINERS, ML
from activities.azure.settings import AzureSettings
from activities.settings import SettingsError
from contracts.permissions import PermissionRequest
from sandbox.servers.azure.conditions import Act, ConditionError, parse
from starter.spec.load import find, load
from tests.house import CHECKOUT
from workflows.permissions import requests_of

AZURE = AzureSettings.from_mapping(
    {
        "CAUSEWAY_CONTAINER": "acme",
        "CAUSEWAY_AZURE_STORAGE_URL": "https://acmelake.blob.core.windows.net",
        "CAUSEWAY_AZURE_SUBSCRIPTION": "5ub",
        "CAUSEWAY_AZURE_RESOURCE_GROUP": "team",
        "CAUSEWAY_AZURE_WORKSPACE": "lab",
    }
)
ACCOUNT = "/subscriptions/5ub/resourceGroups/team/providers/Microsoft.Storage/storageAccounts/acmelake"
WORKSPACE = (
    "/subscriptions/5ub/resourceGroups/team/providers/Microsoft.MachineLearningServices/workspaces/lab"
)


def told(**asked_for: Any) -> dict[str, Any]:
    request = PermissionRequest.model_validate(
        {"connection": "azure/default", "pipeline": "churn", **asked_for}
    )
    return policy.policies(request, AZURE)


def reached(assignment: dict[str, str], action: str, container: str, name: str) -> bool:
    """Whether a condition lets somebody do this to a blob."""
    attributes = {f"@Resource[{CONTAINERS}:name]": container, f"@Resource[{BLOBS}:path]": name}
    return parse(assignment["Condition"])(Act(action, "", attributes))


def listed(assignment: dict[str, str], container: str, prefix: str) -> bool:
    attributes = {f"@Resource[{CONTAINERS}:name]": container, f"@Request[{BLOBS}:prefix]": prefix}
    return parse(assignment["Condition"])(Act(BLOB_READ, "Blob.List", attributes))


def test_a_role_has_the_members_that_azure_takes() -> None:
    role = told(features=["jobs"])["worker_role"]
    assert list(role) == [
        *("Name", "IsCustom", "Description", "Actions", "NotActions", "DataActions", "NotDataActions"),
        "AssignableScopes",
    ]
    assert role["Name"] == "causeway-worker-churn-azure-default"
    assert role["IsCustom"] is True
    assert role["AssignableScopes"] == ["/subscriptions/5ub/resourceGroups/team"]
    assert role["DataActions"] == sorted([BLOB_DELETE, BLOB_READ, BLOB_WRITE])
    assert not [action for action in (*role["Actions"], *role["DataActions"]) if "*" in action]


def test_a_connection_that_only_moves_data_gets_no_right_to_jobs() -> None:
    found = told()
    assert found["worker_role"]["Actions"] == [f"{CONTAINERS}/read"]
    assert {held["Scope"] for held in found["worker_assignments"]} == {
        ACCOUNT,
        f"{ACCOUNT}/blobServices/default/containers/acme",
    }
    assert {name.partition("_")[0] for name in found} == {"worker"}


@pytest.mark.parametrize(
    ("feature", "has", "lacks"),
    [
        ("jobs", "jobs/write", "onlineEndpoints/write"),
        ("batch_predict", "jobs/write", "onlineEndpoints/write"),
        ("endpoints", "onlineEndpoints/write", "jobs/write"),
    ],
)
def test_a_feature_brings_its_own_rights_on_the_workspace(feature: str, has: str, lacks: str) -> None:
    found = told(features=[feature])
    actions = found["worker_role"]["Actions"]
    assert f"{ML}/{has}" in actions
    assert f"{ML}/{lacks}" not in actions
    assert WORKSPACE in {held["Scope"] for held in found["worker_assignments"]}


@pytest.mark.parametrize("action", [BLOB_READ, BLOB_WRITE, BLOB_DELETE])
def test_a_worker_reaches_its_own_prefixes_and_nothing_beside_them(action: str) -> None:
    (here,) = [held for held in told()["worker_assignments"] if "Condition" in held]
    for name in ("runs/x/y", "code/z", ".causeway/staging/runs/x.1"):
        assert reached(here, action, "acme", name)
    for container, name in (("acme", "other/x"), ("acme", "runsx"), ("else", "runs/x"), ("acme", "x/runs/y")):
        assert not reached(here, action, container, name)


def test_what_is_only_read_may_not_be_written_and_is_listed_by_its_prefix_alone() -> None:
    found = told(reads=["az://lake/raw/", "az://lake/one.csv"])["worker_assignments"]
    (lake,) = [held for held in found if held["Scope"].endswith("/lake")]
    assert lake["Role"] == policy.READER
    assert reached(lake, BLOB_READ, "lake", "raw/a.csv")
    assert reached(lake, BLOB_READ, "lake", "one.csv")
    assert not reached(lake, BLOB_READ, "lake", "one.csv.bak")
    assert not reached(lake, BLOB_READ, "lake", "secret/a.csv")
    assert listed(lake, "lake", "raw/")
    assert not listed(lake, "lake", "")
    assert not listed(lake, "acme", "raw/")


def test_what_is_written_may_arrive_aside_first() -> None:
    found = told(writes=["az://mart/out/"])["worker_assignments"]
    (mart,) = [held for held in found if held["Scope"].endswith("/mart")]
    for action in (BLOB_WRITE, BLOB_DELETE, BLOB_READ):
        assert reached(mart, action, "mart", "out/x")
        assert reached(mart, action, "mart", ".causeway/staging/out/x.0123")
        assert not reached(mart, action, "mart", "in/x")
        assert not reached(mart, action, "mart", ".causeway/staging/in/x.0123")
    assert listed(mart, "mart", "")


def test_making_containers_counts_at_their_account_and_no_wider_in_what_it_reaches() -> None:
    found = told(create=True, reads=["az://lake/raw/"])
    assert f"{CONTAINERS}/write" in found["worker_role"]["Actions"]
    (whole,) = [held for held in found["worker_assignments"] if "Condition" in held]
    assert whole["Scope"] == ACCOUNT
    assert reached(whole, BLOB_READ, "lake", "raw/x")
    assert not reached(whole, BLOB_WRITE, "lake", "raw/x")
    assert reached(whole, BLOB_WRITE, "acme", "runs/x")


def test_jobs_read_what_they_are_given_and_write_below_runs() -> None:
    found = told(features=["jobs"], reads=["az://lake/raw/"])
    assert found["job_role"]["DataActions"] == [BLOB_READ, BLOB_WRITE]
    by_container = {held["Scope"].rpartition("/")[2]: held for held in found["job_assignments"]}
    assert reached(by_container["acme"], BLOB_WRITE, "acme", "runs/x")
    assert not reached(by_container["acme"], BLOB_WRITE, "acme", "code/x")
    assert reached(by_container["acme"], BLOB_READ, "acme", "code/x")
    assert by_container["lake"]["Role"] == policy.READER


def test_a_name_that_a_condition_cannot_hold_is_refused_and_not_let_through() -> None:
    with pytest.raises(SettingsError, match="quote"):
        told(reads=["az://lake/o'brien/"])


@pytest.mark.parametrize(
    "text", ["", "(", "StringEquals 'a'", "ActionMatches{'x'} OR", "@Resource[x] Is 'a'", "'a'"]
)
def test_a_judge_of_conditions_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(ConditionError):
        parse(text)


def test_every_command_is_complete_and_survives_a_shell() -> None:
    found = told(features=["jobs"], reads=["az://lake/raw/"])
    made, *given = [shlex.split(line) for line in found["worker_commands"]]
    assert made[:5] == ["az", "role", "definition", "create", "--role-definition"]
    assert json.loads(made[5]) == found["worker_role"]
    assert len(given) == len(found["worker_assignments"])
    for words, held in zip(given, found["worker_assignments"], strict=True):
        options = dict(zip(words[4::2], words[5::2], strict=True))
        assert options["--assignee-object-id"] == "$WORKER"
        assert options["--role"] == held["Role"]
        assert options["--scope"] == held["Scope"]
        assert options.get("--condition") == held.get("Condition")


def test_metrics_may_be_published_where_they_are_switched_on_and_on_that_resource_alone() -> None:
    request = PermissionRequest(connection="azure/default", pipeline="churn")
    on = AZURE.model_copy(update={"monitor": "InstrumentationKey=x;IngestionEndpoint=https://monitor.test/"})
    held, without = policy.worker_assignments(request, on), policy.worker_assignments(request, AZURE)
    (more,) = [one for one in held if one not in without]
    assert more == {"Role": "Monitoring Metrics Publisher", "Scope": "$MONITOR"}
    assert policy.worker_role(request, on) == policy.worker_role(request, AZURE)
    command = policy.policies(request, on)["worker_commands"][-1]
    told = subprocess.run(
        ["sh", "-c", f"az() {{ printf '%s\\n' \"$@\"; }}; {command}"],
        env={"MONITOR": "/subscriptions/5ub/our insights", "WORKER": "an id"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert told[told.index("--scope") + 1] == "/subscriptions/5ub/our insights"
    assert told[told.index("--role") + 1] == "Monitoring Metrics Publisher"


def test_a_condition_is_no_longer_than_azure_takes() -> None:
    # 8 KB: https://learn.microsoft.com/azure/role-based-access-control/conditions-troubleshoot
    found = told(create=True, reads=[f"az://lake/{n}/" for n in range(9)], writes=["az://mart/out/"])
    assert all(len(held.get("Condition", "")) < 8192 for held in found["worker_assignments"])


def test_the_quickstart_has_a_role_on_azure() -> None:
    (request,) = [
        held for held in requests_of(load(find("quickstart")).spec) if held.connection == "azure/default"
    ]
    done = subprocess.run(
        [sys.executable, "-m", "workers", "permissions", "azure"],
        cwd=CHECKOUT,
        input=f"[{request.model_dump_json()}]",
        capture_output=True,
        text=True,
        env={
            "CAUSEWAY_CONTAINER": "acme",
            "CAUSEWAY_AZURE_STORAGE_URL": "https://acmelake.blob.core.windows.net",
            "CAUSEWAY_AZURE_SUBSCRIPTION": "5ub",
            "CAUSEWAY_AZURE_RESOURCE_GROUP": "team",
            "CAUSEWAY_AZURE_WORKSPACE": "lab",
        },
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)["azure/default"]
    assert printed == policy.policies(request, AZURE)
    assert f"{ML}/jobs/write" in printed["worker_role"]["Actions"]
