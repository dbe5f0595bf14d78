"""Lineage as its receiver gets it: OpenLineage, over real HTTP or in a file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError
from temporalio.exceptions import ApplicationError

from activities.lineage import LineageSettings, OpenLineage, dataset_of
from contracts.jobs import RunRef
from contracts.lineage import LineageBatch, LineageEvent
from tests.openlineage import check
from tests.receiver import receiving

UID = "5f0c2e5a9f4d4c0f8f4a3e5b6c7d8e9f"
AT = datetime(2026, 11, 25, 8, tzinfo=UTC)
RUN = RunRef(pipeline="churn", key="k", run_uid=UID)
BATCH = LineageBatch(
    run=RUN,
    events=(
        LineageEvent(kind="START", at=AT),
        LineageEvent(kind="START", at=AT, stage="train", stage_kind="train", inputs=("s3://b/in/a.csv",)),
        LineageEvent(
            kind="COMPLETE",
            at=AT,
            stage="train",
            stage_kind="train",
            inputs=("s3://b/in/a.csv",),
            outputs=("gs://c/runs/1/model/", "bigquery:sales.customers"),
        ),
        LineageEvent(kind="START", at=AT, stage="train", stage_kind="train", attempt=2),
        LineageEvent(kind="ABORT", at=AT, stage="train", stage_kind="train", attempt=2),
        LineageEvent(kind="FAIL", at=AT, error="stage train: the script ended with 1"),
    ),
)


def settings(url: str, **more: str) -> LineageSettings:
    found = LineageSettings.from_mapping({"CAUSEWAY_LINEAGE_URL": url, **more})
    assert found is not None
    return found


def written(folder: Path) -> list[dict[str, Any]]:
    file = folder / "lineage.jsonl"
    receipt = OpenLineage(settings(file.as_uri())).emit(BATCH)
    assert receipt.sent == len(BATCH.events)
    assert file.stat().st_mode & 0o777 == 0o600
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_event_is_an_openlineage_event(tmp_path: Path) -> None:
    for event in written(tmp_path):
        check(event)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("run", "runId"), "no uuid"),
        (("eventTime",), "yesterday"),
        (("eventType",), "STARTED"),
        (("job", "namespace"), None),
        (("run", "facets", "parent", "run"), None),
        (("run", "facets", "mine"), {}),
    ],
)
def test_the_check_refuses_what_is_no_event(tmp_path: Path, path: tuple[str, ...], value: object) -> None:
    event = written(tmp_path)[1]
    holder = event
    for step in path[:-1]:
        holder = holder[step]
    if value is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    with pytest.raises(ValidationError):
        check(event)


def test_a_stage_is_a_child_of_its_run_and_each_attempt_a_run_of_its_own(tmp_path: Path) -> None:
    run, first, ended, second, aborted, failed = written(tmp_path)
    assert run["run"]["runId"] == failed["run"]["runId"] == "5f0c2e5a-9f4d-4c0f-8f4a-3e5b6c7d8e9f"
    assert first["run"]["runId"] == ended["run"]["runId"] != second["run"]["runId"]
    assert second["run"]["runId"] == aborted["run"]["runId"]
    parent = first["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]) == (
        run["run"]["runId"],
        {"namespace": "causeway", "name": "churn", "facets": {}},
    )
    assert (run["job"]["name"], first["job"]["name"]) == ("churn", "churn.train")
    assert failed["run"]["facets"]["errorMessage"]["message"] == "stage train: the script ended with 1"


def test_data_are_named_as_openlineage_names_them(tmp_path: Path) -> None:
    ended = written(tmp_path)[2]
    assert [(one["namespace"], one["name"]) for one in ended["inputs"]] == [("s3://b", "in/a.csv")]
    assert [(one["namespace"], one["name"]) for one in ended["outputs"]] == [
        ("gs://c", "runs/1/model"),
        ("bigquery", "sales.customers"),
    ]
    assert dataset_of("file:///churn/a.csv") == ("file", "/churn/a.csv")
    assert dataset_of("az://c/a", "acme") == ("wasbs://c@acme.dfs.core.windows.net", "a")
    assert dataset_of("az://c/a") == ("az://c", "a")


def test_events_are_posted_one_by_one_and_twice_the_same(tmp_path: Path) -> None:
    with receiving() as receiver:
        sender = OpenLineage(settings(receiver.url, CAUSEWAY_LINEAGE_API_KEY="k3y"))
        sender.emit(BATCH)
        sender.emit(BATCH)
    bodies = [post.body for post in receiver.posts]
    count = len(BATCH.events)
    assert bodies[:count] == bodies[count:]
    assert {post.headers["Authorization"] for post in receiver.posts} == {"Bearer k3y"}
    for body in bodies:
        check(json.loads(body))


def test_a_receiver_that_is_busy_is_unavailable() -> None:
    with receiving() as receiver:
        receiver.answers = [(200, {}), (503, {})]
        with pytest.raises(ApplicationError) as refused:
            OpenLineage(settings(receiver.url)).emit(BATCH)
    assert (refused.value.type, refused.value.non_retryable) == ("UNAVAILABLE", False)


@pytest.mark.parametrize("url", ["http://lineage.example.com/", "ftp://x/", "file:///nowhere/at/all.jsonl"])
def test_a_place_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="CAUSEWAY_LINEAGE_URL"):
        settings(url)
