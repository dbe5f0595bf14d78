"""A check of Google Cloud finds what is wrong with a project: too many rights, nothing logged, nothing to train on."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from activities.gcp import room
from activities.gcp.check_project import CPUS, ProjectLooks
from activities.gcp.errors import translate
from activities.gcp.identity import account_of, credentials
from activities.gcp.settings import GcpSettings
from activities.looking import look_at_all
from contracts.checks import CheckLine

Plant = Callable[..., None]


@pytest.fixture
def looks(settings: GcpSettings) -> ProjectLooks:
    return room.project_looks(settings, credentials())


@pytest.fixture
def plant(sandbox: Any) -> Iterator[Plant]:
    """Say what is so in the project, for one test."""
    path = sandbox.root / "state" / "vertex" / "project.json"
    try:
        yield lambda **said: path.write_text(json.dumps(said))
    finally:
        path.unlink(missing_ok=True)


@pytest.fixture
def rights(sandbox: Any) -> Iterator[Plant]:
    path = sandbox.root / "state" / "vertex" / "rights.json"
    try:
        yield lambda **said: path.write_text(json.dumps(said))
    finally:
        path.unlink(missing_ok=True)


def lines(looks: ProjectLooks, check: str, *, jobs: bool = True) -> list[CheckLine]:
    found = look_at_all(looks.looks(jobs=jobs), translate)
    return [line for line in found if line.check == check]


def verdicts(found: list[CheckLine]) -> set[str]:
    return {line.verdict for line in found}


def test_a_project_that_is_as_it_should_be_passes(looks: ProjectLooks) -> None:
    for check in ("excess", "audit", "quota"):
        assert verdicts(lines(looks, check)) == {"passed"}, check
    (quota,) = lines(looks, "quota")
    assert quota.found == "42 CPUs, 1 nvidia_t4_gpus"


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("roles/owner", {"resourcemanager.projects.setIamPolicy", "iam.serviceAccountKeys.create"}),
        ("roles/editor", {"compute.instances.create"}),
    ],
)
def test_an_owner_and_an_editor_are_warned_of(
    looks: ProjectLooks, plant: Plant, role: str, may: set[str]
) -> None:
    member = f"serviceAccount:{account_of(credentials())}"
    plant(policy={"bindings": [{"role": role, "members": [member]}]})
    (line,) = lines(looks, "excess")
    assert line.verdict == "warning"
    assert all(name in line.found for name in may)
    assert ("setIamPolicy" in line.found) == (role == "roles/owner")
    assert "get-iam-policy" in line.fix


def test_what_is_not_logged_is_told_service_by_service(looks: ProjectLooks, plant: Plant) -> None:
    reads = [{"service": "storage.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]}]
    plant(policy={"bindings": [], "auditConfigs": reads})
    storage, vertex = lines(looks, "audit")
    assert (storage.found, storage.verdict) == ("DATA_WRITE are not logged", "warning")
    assert vertex.found == "DATA_READ and DATA_WRITE are not logged"
    assert "{logType: DATA_WRITE}" in storage.fix
    assert "{logType: DATA_READ}" not in storage.fix
    assert len(lines(looks, "audit", jobs=False)) == 1


def test_a_region_without_cpus_fails_and_no_jobs_are_no_question(looks: ProjectLooks, plant: Plant) -> None:
    plant(quotas={CPUS.partition("/")[2]: 0})
    (line,) = lines(looks, "quota")
    assert (line.verdict, line.found) == ("failed", "0 CPUs")
    assert line.fix
    assert lines(looks, "quota", jobs=False) == []


def test_a_limit_that_is_not_told_is_not_known(looks: ProjectLooks, plant: Plant) -> None:
    plant(quotas={})
    assert verdicts(lines(looks, "quota")) == {"unknown"}


def test_who_has_the_smallest_rights_only_is_told_what_it_may_not_see(
    looks: ProjectLooks, rights: Plant
) -> None:
    rights(roles={}, bindings=[])
    assert verdicts(lines(looks, "excess")) == {"passed"}
    for check in ("audit", "quota"):
        (line,) = lines(looks, check)
        assert line.verdict == "unknown"
        assert "add-iam-policy-binding" in line.fix
