import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.aws import room
from activities.aws.errors import translate
from activities.aws.job_requests import Surroundings, processing_request, training_request
from activities.aws.jobs import JobDefaults, SageMakerJobs
from activities.aws.machines import SageMakerMachines
from activities.aws.settings import AwsSettings
from activities.aws.store import S3Store
from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobRequest, JobState, PathRef, RunRef
from contracts.machines import Machine
from tests.house import until
from tests.objects import put

MACHINE = Machine(instance="ml.m5.large", why="a test")
KINDS = ["train", "process"]
COPY = """
import pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:])
print("copying", source.name)
(target / "out.txt").write_text(source.read_text().upper())
"""


@pytest.fixture
def run(store: S3Store) -> Callable[..., JobRequest]:
    uid = uuid.uuid4().hex

    def build(kind: str, shell: str = "exit 0", **more: Any) -> JobRequest:
        request = JobRequest(
            run=RunRef(pipeline="demo", key="k", run_uid=uid),
            stage=f"stage-{kind}",
            generation=1,
            kind="train",
            command=(("sh",), ("-c",), (shell,)),
            outputs={"result": f"{store.default_container}runs/{uid}/stage/g1/result/"},
        )
        return request.model_copy(update={"kind": kind, **more})

    return build


def prefix_of(request: JobRequest) -> str:
    return request.outputs["result"]


def ended(jobs: SageMakerJobs, ref: JobRef) -> JobState:
    return told(jobs, ref, lambda state: state.phase.terminal)


def told(jobs: SageMakerJobs, ref: JobRef, wanted: Callable[[JobState], bool]) -> JobState:
    def look() -> JobState | None:
        state = jobs.describe(ref)
        return state if wanted(state) else None

    found: JobState = until(look, f"{ref.name} is so")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_reads_its_inputs_runs_its_code_and_leaves_its_outputs(
    jobs: SageMakerJobs, store: S3Store, prefix: str, run: Callable[..., JobRequest], kind: str
) -> None:
    put(store, f"{prefix}in/data", b"hello", replace=True)
    put(store, f"{prefix}in2/data", b"a sibling", replace=True)
    put(store, f"{prefix}code/copy.py", COPY.encode(), replace=True)
    data = Artifact(uri=f"{prefix}in/data", kind="file", size_bytes=5, object_count=1, digest="d")
    request = run(
        kind,
        command=(
            ("python",),
            ("copy.py",),
            (PathRef(role="inputs", name="text"),),
            (PathRef(role="outputs", name="result"),),
        ),
        code=CodeRef(uri=f"{prefix}code/", digest="c"),
        inputs={"text": data},
    )
    ref = jobs.submit(request)
    state = ended(jobs, ref)
    assert (state.phase, state.reason) == (JobPhase.SUCCEEDED, None), state.message
    assert state.submitted_at
    assert state.started_at
    assert state.ended_at
    assert state.billed_seconds is not None
    found = store.stat(jobs.outputs(ref, request)["result"] + "out.txt")
    assert found is not None
    assert b"".join(store.read(found)) == b"HELLO"


