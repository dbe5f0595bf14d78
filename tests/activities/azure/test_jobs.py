import uuid
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import AzureError

from activities.azure.errors import translate
from activities.azure.jobs import AzureMlJobs
from activities.azure.references import from_reference, to_reference
from activities.azure.settings import AzureSettings
from activities.azure.store import BlobStore
from contracts.artifacts import Artifact
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobRequest, JobState, RunRef
from contracts.machines import Resources
from tests.house import until
from tests.objects import put


@pytest.fixture
def order(store: BlobStore) -> Callable[..., JobRequest]:
    run = RunRef(pipeline="azure", key="key", run_uid=uuid.uuid4().hex)

    def build(*words: str, **more: Any) -> JobRequest:
        asked: dict[str, Any] = {
            "run": run,
            "stage": "stage_one",
            "generation": 1,
            "kind": "process",
            "command": tuple((word,) for word in words),
        }
        return JobRequest(**asked | more)

    return build


def ended(jobs: AzureMlJobs, ref: JobRef) -> JobState:
    until(lambda: jobs.describe(ref).phase.terminal, f"{ref.name} has ended")
    return jobs.describe(ref)


def test_a_submit_whose_answer_was_lost_finds_its_job(
    jobs: AzureMlJobs, sandbox: Any, order: Callable[..., JobRequest]
) -> None:
    request = order("true")
    sandbox.sandbox("fault", "azure", "drop", "--times", "1", "--match", "Jobs.CreateOrUpdate")
    with pytest.raises(AzureError) as raised:
        jobs.submit(request)
    assert translate(raised.value, request.name).type == ErrorKind.UNAVAILABLE
    assert jobs.submit(request).adopted
    assert len(jobs.find(request.run.run_uid, None)) == 1


@pytest.mark.parametrize(
    ("fault", "kind"), [("preempt-job", ErrorKind.PREEMPTED), ("fail-job", ErrorKind.JOB_FAILED)]
)
def test_a_job_s_end_has_its_reason(
    jobs: AzureMlJobs, sandbox: Any, order: Callable[..., JobRequest], fault: str, kind: ErrorKind
) -> None:
    request = order("sleep", "2")
    sandbox.sandbox("fault", "azure", fault, "--match", request.name)
    state = ended(jobs, jobs.submit(request))
    assert (state.phase, state.reason) == (JobPhase.FAILED, kind)
    assert state.message not in ("", "Failed")
    assert state.submitted_at
    assert state.ended_at


@pytest.mark.parametrize(
    ("fault", "kind"), [("unavailable", ErrorKind.UNAVAILABLE), ("throttle", ErrorKind.THROTTLED)]
)
def test_a_control_plane_that_fails_is_asked_once_and_no_job_is_lost(
    jobs: AzureMlJobs, sandbox: Any, order: Callable[..., JobRequest], fault: str, kind: ErrorKind
) -> None:
    request = order("true")
    ref = jobs.submit(request)
    sandbox.sandbox("fault", "azure", fault, "--times", "1", "--match", "Jobs.Get")
    with pytest.raises(AzureError) as raised:
        jobs.describe(ref)
    assert translate(raised.value, ref.name).type == kind
    assert ended(jobs, ref).phase == JobPhase.SUCCEEDED


def test_a_job_takes_nothing_of_the_worker_s_repository(
    jobs: AzureMlJobs, settings: AzureSettings, order: Callable[..., JobRequest]
) -> None:
    from activities.azure import room

    ref = jobs.submit(order("true"))
    job = room.workspace(settings).client.jobs.get(ref.name)
    assert not [name for name in job.properties if "git" in name.lower() and name != "azureml.git.dirty"]


def test_a_log_goes_on_where_a_page_ended(jobs: AzureMlJobs, order: Callable[..., JobRequest]) -> None:
    ref = jobs.submit(order("printf", "one\\ntwo\\nthree"))
    ended(jobs, ref)
    assert jobs.logs(ref, 2, None, final=True).lines == ("two", "three")
    first = jobs.logs(ref, 20, None)
    assert jobs.logs(ref, 20, first.next_after).lines == ()
    rest = jobs.logs(ref, 20, first.next_after, final=True)
    assert (*first.lines, *rest.lines) == ("one", "two", "three")
    assert jobs.logs(ref, 20, rest.next_after).lines == ()


def test_a_stage_without_any_image_is_refused(
    settings: AzureSettings, order: Callable[..., JobRequest]
) -> None:
    from activities.azure import room

    with pytest.raises(Exception, match="CAUSEWAY_IMAGE") as raised:
        room.jobs(settings.model_copy(update={"image": None})).submit(order("true"))
    assert translate(raised.value, "here").type == ErrorKind.UNSUPPORTED


def test_a_compute_that_does_not_exist_is_named(jobs: AzureMlJobs, order: Callable[..., JobRequest]) -> None:
    request = order("true", resources=Resources(instance="not-there"))
    with pytest.raises(AzureError) as raised:
        jobs.submit(request)
    told = translate(raised.value, request.name)
    assert told.non_retryable
    assert "not-there" in str(told)


def test_an_input_of_another_container_reaches_its_job(
    jobs: AzureMlJobs, store: BlobStore, order: Callable[..., JobRequest]
) -> None:
    from contracts.jobs import PathRef

    elsewhere = f"az://other-{uuid.uuid4().hex[:8]}/"
    store.ensure_container(elsewhere, create=True)
    held = put(store, elsewhere + "a b.txt", b"from elsewhere", media_type="text/plain", replace=True)
    data = Artifact(uri=held.uri, kind="file", size_bytes=held.size_bytes, object_count=1, digest="d")
    command = (("cat",), (PathRef(role="inputs", name="data"),))
    ref = jobs.submit(order(command=command, inputs={"data": data}))
    assert ended(jobs, ref).phase == JobPhase.SUCCEEDED
    assert "from elsewhere" in jobs.logs(ref, 20, None, final=True).lines


@pytest.mark.parametrize("uri", ["az://causeway/runs/1/out/", "az://elsewhere/a b/c"])
def test_a_reference_leads_back_to_its_uri(settings: AzureSettings, uri: str) -> None:
    assert from_reference(to_reference(uri, settings), settings) == uri


@pytest.mark.parametrize(
    ("reference", "uri"),
    [
        (
            "azureml://subscriptions/s/resourcegroups/r/workspaces/w/datastores/{}/paths/a/b",
            "az://causeway/a/b",
        ),
        ("azureml://datastores/another/paths/a", None),
        ("https://elsewhere.blob.core.windows.net/c/a", None),
    ],
)
def test_only_places_of_this_connection_have_a_uri(
    settings: AzureSettings, reference: str, uri: str | None
) -> None:
    assert from_reference(reference.format(settings.datastore), settings) == uri
