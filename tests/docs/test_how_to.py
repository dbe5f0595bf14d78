"""What can be judged here of the how-tos: their shell, their policies, and AWS's commands by the SDK's models.

`gcloud`, `bq`, `az`, `docker` and the like have no models here: that a flag of theirs exists no test can tell. The pages say
with which version each was compared.
"""

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from tests.docs import books, walk
from tests.docs.stand_in import SERVICES, WrongCommand, aws, operation_of
from tests.house import CHECKOUT
from workers.connections import Book

PAGES = sorted(books.name_of(paper) for paper in (CHECKOUT / "docs/how-to").glob("*.md"))
AWS = "docs/how-to/aws.md"
END = "Take it all down"
ALONE = [page for page in PAGES if page not in {"docs/how-to/kubernetes.md"}]
FIRST = "docs/how-to/first-cross-cloud-run.md"
ONPREM = "docs/how-to/on-prem.md"
CLOUDS = ("docs/how-to/azure.md", "docs/how-to/google-cloud.md", AWS)
BEFORE = {FIRST: CLOUDS, ONPREM: CLOUDS}
"""Pages that the reader has followed before, to where their ends begin."""
OTHERWISE_NAMED = {
    "s3:PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "s3:PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "s3:PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "s3:ListObjectVersions": ("s3:ListBucketVersions",),
    "s3:DeleteObjects": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "service-quotas:ListServiceQuotas": ("servicequotas:ListServiceQuotas",),
    "service-quotas:RequestServiceQuotaIncrease": ("servicequotas:RequestServiceQuotaIncrease",),
    "ecr:GetLoginPassword": ("ecr:GetAuthorizationToken",),
    "iam:AddRoleToInstanceProfile": ("iam:AddRoleToInstanceProfile", "iam:PassRole"),
}
"""Rights that are not called as their operation: https://docs.aws.amazon.com/service-authorization/latest/reference"""
GIVEN = r"(?:^|[(|;&`] ?|do )aws ([a-z0-9-]+) ([a-z-]+)"
"""Where a command stands: at the start of a line, or after what ends another."""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, walk.Walked]:
    """Each page, walked through once."""
    return {page: done(page, tmp_path_factory.mktemp("page")) for page in ALONE}


def done(page: str, folder: Path) -> walk.Walked:
    before = BEFORE.get(page, ())
    given = {name: "stated" for read in (*before, page) for name in walk.stated(read)}
    known = [walk.shell(read, until=END) for read in before]
    # What was judged on its own page needs no second look, which takes half a second for each command.
    text = ["export JUDGED_BEFORE=yes", *known, "unset JUDGED_BEFORE", walk.shell(page)]
    return walk.walk("\n".join(text), folder, given | walk.inherited())


@pytest.mark.parametrize("page", ALONE)
def test_every_line_of_a_page_is_taken_and_every_variable_was_set_before(
    page: str, walked: dict[str, walk.Walked]
) -> None:
    assert walked[page].code == 0, walked[page].err
    assert walked[page].commands


@pytest.mark.parametrize("page", ALONE)
def test_what_a_page_writes_for_a_shell_is_shell(page: str, walked: dict[str, walk.Walked]) -> None:
    scripts = list(walked[page].folder.glob("*.sh"))
    assert scripts or page != FIRST
    for script in scripts:
        assert subprocess.run(["bash", "-n", script]).returncode == 0


@pytest.mark.parametrize("page", CLOUDS)
def test_a_page_says_what_it_costs_as_of_when_and_how_it_is_undone(page: str) -> None:
    headings = re.findall(r"^## (.+)$", books.read(page), re.MULTILINE)
    assert {"What it costs", END, "What you need yourself"} <= set(headings)
    assert "as of 2025-06-01" in books.read(page)


@pytest.mark.parametrize("page", ALONE)
def test_the_connections_that_a_page_writes_are_sound(page: str, walked: dict[str, walk.Walked]) -> None:
    (file,) = walked[page].folder.glob("**/connections.yaml")
    book = Book(file)
    assert book.connections
    for connection in book.connections:
        if connection != "onprem/default":
            assert book.variables(connection)["CAUSEWAY_CONTAINER"]


def test_a_walk_ends_where_a_page_is_wrong(tmp_path: Path) -> None:
    wrong = {
        "a variable nobody set": 'aws s3api delete-bucket --bucket "$NOBODY"',
        "no such option": "aws s3api create-bucket --name b",
        "no such operation": "aws s3api make-bucket --bucket b",
        "no such service": "aws s4 create-bucket",
        "no such part": "aws s3api put-bucket-versioning --bucket b --versioning-configuration State=Enabled",
        "what is needed is missing": "aws iam create-role --role-name r",
        "no JSON": "aws s3api put-bucket-lifecycle-configuration --bucket b --lifecycle-configuration '{Rules}'",
        "a file nobody wrote": "aws iam put-role-policy --role-name r --policy-name p --policy-document file://p.json",
        "no shell": "for x in a b; do aws sts get-caller-identity",
    }
    for number, (why, text) in enumerate(wrong.items()):
        (tmp_path / str(number)).mkdir()
        assert walk.walk(text, tmp_path / str(number), walk.inherited()).code != 0, why
    (tmp_path / "right").mkdir()
    assert walk.walk("aws sts get-caller-identity", tmp_path / "right", walk.inherited()).code == 0


