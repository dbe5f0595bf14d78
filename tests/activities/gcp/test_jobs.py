import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import storage
from temporalio.exceptions import ApplicationError

from activities.claims import Claim
from activities.gcp import room
from activities.gcp.jobs import VertexJobs
from activities.gcp.settings import GcpSettings
from activities.gcp.store import GcsStore
from contracts.artifacts import Artifact
from contracts.connections import PreflightRequest
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobRequest, JobState, PathRef, RunRef
from tests.house import PATIENCE_SECONDS, until
from tests.objects import put


def request_of(*words: Any, stage: str = "train", **more: Any) -> JobRequest:
    run = RunRef(pipeline="desk", key="k", run_uid=uuid.uuid4().hex)
    command = tuple(word if isinstance(word, tuple) else (word,) for word in words)
    outputs = {"out": f"gs://causeway/runs/{run.run_uid}/{stage}/out/"}
    return JobRequest(
        run=run, stage=stage, generation=1, kind="train", command=command, outputs=outputs, **more
    )


def end_of(jobs: VertexJobs, ref: JobRef) -> JobState:
    until(lambda: jobs.describe(ref).phase.terminal, f"{ref.name} has ended")
    return jobs.describe(ref)


def claim_of(objects: storage.Client, request: JobRequest) -> storage.Blob:
    name = f"runs/{request.run.run_uid}/{request.stage}/g1/job/claim.json"
    return objects.bucket("causeway").blob(name)


def test_eight_submits_at_once_make_one_job(jobs: VertexJobs) -> None:
    request = request_of("sleep", "30")
    with ThreadPoolExecutor(8) as threads:
        refs = list(threads.map(jobs.submit, [request] * 8))
    assert len({ref.id for ref in refs}) == 1
    assert sum(not ref.adopted for ref in refs) == 1
    assert len(jobs.find(request.run.run_uid, request.stage)) == 1
    jobs.stop(refs[0])
    assert end_of(jobs, refs[0]).phase is JobPhase.STOPPED


def test_the_claim_of_a_dead_worker_ends_with_its_lease(jobs: VertexJobs, objects: storage.Client) -> None:
    request = request_of("true")
    past = datetime.now(UTC) - timedelta(seconds=1)
    claim_of(objects, request).upload_from_string(Claim(holder="dead", expires_at=past).model_dump_json())
    assert not jobs.submit(request).adopted


def test_the_claim_of_a_live_worker_is_respected(jobs: VertexJobs, objects: storage.Client) -> None:
    request = request_of("true")
    soon = datetime.now(UTC) + timedelta(seconds=60)
    claim_of(objects, request).upload_from_string(Claim(holder="alive", expires_at=soon).model_dump_json())
    with pytest.raises(ApplicationError) as raised:
        jobs.submit(request)
    assert raised.value.type == ErrorKind.UNAVAILABLE
    assert not raised.value.non_retryable
    assert jobs.find(request.run.run_uid, None) == []


def test_a_second_job_that_was_made_all_the_same_is_cancelled(jobs: VertexJobs, vertex: Any) -> None:
    request = request_of("sleep", "30")
    first = jobs.submit(request)
    made = vertex.create_custom_job(
        parent=first.id.rsplit("/", 2)[0],
        custom_job={
            "display_name": request.name,
            "labels": request.tags,
            "job_spec": vertex.get_custom_job(name=first.id, timeout=PATIENCE_SECONDS).job_spec,
        },
        timeout=PATIENCE_SECONDS,
    )
    assert jobs._winner(request, made).id == first.id
    assert end_of(jobs, first.model_copy(update={"id": made.name})).phase is JobPhase.STOPPED
    assert not jobs.describe(first).phase.terminal
    jobs.stop(first)


