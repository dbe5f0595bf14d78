"""Waiting for jobs, and describing what they left, whatever the cloud."""

import dataclasses
import hashlib
import itertools
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.jobs import ServiceJobActivities
from activities.onprem.errors import translate
from activities.onprem.store import FileStore
from activities.outputs import parse_metrics
from activities.watching import longer
from contracts.artifacts import ManifestEntry, folder_digest
from contracts.errors import ErrorKind, failure
from contracts.jobs import (
    CollectRequest,
    JobPhase,
    JobRef,
    JobRequest,
    JobState,
    LogPage,
    RunRef,
    WaitRequest,
)

REF = JobRef(id="job-1", name="job-1", generation=1)
SEEN_AT = datetime(2026, 1, 1, tzinfo=UTC)


class Told:
    """A job service that answers what it was told to, and the last of it for ever."""

    first_poll_seconds = 0.2

    def __init__(self, *answers: JobPhase | Exception) -> None:
        self.answers = list(answers)
        self.stops = 0
        self.prefixes: dict[str, str] = {}
        self.lines: tuple[str, ...] = ()

    def submit(self, request: JobRequest) -> JobRef:
        return REF

    def describe(self, ref: JobRef) -> JobState:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return JobState(ref=ref, phase=answer, last_seen=SEEN_AT)

    def stop(self, ref: JobRef) -> None:
        self.stops += 1

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        return []

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        return self.prefixes

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        return LogPage(lines=self.lines[-tail:])


def jobs(service: Told, root: Path) -> ServiceJobActivities:
    return ServiceJobActivities(service, FileStore(root, "file:///causeway/"), translate)


def wait(service: Told, root: Path, seen: JobPhase | None, beaten: JobState | None = None) -> JobState:
    environment = ActivityEnvironment()
    if beaten:
        # As they arrive in a real worker: plain values, not models.
        details = [beaten.model_dump(mode="json")]
        environment.info = dataclasses.replace(environment.info, heartbeat_details=details, attempt=2)
    return environment.run(jobs(service, root).wait, WaitRequest(ref=REF, seen=seen))


def away() -> ApplicationError:
    return failure(ErrorKind.UNAVAILABLE, "away")


@pytest.mark.parametrize(
    ("answers", "seen", "expected"),
    [
        ([JobPhase.QUEUED], None, JobPhase.QUEUED),
        ([JobPhase.QUEUED, JobPhase.QUEUED, JobPhase.RUNNING], JobPhase.QUEUED, JobPhase.RUNNING),
        ([JobPhase.RUNNING, JobPhase.SUCCEEDED], JobPhase.RUNNING, JobPhase.SUCCEEDED),
        ([JobPhase.FAILED], JobPhase.FAILED, JobPhase.FAILED),
        ([away(), away(), JobPhase.SUCCEEDED], JobPhase.RUNNING, JobPhase.SUCCEEDED),
        ([away(), JobPhase.RUNNING], JobPhase.UNKNOWN, JobPhase.RUNNING),
    ],
)
def test_a_wait_ends_with_the_first_news(
    tmp_path: Path, answers: list[Any], seen: JobPhase | None, expected: JobPhase
) -> None:
    assert wait(Told(*answers), tmp_path, seen).phase == expected


def test_a_job_that_ends_at_once_takes_one_wait(tmp_path: Path) -> None:
    assert (
        wait(Told(JobPhase.QUEUED, JobPhase.RUNNING, JobPhase.SUCCEEDED), tmp_path, None).phase == "SUCCEEDED"
    )


def test_polls_grow_rarer_up_to_a_minute_and_begin_anew_with_each_change() -> None:
    intervals = list(itertools.accumulate(range(60), lambda before, _: longer(before), initial=0.02))
    assert intervals == sorted(intervals)
    assert intervals[-1] == 60


def test_a_control_plane_that_stays_silent_makes_a_job_unknown_and_not_failed(tmp_path: Path) -> None:
    started = time.monotonic()
    state = wait(Told(JobPhase.RUNNING, away()), tmp_path, JobPhase.RUNNING)
    assert (state.phase, state.last_seen) == (JobPhase.UNKNOWN, SEEN_AT)
    assert time.monotonic() - started > 10


def test_an_answer_that_is_no_state_makes_a_job_unknown_and_says_why(tmp_path: Path) -> None:
    kinds = (ErrorKind.UNKNOWN, ErrorKind.INVALID_REQUEST, ErrorKind.ACCESS_DENIED, ErrorKind.UNAUTHENTICATED)
    odd = [failure(kind, f"this is {kind}") for kind in kinds]
    state = wait(Told(JobPhase.RUNNING, *odd), tmp_path, JobPhase.RUNNING)
    assert state.phase == JobPhase.UNKNOWN
    assert "UNAUTHENTICATED: this is UNAUTHENTICATED" in state.message