def policies(done: walk.Walked) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy that a page hands to AWS, as it was after the shell."""
    for words in done.commands:
        for flag, value in itertools.pairwise(words):
            if words[0] == "aws" and flag.removeprefix("--").startswith("policy") and flag != "--policy-name":
                text = (done.folder / value[7:]).read_text() if value.startswith("file://") else value
                yield value, json.loads(text)
            if flag == "--assume-role-policy-document":
                yield value, json.loads((done.folder / value[7:]).read_text())


def printed(page: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for fence in books.fences(page):
        if fence.info == "json" and '"Statement"' in fence.text:
            yield page, json.loads(fence.text)


def test_every_policy_has_the_shape_that_iam_takes(walked: dict[str, walk.Walked]) -> None:
    found = [policy for page in walked.values() for policy in policies(page)]
    papers = [*PAGES, "docs/connections.md"]
    found += [policy for page in papers for policy in printed(page)]
    assert len(found) >= 8
    for name, policy in found:
        assert set(policy) == {"Version", "Statement"}, name
        assert policy["Version"] == "2012-10-17", name
        for statement in policy["Statement"]:
            check_statement(name, statement)


def check_statement(name: str, statement: dict[str, Any]) -> None:
    assert statement["Effect"] in {"Allow", "Deny"}, name
    assert {"Principal", "Resource"} & set(statement), name
    assert set(statement) <= {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}, name
    for action in listed(statement["Action"]):
        assert re.fullmatch(r"[a-z0-9-]+:(\*|[A-Z]\w+)", action), (name, action)
    for resource in listed(statement.get("Resource", [])):
        assert resource == "*" or len(resource.split(":", 5)) == 6, (name, resource)
    for condition in statement.get("Condition", {}).values():
        assert all(":" in key for key in condition), name


def listed(held: Any) -> list[str]:
    return [held] if isinstance(held, str) else held


def given_to_the_worker(done: walk.Walked) -> set[str]:
    files = [
        words[words.index("--policy-document") + 1][7:]
        for words in done.commands
        if words[1:3] == ["iam", "put-role-policy"]
    ]
    held = [json.loads((done.folder / name).read_text())["Statement"] for name in files]
    return {
        action for statements in held for statement in statements for action in listed(statement["Action"])
    }


def test_what_a_page_gives_is_what_some_call_of_the_room_needs(walked: dict[str, walk.Walked]) -> None:
    room = "".join(path.read_text() for path in (CHECKOUT / "activities/aws").glob("*.py"))
    assert [action for action in given_to_the_worker(walked[AWS]) if action not in room] == []


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("docs/how-to/azure.md", ("az", "role", "definition", "create")),
        ("docs/how-to/google-cloud.md", ("gcloud", "iam", "roles", "create")),
        (ONPREM, ("az", "role", "definition", "create")),
    ],
    ids=["azure", "gcp", "onprem"],
)
def test_a_page_gives_the_roles_that_are_printed_and_no_vendor_s_role_over_data(
    page: str, made: tuple[str, ...], walked: dict[str, walk.Walked]
) -> None:
    commands = walked[page].commands
    assert len([words for words in commands if tuple(words[: len(made)]) == made]) >= 2
    parts = [part for words in commands for word in words for part in re.split(r"(?<=^--role)=", word)]
    given = {value for flag, value in itertools.pairwise(parts) if flag == "--role"}
    assert {role for role in given if "quickstart" in role}
    wide = r"roles/(?:storage|aiplatform|bigquery)\..*|.*(?:Contributor|Owner|Data Scientist)"
    assert [role for role in given if re.fullmatch(wide, role)] == []


def test_what_a_check_looks_at_a_page_gives_the_right_for(walked: dict[str, walk.Walked]) -> None:
    looks = "".join(path.read_text() for path in (CHECKOUT / "activities/aws").glob("check*.py"))
    asked = set(re.findall(r"\b(?:s3:Get|cloudtrail:|iam:Get|servicequotas:)\w+", looks))
    assert {"s3:GetBucketPolicy", "cloudtrail:GetTrailStatus", "iam:GetRole"} <= asked
    assert asked - given_to_the_worker(walked[AWS]) == set()


def test_the_reader_is_told_every_right_that_the_page_takes(walked: dict[str, walk.Walked]) -> None:
    (document,) = [policy for _, policy in printed(AWS)]
    told = set(document["Statement"][0]["Action"])
    taken = {right for words in walked[AWS].commands if words[0] == "aws" for right in rights(words)}
    assert taken - told == set()


def rights(words: list[str]) -> tuple[str, ...]:
    service, operation = words[1], words[2]
    if operation == "get-login-password":
        return ("ecr:GetAuthorizationToken",)
    known = SERVICES.get(service, service)
    name = f"{known}:{operation_of(known, operation).name}"
    return OTHERWISE_NAMED.get(name, (name,))


@pytest.mark.parametrize("paper", [*PAGES, "docs/connections.md", "docs/permissions.md"])
def test_every_command_of_aws_in_a_paper_is_one_that_the_sdk_knows(paper: str) -> None:
    services = {*Session().get_available_services(), *SERVICES}
    for service, operation in re.findall(GIVEN, books.code(paper), re.MULTILINE):
        assert service in services, service
        if operation != "get-login-password":
            operation_of(SERVICES.get(service, service), operation)


def test_the_short_form_is_read_as_the_command_line_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Judged only: a test before may have left the address of a local cloud.
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(WrongCommand, match="has no A"):
        aws(["s3api", "put-bucket-versioning", "--bucket", "b", "--versioning-configuration", "A=1"])
    assert aws(
        ["s3api", "put-bucket-versioning", "--bucket", "b", "--versioning-configuration", "Status=Enabled"]
    )