def test_a_job_that_ran_longer_than_it_may_is_late(jobs: VertexJobs) -> None:
    ref = jobs.submit(request_of("sleep", "60", timeout=timedelta(seconds=2)))
    state = end_of(jobs, ref)
    assert (state.phase, state.reason) == (JobPhase.STOPPED, ErrorKind.TIMED_OUT)


def test_a_job_sees_its_inputs_below_gcs_and_leaves_its_outputs_there(
    jobs: VertexJobs, store: GcsStore, prefix: str
) -> None:
    body = b"some data"
    digest = hashlib.sha256(body).hexdigest()
    put(store, f"{prefix}in/data", body, media_type="text/plain", replace=True)
    source = Artifact(uri=f"{prefix}in/data", kind="file", size_bytes=9, object_count=1, digest=digest)
    request = request_of(
        "cp",
        (PathRef(role="inputs", name="data"),),
        (PathRef(role="outputs", name="out"), "/copied"),
        inputs={"data": source},
    )
    ref = jobs.submit(request)
    assert end_of(jobs, ref).phase is JobPhase.SUCCEEDED
    found = store.stat(jobs.outputs(ref, request)["out"] + "copied")
    assert found
    assert b"".join(store.read(found)) == body


def test_a_log_is_read_from_its_end_and_then_only_what_is_new(jobs: VertexJobs) -> None:
    ref = jobs.submit(request_of("printf", "one\ntwo\nthree\n"))
    end_of(jobs, ref)
    last = jobs.logs(ref, 2, None)
    assert last.lines == ("two", "three")
    assert jobs.logs(ref, 2, last.next_after).lines == ()


def test_a_stage_without_an_image_is_refused_before_anything_is_made(settings: GcpSettings) -> None:
    jobs = room.custom_jobs(settings.model_copy(update={"image": None}))
    request = request_of("true")
    with pytest.raises(ApplicationError, match="CAUSEWAY_IMAGE") as raised:
        jobs.submit(request)
    assert raised.value.type == ErrorKind.INVALID_REQUEST


def test_a_preflight_answers_for_storage_jobs_and_tables(settings: GcpSettings) -> None:
    (preflight,) = [found for found in room.activities(settings) if found.__name__ == "preflight"]
    report = preflight(PreflightRequest(connection="gcp/default", needs=("storage", "jobs", "tables")))
    assert report.container == "gs://causeway/"
    assert report.capabilities == ("storage", "jobs", "tables")
    assert report.identity.endswith("iam.gserviceaccount.com")


def test_a_preflight_names_a_bucket_that_is_missing(settings: GcpSettings) -> None:
    (preflight,) = [found for found in room.activities(settings) if found.__name__ == "preflight"]
    with pytest.raises(ApplicationError, match="gs://causeway-absent/") as raised:
        preflight(PreflightRequest(connection="gcp/default", containers=("gs://causeway-absent/",)))
    assert raised.value.type == ErrorKind.SOURCE_MISSING


def test_a_preflight_names_all_that_stands_in_the_way_at_once(settings: GcpSettings) -> None:
    changed = settings.model_copy(update={"image": None})
    (preflight,) = [found for found in room.activities(changed) if found.__name__ == "preflight"]
    asked = {"needs": ("jobs",), "image_given": False, "containers": ("gs://causeway-absent/",)}
    with pytest.raises(ApplicationError) as raised:
        preflight(PreflightRequest(connection="gcp/default", **asked))
    first, *lines = raised.value.message.splitlines()
    assert first == "2 things stand in the way:"
    named = ("gs://causeway-absent/", "CAUSEWAY_IMAGE")
    assert [name in line for name, line in zip(named, lines, strict=True)] == [True, True]


def test_the_room_offers_every_contract_once(settings: GcpSettings) -> None:
    names = [getattr(found, "__temporal_activity_definition").name for found in room.activities(settings)]
    assert len(names) == len(set(names))
    assert {"storage.copy", "jobs.submit", "tables.load", "tables.query", "connections.preflight"} <= set(
        names
    )