def test_when_a_job_was_last_seen_outlives_the_worker_that_saw_it(tmp_path: Path) -> None:
    beaten = JobState(ref=REF, phase=JobPhase.RUNNING, last_seen=SEEN_AT)
    state = wait(Told(away()), tmp_path, JobPhase.RUNNING, beaten)
    assert (state.phase, state.last_seen) == (JobPhase.UNKNOWN, SEEN_AT)


def test_a_job_that_is_gone_ends_the_wait(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError) as raised:
        wait(Told(failure(ErrorKind.SOURCE_MISSING, "no such job")), tmp_path, JobPhase.RUNNING)
    assert raised.value.non_retryable


def test_a_cancel_ends_only_with_the_job(tmp_path: Path) -> None:
    service = Told(JobPhase.RUNNING, JobPhase.RUNNING, JobPhase.STOPPED)
    state = ActivityEnvironment().run(jobs(service, tmp_path).cancel, REF)
    assert (state.phase, service.stops) == (JobPhase.STOPPED, 1)


def collect(
    root: Path, outputs: dict[str, dict[str, bytes]], lines: tuple[str, ...] = (), log_lines: int = 0
) -> Any:
    service = Told(JobPhase.SUCCEEDED)
    service.lines = lines
    for output, files in outputs.items():
        service.prefixes[output] = f"file:///causeway/{output}/"
        for name, content in files.items():
            path = root / "causeway" / output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    run = RunRef(pipeline="p", key="k", run_uid="0" * 32)
    request = JobRequest(run=run, stage="train", generation=1, kind="train", command=())
    return ActivityEnvironment().run(
        jobs(service, root).collect, CollectRequest(ref=REF, request=request, log_lines=log_lines)
    )


def test_what_a_job_left_is_a_folder_with_the_digest_of_its_manifest(tmp_path: Path) -> None:
    files = {"model.json": b"{}", "deep/weights.bin": b"\0" * 1000, "empty": b""}
    artifact = collect(tmp_path, {"model": files}).artifacts["model"]
    entries = [
        ManifestEntry(name=name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    ]
    assert (artifact.kind, artifact.object_count, artifact.size_bytes) == ("folder", 3, 1002)
    assert artifact.digest == folder_digest(entries)


def test_the_last_lines_of_the_log_come_with_the_outputs_when_they_are_asked_for(tmp_path: Path) -> None:
    left = {"model": {"model.json": b"{}"}}
    assert collect(tmp_path, left, ("one", "two", "three"), log_lines=2).log_tail == ("two", "three")
    assert collect(tmp_path, left, ("one", "two", "three")).log_tail == ()


def test_outputs_that_are_missing_are_told_with_the_last_lines_of_the_log(tmp_path: Path) -> None:
    lines = (*("x" * 500 for _ in range(20)), "wrote to the wrong folder")
    with pytest.raises(ApplicationError) as raised:
        collect(tmp_path, {"model": {}}, lines)
    assert raised.value.type == ErrorKind.SOURCE_MISSING
    assert "left nothing in its output model" in raised.value.message
    assert raised.value.message.endswith("wrote to the wrong folder")


def test_metrics_are_read_from_the_output_of_that_name(tmp_path: Path) -> None:
    content = b'{"accuracy": 0.95, "rows": 143}'
    assert collect(tmp_path, {"metrics": {"metrics.json": content}}).metrics == {
        "accuracy": 0.95,
        "rows": 143.0,
    }


@pytest.mark.parametrize(
    ("outputs", "kind", "named"),
    [
        ({"model": {}}, ErrorKind.SOURCE_MISSING, "output model"),
        ({"metrics": {"other.json": b"{}"}}, ErrorKind.SOURCE_MISSING, "metrics.json"),
        ({"metrics": {"metrics.json": b"[]"}}, ErrorKind.INVALID_REQUEST, "metrics.json"),
    ],
    ids=["an empty output", "no metrics file", "metrics that are none"],
)
def test_an_output_that_is_not_what_it_should_be_is_named_with_its_stage(
    tmp_path: Path, outputs: dict[str, dict[str, bytes]], kind: ErrorKind, named: str
) -> None:
    with pytest.raises(ApplicationError) as raised:
        collect(tmp_path, outputs)
    assert raised.value.type == kind
    assert named in raised.value.message
    assert "stage train" in raised.value.message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[1]",
        b"1",
        b'{"a": true}',
        b'{"a": "1"}',
        b'{"a": null}',
        b'{"a": {"b": 1}}',
        b'{"a": [1]}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1' + b"0" * 400 + b"}",
        b'{"a": 1, "a": 2}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_anything_but_flat_numbers_is_no_metrics(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_metrics(content)
