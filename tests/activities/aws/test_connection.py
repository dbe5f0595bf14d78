from collections.abc import Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.aws import room
from activities.aws.settings import AwsSettings
from contracts.connections import ConnectionReport, MachineRequest, PreflightRequest
from contracts.machines import Resources


@pytest.fixture(scope="module")
def preflight(settings: AwsSettings) -> Callable[..., ConnectionReport]:
    offered = room.activities(settings)
    return lambda **asked: ask(offered, PreflightRequest(connection="aws/default", **asked))


def ask(offered: list[Callable[..., Any]], request: PreflightRequest) -> ConnectionReport:
    method = next(method for method in offered if method.__name__ == "preflight")
    report: ConnectionReport = ActivityEnvironment().run(method, request)
    return report


def test_a_connection_tells_who_it_is_and_what_it_can(
    preflight: Callable[..., ConnectionReport], settings: AwsSettings
) -> None:
    report = preflight(needs=("storage", "jobs"))
    assert report.identity.startswith("arn:aws:iam::")
    assert report.container == f"s3://{settings.container}/"
    assert (report.region, report.capabilities) == (settings.region, ("storage", "jobs"))


@pytest.mark.parametrize("private", [True, False], ids=["private", "public"])
def test_a_connection_tells_whether_its_store_can_be_read_from_outside(
    settings: AwsSettings, private: bool
) -> None:
    offered = room.activities(settings.model_copy(update={"private_store": private}))
    assert ask(offered, PreflightRequest(connection="aws/default")).readable_from_outside is not private


@pytest.mark.parametrize(
    ("asked", "kind", "named"),
    [
        ({"needs": ("tables",)}, "UNSUPPORTED", "gcp"),
        ({"containers": ("s3://causeway-absent/",)}, "SOURCE_MISSING", "aws s3 mb s3://causeway-absent"),
        ({"containers": ("gs://causeway-absent/",)}, "INVALID_REQUEST", "gs://causeway-absent/"),
        ({"containers": ("s3://causeway-forbidden/",)}, "ACCESS_DENIED", "s3://causeway-forbidden/"),
    ],
    ids=["tables", "missing bucket", "another cloud", "forbidden bucket"],
)
def test_what_stands_in_the_way_is_named(
    preflight: Callable[..., ConnectionReport], asked: dict[str, Any], kind: str, named: str
) -> None:
    with pytest.raises(ApplicationError, match=named) as raised:
        preflight(**asked)
    assert raised.value.type == kind


def test_all_that_stands_in_the_way_is_named_at_once(settings: AwsSettings) -> None:
    huge = {name: MachineRequest(kind="train", resources=Resources(cpu=1024)) for name in ("one", "two")}
    request = PreflightRequest(
        connection="aws/default",
        needs=("jobs", "tables"),
        containers=("s3://causeway-absent/", "s3://causeway-forbidden/"),
        image_given=False,
        machines=huge,
    )
    with pytest.raises(ApplicationError) as raised:
        ask(room.activities(settings.model_copy(update={"image": None})), request)
    assert raised.value.type == "SOURCE_MISSING"
    first, *lines = raised.value.message.splitlines()
    assert first == "6 things stand in the way:"
    named = ("causeway-absent", "causeway-forbidden", "no tables", "CAUSEWAY_IMAGE", "stage one", "stage two")
    assert [name in line for name, line in zip(named, lines, strict=True)] == [True] * 6


@pytest.mark.parametrize(
    ("lacking", "named"), [("job_role", "CAUSEWAY_AWS_JOB_ROLE"), ("image", "CAUSEWAY_IMAGE")]
)
def test_a_connection_that_cannot_run_jobs_says_what_it_lacks(
    settings: AwsSettings, lacking: str, named: str
) -> None:
    request = PreflightRequest(connection="aws/default", needs=("jobs",), image_given=False)
    with pytest.raises(ApplicationError, match=named) as raised:
        ask(room.activities(settings.model_copy(update={lacking: None})), request)
    assert raised.value.type == "UNSUPPORTED"


def test_a_wrong_key_is_unauthenticated(settings: AwsSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
    with pytest.raises(ApplicationError) as raised:
        ask(room.activities(settings), PreflightRequest(connection="aws/default"))
    assert raised.value.type == "UNAUTHENTICATED"


def test_an_endpoint_that_does_not_answer_is_unavailable(settings: AwsSettings) -> None:
    away = settings.model_copy(update={"endpoints": {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}})
    with pytest.raises(ApplicationError) as raised:
        ask(room.activities(away), PreflightRequest(connection="aws/default"))
    assert raised.value.type == "UNAVAILABLE"
    assert raised.value.__cause__ is None