@pytest.mark.parametrize("kind", KINDS)
def test_eight_submits_at_once_make_one_job(
    jobs: SageMakerJobs, run: Callable[..., JobRequest], kind: str
) -> None:
    request = run(kind)
    with ThreadPoolExecutor(8) as pool:
        refs = list(pool.map(jobs.submit, [request] * 8))
    assert sorted(ref.adopted for ref in refs) == [False] + [True] * 7
    assert len({ref.id for ref in refs}) == 1
    assert [state.ref.name for state in jobs.find(request.run.run_uid, request.stage)] == [request.name]
    ended(jobs, refs[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_of_this_name_that_asks_for_something_else_is_not_adopted(
    jobs: SageMakerJobs, settings: AwsSettings, run: Callable[..., JobRequest], kind: str
) -> None:
    wanted, other = run(kind), run(kind, env={"OTHER": "1"})
    around = Surroundings(str(settings.job_role), "sandbox", MACHINE, None, prefix_of(wanted))
    sagemaker = room.client(settings, "sagemaker")
    if kind == "train":
        asked = training_request(other, around, prefix_of(wanted))
        sagemaker.create_training_job(**asked | {"TrainingJobName": wanted.name})
    else:
        asked = processing_request(other, around, prefix_of(wanted))
        sagemaker.create_processing_job(**asked | {"ProcessingJobName": wanted.name})
    with pytest.raises(ApplicationError) as raised:
        jobs.submit(wanted)
    assert raised.value.type == "TARGET_CONFLICT"


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_that_fails_says_so_and_its_log_is_read(
    jobs: SageMakerJobs, run: Callable[..., JobRequest], kind: str
) -> None:
    request = run(kind, "for i in 1 2 3 4 5; do echo line $i; done; exit 7")
    ref = jobs.submit(request)
    state = ended(jobs, ref)
    assert (state.phase, state.reason) == (JobPhase.FAILED, ErrorKind.JOB_FAILED)
    assert "exit code: 7" in state.message
    until(lambda: len(jobs.logs(ref, 2, None).lines) == 2, "its last lines")
    page = jobs.logs(ref, 2, None)
    assert page.lines == ("line 4", "line 5")
    assert jobs.logs(ref, 2, page.next_after).lines == ()


def test_a_model_whose_place_is_not_told_yet_is_asked_for_again(
    jobs: SageMakerJobs, run: Callable[..., JobRequest]
) -> None:
    request = run("train", "sleep 60")
    ref = jobs.submit(request)
    with pytest.raises(ApplicationError) as told:
        jobs.outputs(ref, request)
    jobs.stop(ref)
    assert (told.value.type, told.value.non_retryable) == (ErrorKind.UNAVAILABLE, False)


def test_a_job_without_a_log_has_an_empty_one(jobs: SageMakerJobs) -> None:
    page = jobs.logs(JobRef(id="", name="cw-absent", generation=1), 20, None)
    assert (page.lines, page.next_after) == ((), None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_that_was_killed_is_out_of_memory(
    jobs: SageMakerJobs, run: Callable[..., JobRequest], kind: str
) -> None:
    state = ended(jobs, jobs.submit(run(kind, "kill -9 $$")))
    assert (state.phase, state.reason) == (JobPhase.FAILED, ErrorKind.OUT_OF_MEMORY)


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_is_stopped_and_a_stop_of_an_ended_one_changes_nothing(
    jobs: SageMakerJobs, run: Callable[..., JobRequest], kind: str
) -> None:
    ref = jobs.submit(run(kind, "exec sleep 600"))
    told(jobs, ref, lambda state: state.started_at is not None)
    jobs.stop(ref)
    jobs.stop(ref)
    state = ended(jobs, ref)
    assert (state.phase, state.reason) == (JobPhase.STOPPED, None)
    jobs.stop(ref)


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_that_runs_too_long_timed_out(
    jobs: SageMakerJobs, run: Callable[..., JobRequest], kind: str
) -> None:
    state = ended(jobs, jobs.submit(run(kind, "exec sleep 600", timeout=timedelta(seconds=1))))
    assert (state.phase, state.reason) == (JobPhase.STOPPED, ErrorKind.TIMED_OUT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_that_is_not_there_is_missing(jobs: SageMakerJobs, kind: Any) -> None:
    with pytest.raises(ApplicationError) as raised:
        jobs.describe(JobRef(id="", name="cw-absent", generation=1, kind=kind))
    assert raised.value.type == "SOURCE_MISSING"


def test_jobs_are_found_by_run_and_stage(jobs: SageMakerJobs, run: Callable[..., JobRequest]) -> None:
    requests = [run("train"), run("process"), run("train", generation=2)]
    refs = [jobs.submit(request) for request in requests]
    uid = requests[0].run.run_uid
    assert {state.ref.name for state in jobs.find(uid, None)} == {request.name for request in requests}
    assert sorted(state.ref.generation for state in jobs.find(uid, "stage-train")) == [1, 2]
    assert list(jobs.find(uid[:12] + "0" * 20, None)) == []
    for ref in refs:
        ended(jobs, ref)


@pytest.mark.parametrize(
    ("defaults", "kind", "named"),
    [
        pytest.param(JobDefaults(role=None), "UNSUPPORTED", "CAUSEWAY_AWS_JOB_ROLE", id="role"),
        pytest.param(JobDefaults(role="arn:role"), "INVALID_REQUEST", "CAUSEWAY_IMAGE", id="image"),
    ],
)
def test_what_a_connection_lacks_for_jobs_is_named(
    store: S3Store, run: Callable[..., JobRequest], defaults: JobDefaults, kind: str, named: str
) -> None:
    with pytest.raises(ApplicationError, match=named) as raised:
        SageMakerJobs(None, None, store, SageMakerMachines(), defaults).submit(run("train"))
    assert raised.value.type == kind


def test_the_account_s_limit_that_a_check_tells_is_the_one_a_job_is_held_to(
    jobs: SageMakerJobs, run: Callable[..., JobRequest], limits: Path
) -> None:
    limits.write_text(json.dumps({"ml.m5.large for training job usage": 0}))
    with pytest.raises(Exception, match="for training job usage' is 0 Instances") as refused:
        jobs.submit(run("train", "true"))
    assert translate(refused.value, "x").type == ErrorKind.QUOTA_EXHAUSTED
    limits.unlink()
    assert jobs.submit(run("train", "true"))
