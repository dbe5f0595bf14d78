"""A check of Google Cloud finds what is wrong with a bucket, names it, and prints the command that mends it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.cloud import storage

from activities.gcp import check_policy
from activities.gcp.identity import account_of, credentials
from activities.gcp.settings import GcpSettings
from contracts.checks import CheckLine
from contracts.connections import PreflightRequest
from tests.activities.gcp.looked import checked, lines

Plant = Callable[..., None]
OBJECTS = tuple(f"storage.objects.{verb}" for verb in ("get", "list", "create", "delete", "update"))


@pytest.fixture
def plant(sandbox: Any, settings: GcpSettings) -> Iterator[Plant]:
    """Say what is so of the default bucket, for one test."""
    path = sandbox.root / "state" / "vertex" / "buckets.json"
    try:
        yield lambda **said: path.write_text(json.dumps({settings.container: said}))
    finally:
        path.unlink(missing_ok=True)


@pytest.fixture
def may(sandbox: Any, settings: GcpSettings, objects: storage.Client) -> Iterator[Callable[..., None]]:
    """Let the account do these things with the default bucket, and nothing else anywhere."""
    path = sandbox.root / "state" / "vertex" / "rights.json"

    def rights(*permissions: str) -> None:
        roles = {"some": {"includedPermissions": permissions}}
        bindings = [{"role": "some", "resource": f"gs://{settings.container}"}]
        path.write_text(json.dumps({"roles": roles, "bindings": bindings}))

    try:
        yield rights
    finally:
        path.unlink(missing_ok=True)
        # Who may not delete leaves its probe.
        for blob in objects.list_blobs(settings.container, prefix=".causeway/check/"):
            blob.delete()


def of_bucket(settings: GcpSettings, *checks: str) -> list[CheckLine]:
    report = checked(settings, PreflightRequest(connection="gcp/default", needs=("storage",)))
    return [line for check in checks for line in lines(report, check)]


def one(settings: GcpSettings, check: str, verdict: str) -> CheckLine:
    (line,) = (line for line in of_bucket(settings, check) if line.verdict == verdict)
    return line


@pytest.mark.parametrize("everyone", ["allUsers", "allAuthenticatedUsers"])
def test_a_bucket_that_is_open_to_everyone_fails_with_the_command_that_closes_it(
    settings: GcpSettings, plant: Plant, everyone: str
) -> None:
    role = "roles/storage.objectViewer"
    plant(policy={"bindings": [{"role": role, "members": ["user:a@example.com", everyone]}]})
    line = one(settings, "public_access", "failed")
    assert line.subject == f"gs://{settings.container}/"
    assert line.found == f"open to everyone: {everyone} has {role}"
    remove = f"gcloud storage buckets remove-iam-policy-binding gs://{settings.container}"
    assert line.fix == f"{remove} --member={everyone} --role={role} --all"
    assert line.why


def test_every_role_that_is_everyones_has_its_command(settings: GcpSettings, plant: Plant) -> None:
    roles = ("roles/storage.legacyBucketReader", "roles/storage.objectViewer")
    plant(policy={"bindings": [{"role": role, "members": ["allUsers"]} for role in roles]})
    commands = one(settings, "public_access", "failed").fix.split(" && ")
    assert len(commands) == len(roles)
    assert all(f"--role={role} " in command for role, command in zip(roles, commands, strict=True))


def test_a_binding_for_everyone_that_is_prevented_passes(settings: GcpSettings, plant: Plant) -> None:
    plant(
        policy={"bindings": [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]},
        metadata={"iamConfiguration": {"publicAccessPrevention": "enforced"}},
    )
    found = of_bucket(settings, "public_access")
    assert [line for line in found if line.verdict == "failed"] == []
    assert any(line.found.startswith("prevented, though allUsers") for line in found)


def test_a_bucket_whose_roles_have_members_with_names_passes(settings: GcpSettings, plant: Plant) -> None:
    members = ["user:a@example.com", "domain:example.com", "projectViewer:some"]
    condition = {"title": "own", "expression": "resource.name.startsWith('projects/_/buckets/b/objects/a/')"}
    plant(policy={"version": 3, "bindings": [{"role": "r", "members": members, "condition": condition}]})
    found = {line.found for line in of_bucket(settings, "public_access") if line.verdict == "passed"}
    assert "no role is everyone's" in found


def test_prevention_that_is_not_enforced_is_warned_of_with_its_command(
    settings: GcpSettings, plant: Plant
) -> None:
    kept = {"publicAccessPrevention": "inherited", "uniformBucketLevelAccess": {"enabled": True}}
    plant(metadata={"iamConfiguration": kept})
    line = one(settings, "public_access", "warning")
    assert line.found == "public access prevention is inherited"
    assert line.fix == f"gcloud storage buckets update gs://{settings.container} --public-access-prevention"


def test_who_may_not_see_the_policy_is_told_which_role_shows_it(
    settings: GcpSettings, may: Callable[..., None]
) -> None:
    may(*OBJECTS, "storage.buckets.get")
    line = one(settings, "public_access", "unknown")
    assert line.fix.startswith(f"gcloud projects add-iam-policy-binding {settings.project} ")
    assert line.fix.endswith(
        f"--member=serviceAccount:{account_of(credentials())} --role=roles/iam.securityReviewer"
    )


def test_a_policy_that_opens_the_bucket_is_found_by_who_may_see_nothing_but_it(
    settings: GcpSettings, plant: Plant, may: Callable[..., None]
) -> None:
    may(*check_policy.NEEDS["get_iam_policy"])
    plant(policy={"bindings": [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]})
    assert one(settings, "public_access", "failed").found.startswith("open to everyone")


@pytest.mark.parametrize(
    ("missing", "failed"),
    [
        ("storage.objects.list", {"read"}),
        ("storage.objects.create", {"write"}),
        ("storage.objects.get", {"write"}),
        ("storage.objects.delete", {"write"}),
    ],
)
def test_a_right_on_the_bucket_that_is_missing_fails_with_the_role_that_gives_it(
    settings: GcpSettings, may: Callable[..., None], missing: str, failed: set[str]
) -> None:
    may(*(held for held in OBJECTS if held != missing), "storage.buckets.get", "storage.buckets.getIamPolicy")
    found = [line for line in of_bucket(settings, "read", "write") if line.verdict == "failed"]
    assert {line.check for line in found} == failed
    give = f"gcloud storage buckets add-iam-policy-binding gs://{settings.container} "
    for line in found:
        assert line.fix.startswith(give)
        assert "--role=roles/storage.objectUser" in line.fix


def test_metadata_that_may_not_be_seen_are_not_known_and_name_their_role(
    settings: GcpSettings, may: Callable[..., None]
) -> None:
    may(*OBJECTS, "storage.buckets.getIamPolicy")
    line = one(settings, "region", "unknown")
    assert line.fix.startswith(f"gcloud storage buckets add-iam-policy-binding gs://{settings.container} ")
    assert line.fix.endswith("--role=roles/storage.legacyBucketReader")


def test_the_key_that_encrypts_a_bucket_is_named(settings: GcpSettings, plant: Plant) -> None:
    assert one(settings, "encryption", "passed").found == "with keys of Google"
    key = "projects/p/locations/europe-west4/keyRings/ring/cryptoKeys/key"
    plant(metadata={"encryption": {"defaultKmsKeyName": key}})
    assert one(settings, "encryption", "passed").found == f"with {key}"
