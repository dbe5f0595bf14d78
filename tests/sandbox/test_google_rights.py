"""What the sandbox's Google Cloud refuses once somebody has said what its account may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.layout import CONTAINER, DATASET
from sandbox.servers.journal import Journal
from sandbox.servers.rights.conditions import Unreadable, holds
from sandbox.servers.rights.of_bigquery import BigQueryNeeds
from sandbox.servers.rights.of_storage import StorageNeeds
from sandbox.servers.rights.of_vertex import needs, permission
from sandbox.servers.rights.planted import JOURNAL, Need, Rights, Thing, planted_at
from sandbox.services import bigquery, fronts
from tests.sandbox.google_cloud import CALL_SECONDS, GoogleCloud, custom_job, running

OBJECT = "projects/_/buckets/b/objects/"
PARENT = "projects/p/locations/l"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleCloud]:
    with running(tmp_path_factory.mktemp("google")) as started:
        yield started


@pytest.fixture
def plant(cloud: GoogleCloud) -> Iterator[Any]:
    path = planted_at(cloud.layout)
    try:
        yield lambda *bindings: path.write_text(json.dumps(document(*bindings)))
    finally:
        path.unlink(missing_ok=True)


def document(*bindings: tuple[str, list[str], str]) -> dict[str, Any]:
    roles = {
        f"role{number}": {"includedPermissions": permissions}
        for number, (_, permissions, _) in enumerate(bindings)
    }
    given = [
        {"role": f"role{number}", "resource": resource, "condition": {"expression": condition}}
        for number, (resource, _, condition) in enumerate(bindings)
    ]
    return {"roles": roles, "bindings": given}


@pytest.mark.parametrize(
    ("expression", "held"),
    [
        ('resource.name == "a/b"', True),
        ('resource.name.startsWith("a/")', True),
        ('resource.name.startsWith("b")', False),
        ('resource.name == "x" || resource.name.endsWith("/b")', True),
        ('resource.name == "a/b" && !(resource.type == "T")', False),
        ('resource.name == "x" && resource.name == "y" || resource.type != "x"', True),
    ],
)
def test_a_condition_is_read_as_iam_reads_it(expression: str, held: bool) -> None:
    assert holds(expression, {"name": "a/b", "type": "T"}) is held


@pytest.mark.parametrize("expression", ["request.time < x", 'resource.name == "a', "true", ""])
def test_a_condition_that_says_something_else_is_no_leave(expression: str) -> None:
    with pytest.raises((Unreadable, ValueError)):
        holds(expression, {"name": "a"})


def test_a_right_holds_in_its_place_and_under_its_condition(tmp_path: Path) -> None:
    rights = Rights(tmp_path / "rights.json", Journal(tmp_path / "journal"))
    inside = Need("x.get", Thing("in/1", "s/T", ("gs://b", "projects/p")))
    outside = Need("x.get", Thing("out/1", "s/T", ("gs://b", "projects/p")))
    elsewhere = Need("x.get", Thing("in/1", "s/T", ("gs://c",)))
    assert rights.lacking([outside]) is None
    planted = document(("gs://b", ["x.get"], 'resource.name.startsWith("in/")'))
    (tmp_path / "rights.json").write_text(json.dumps(planted))
    assert rights.lacking([inside]) is None
    assert rights.lacking([inside, outside]) == outside
    assert rights.lacking([elsewhere]) == elsewhere
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert [line["granted"] for line in lines] == [True, True, False, False]


def told(found: list[Need]) -> set[tuple[str, str]]:
    return {(need.permission.rpartition(".")[2], need.thing.name.removeprefix(OBJECT)) for need in found}


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/storage/v1/b/b/o/x%2Fy?alt=media", {("get", "x/y"), ("list", "projects/_/buckets/b")}),
        ("GET", "/storage/v1/b/b/o/held", {("get", "held")}),
        ("DELETE", "/storage/v1/b/b/o/held", {("delete", "held")}),
        ("GET", "/storage/v1/b/b/o?prefix=x", {("list", "projects/_/buckets/b")}),
        ("GET", "/storage/v1/b/b", {("get", "projects/_/buckets/b")}),
        ("POST", "/storage/v1/b/b/o/held/rewriteTo/b/b/o/new", {("get", "held"), ("create", "new")}),
        ("PUT", "/b/held?X-Goog-Signature=1", {("create", "held"), ("delete", "held")}),
        ("GET", "/b/held?X-Goog-Signature=1", {("get", "held")}),
    ],
)
def test_a_request_to_cloud_storage_takes_what_google_says(
    method: str, target: str, expected: set[tuple[str, str]]
) -> None:
    assert told(StorageNeeds("p", lambda _, name: name == "held").of_head(method, target)) == expected


def test_a_composition_takes_its_pieces_and_the_right_to_replace() -> None:
    held = StorageNeeds("p", lambda _, name: name == "whole")
    body = json.dumps({"sourceObjects": [{"name": "1"}, {"name": "2"}]}).encode()
    found = held.of_body("POST", "/storage/v1/b/b/o/whole/compose", body)
    assert told(found) == {("get", "1"), ("get", "2"), ("create", "whole"), ("delete", "whole")}


def test_an_upload_is_judged_by_the_name_that_its_description_holds() -> None:
    body = b'--x\r\nContent-Type: application/json\r\n\r\n{"name": "a/b"}\r\n--x\r\n\r\n\xff\xfe{'
    found = StorageNeeds("p", lambda _, __: False).of_body(
        "POST", "/upload/storage/v1/b/b/o?uploadType=multipart", body
    )
    assert told(found) == {("create", "a/b")}


@pytest.mark.parametrize(
    ("method", "resource", "expected"),
    [
        ("ListCustomJobs", PARENT, "aiplatform.customJobs.list"),
        ("UploadModel", PARENT, "aiplatform.models.upload"),
        ("DeployModel", f"{PARENT}/endpoints/1", "aiplatform.endpoints.deploy"),
        ("RawPredict", f"{PARENT}/endpoints/1", "aiplatform.endpoints.predict"),
        ("GetOperation", f"{PARENT}/models/1/operations/2", "aiplatform.models.get"),
        ("CancelOperation", f"{PARENT}/endpoints/1/operations/2", "aiplatform.endpoints.deploy"),
    ],
)
def test_a_method_of_vertex_takes_what_google_says(method: str, resource: str, expected: str) -> None:
    assert permission(method, resource) == expected


def test_what_runs_as_another_account_takes_the_right_to_act_as_it() -> None:
    body = {"jobSpec": {"serviceAccount": "jobs@p"}, "labels": {"a": "b"}}
    found = needs("CreateCustomJob", PARENT, body)
    assert [(need.permission, need.thing.within) for need in found] == [
        ("aiplatform.customJobs.create", ("projects/p",)),
        ("iam.serviceAccounts.actAs", ("serviceAccounts/jobs@p",)),
    ]


def of_tables(configuration: dict[str, Any]) -> set[tuple[str, str]]:
    held = BigQueryNeeds(StorageNeeds("p", lambda *_: True), lambda path: path.endswith("/tables/t"))
    body = json.dumps({"configuration": configuration}).encode()
    found = held.of("POST", "/bigquery/v2/projects/p/jobs?prettyPrint=false", body)
    return {
        (need.permission.rpartition(".")[2], need.thing.name.removeprefix("projects/p/")) for need in found
    }


def test_a_load_takes_its_files_and_its_table() -> None:
    table = {"projectId": "p", "datasetId": "d", "tableId": "t"}
    assert of_tables({"load": {"destinationTable": table, "sourceUris": ["gs://b/f.csv"]}}) == {
        ("create", "projects/p"),
        ("get", f"{OBJECT}f.csv"),
        ("create", "datasets/d"),
        ("update", "datasets/d/tables/t"),
        ("updateData", "datasets/d/tables/t"),
    }


def test_a_query_takes_the_tables_it_names_that_there_are() -> None:
    assert of_tables({"query": {"query": "SELECT x.a FROM d.t x, d.none"}}) == {
        ("create", "projects/p"),
        ("get", "datasets/d/tables/t"),
        ("getData", "datasets/d/tables/t"),
    }


def test_vertex_refuses_what_was_not_planted_and_says_which_permission(
    cloud: GoogleCloud, plant: Any
) -> None:
    parent = cloud.parent.split("/locations")[0]
    plant((parent, ["aiplatform.customJobs.list"], ""))
    url = f"{cloud.endpoints.vertex_url}/v1/{cloud.parent}/customJobs"
    assert cloud.session().get(url, timeout=CALL_SECONDS).status_code == 200
    refused = cloud.session().post(url, json=custom_job("true"), timeout=CALL_SECONDS)
    assert refused.status_code == 403
    assert "aiplatform.customJobs.create" in refused.json()["error"]["message"]


def test_the_store_refuses_an_object_that_a_condition_leaves_out(cloud: GoogleCloud, plant: Any) -> None:
    bucket = f"projects/_/buckets/{CONTAINER}"
    plant(
        (f"gs://{CONTAINER}", ["storage.objects.list"], ""),
        (
            f"gs://{CONTAINER}",
            ["storage.objects.create", "storage.objects.get"],
            f'resource.name.startsWith("{bucket}/objects/in/")',
        ),
    )
    cloud.put("in/one", "1")
    assert cloud.text("in/one") == "1"
    with pytest.raises(Exception, match=r"storage\.objects\.create") as refused:
        cloud.put("out/one", "1")
    assert getattr(refused.value, "code", None) == 403
    # To replace is to delete, which nobody planted.
    with pytest.raises(Exception, match=r"storage\.objects\.delete"):
        cloud.put("in/one", "2")
    assert cloud.text("in/one") == "1"
    noted = cloud.layout.requests_of(JOURNAL).read_text()
    assert f"{bucket}/objects/out/one" in noted


def test_bigquery_asks_for_a_token_and_rights_once_they_are_planted(cloud: GoogleCloud, plant: Any) -> None:
    for service in (bigquery.SERVICE, fronts.BIGQUERY):
        cloud.start(service)
    bigquery.seed(cloud.layout, cloud.endpoints)
    project = f"projects/{cloud.endpoints.gcp_project}"
    url = f"{cloud.endpoints.bigquery_url}/bigquery/v2/{project}/datasets/{DATASET}"
    assert requests.get(url, timeout=CALL_SECONDS).status_code == 200
    plant((project, ["bigquery.datasets.get"], f'resource.name == "{project}/datasets/{DATASET}"'))
    assert requests.get(url, timeout=CALL_SECONDS).status_code == 401
    assert cloud.session().get(url, timeout=CALL_SECONDS).status_code == 200
    refused = cloud.session().get(f"{url}/tables", timeout=CALL_SECONDS)
    assert refused.status_code == 403
    assert refused.json()["error"]["errors"][0]["reason"] == "accessDenied"
    asked = {"configuration": {"query": {"query": "SELECT 1"}}}
    jobs = f"{cloud.endpoints.bigquery_url}/bigquery/v2/{project}/jobs"
    assert cloud.session().post(jobs, json=asked, timeout=CALL_SECONDS).status_code == 403
