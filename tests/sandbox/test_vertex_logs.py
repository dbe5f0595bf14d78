from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.sandbox.google_cloud import CALL_SECONDS, GoogleCloud, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleCloud]:
    with running(tmp_path_factory.mktemp("google")) as started:
        yield started


@pytest.fixture(scope="module")
def job_id(cloud: GoogleCloud) -> str:
    job = cloud.finished(cloud.submit("sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; echo last >&2"))
    return job.name.rsplit("/", 1)[1]


def entries(cloud: GoogleCloud, job_id: str, **more: Any) -> requests.Response:
    body = {
        "resourceNames": [f"projects/{cloud.endpoints.gcp_project}"],
        "filter": f'resource.type="ml_job" AND resource.labels.job_id="{job_id}"',
        **more,
    }
    answer: requests.Response = cloud.session().post(
        f"{cloud.endpoints.vertex_url}/v2/entries:list", json=body, timeout=CALL_SECONDS
    )
    return answer


def messages(answer: requests.Response) -> list[str]:
    return [entry["jsonPayload"]["message"] for entry in answer.json().get("entries", [])]


def test_a_job_s_lines_are_served_in_order(cloud: GoogleCloud, job_id: str) -> None:
    answer = entries(cloud, job_id)
    assert messages(answer) == ["line 1", "line 2", "line 3", "line 4", "line 5", "last"]
    (labels,) = {tuple(sorted(entry["resource"]["labels"].items())) for entry in answer.json()["entries"]}
    assert dict(labels) == {"project_id": "causeway-dev", "job_id": job_id, "task_name": "workerpool0-0"}


def test_the_last_lines_come_first_when_asked_over_pages(cloud: GoogleCloud, job_id: str) -> None:
    first = entries(cloud, job_id, orderBy="timestamp desc", pageSize=4)
    assert messages(first) == ["last", "line 5", "line 4", "line 3"]
    rest = entries(
        cloud, job_id, orderBy="timestamp desc", pageSize=4, pageToken=first.json()["nextPageToken"]
    )
    assert messages(rest) == ["line 2", "line 1"]
    assert "nextPageToken" not in rest.json()


def test_a_filter_narrows_the_lines(cloud: GoogleCloud, job_id: str) -> None:
    chosen = f'resource.type="ml_job" resource.labels.job_id="{job_id}"'
    assert messages(entries(cloud, job_id, filter=f'{chosen} jsonPayload.message:"line *"'))[-1] == "line 5"
    assert messages(entries(cloud, job_id, filter=f"{chosen} severity>=ERROR")) == []


def test_an_unknown_job_has_no_lines(cloud: GoogleCloud) -> None:
    answer = entries(cloud, "123")
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"resourceNames": []}, 400),
        ({"resourceNames": ["projects/other"]}, 403),
        ({"orderBy": "severity"}, 400),
        ({"filter": "colour=red"}, 400),
        ({"limit": 3}, 400),
        ({"pageToken": "%"}, 400),
    ],
)
def test_a_wrong_request_is_refused(
    cloud: GoogleCloud, job_id: str, change: dict[str, Any], status: int
) -> None:
    assert entries(cloud, job_id, **change).status_code == status


def test_logs_need_a_token(cloud: GoogleCloud) -> None:
    answer = requests.post(f"{cloud.endpoints.vertex_url}/v2/entries:list", json={}, timeout=CALL_SECONDS)
    assert answer.status_code == 401
