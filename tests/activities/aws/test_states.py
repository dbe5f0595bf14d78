from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.aws.states import (
    PHASE_OF_STATUS,
    REASON_OF_FAILURE,
    REASON_OF_SECONDARY,
    WITHOUT_MACHINE,
    processing_state,
    training_state,
)
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef

REF = JobRef(id="arn", name="cw-train", generation=1)
START = datetime(2026, 11, 22, tzinfo=UTC)


def training(status: str, secondary: str = "", **more: Any) -> dict[str, Any]:
    return {"TrainingJobStatus": status, "SecondaryStatus": secondary, **more}


def processing(status: str, **more: Any) -> dict[str, Any]:
    return {"ProcessingJobStatus": status, "ProcessingStartTime": START, **more}


@pytest.mark.parametrize(("status", "phase"), PHASE_OF_STATUS.items(), ids=list(PHASE_OF_STATUS))
def test_a_status_is_one_phase_of_either_kind(status: str, phase: JobPhase) -> None:
    assert training_state(REF, training(status)).phase is phase
    assert processing_state(REF, processing(status)).phase is phase


def test_a_status_that_is_new_is_no_end() -> None:
    assert training_state(REF, training("Hibernating")).phase is JobPhase.RUNNING


@pytest.mark.parametrize("secondary", sorted(WITHOUT_MACHINE))
def test_a_training_job_without_a_machine_is_queued(secondary: str) -> None:
    assert training_state(REF, training("InProgress", secondary)).phase is JobPhase.QUEUED


@pytest.mark.parametrize("secondary", ["Downloading", "DownloadingTrainingImage", "Training", "Uploading"])
def test_a_training_job_with_a_machine_runs(secondary: str) -> None:
    assert training_state(REF, training("InProgress", secondary)).phase is JobPhase.RUNNING


def test_a_processing_job_that_has_not_started_is_queued() -> None:
    assert processing_state(REF, {"ProcessingJobStatus": "InProgress"}).phase is JobPhase.QUEUED


@pytest.mark.parametrize(("secondary", "reason"), REASON_OF_SECONDARY.items(), ids=list(REASON_OF_SECONDARY))
def test_a_training_job_that_sagemaker_stopped_says_why(secondary: str, reason: ErrorKind) -> None:
    state = training_state(REF, training("Stopped", secondary))
    assert (state.phase, state.reason) == (JobPhase.STOPPED, reason)


def test_a_job_that_somebody_stopped_has_no_reason() -> None:
    assert training_state(REF, training("Stopped", "Stopped")).reason is None
    assert processing_state(REF, processing("Stopped")).reason is None


@pytest.mark.parametrize(("code", "reason"), REASON_OF_FAILURE.items(), ids=list(REASON_OF_FAILURE))
def test_the_code_of_a_failure_tells_the_reason(code: str, reason: ErrorKind) -> None:
    told = f"{code}: these are words: CapacityError:"
    for state in (
        training_state(REF, training("Failed", FailureReason=told)),
        processing_state(REF, processing("Failed", FailureReason=told)),
    ):
        assert (state.phase, state.reason, state.message) == (JobPhase.FAILED, reason, told)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("AlgorithmError: , exit code: 137", ErrorKind.OUT_OF_MEMORY),
        ("AlgorithmError: exit code: 137, exit code: 1", ErrorKind.JOB_FAILED),
        ("BrandNewError: x", ErrorKind.JOB_FAILED),
        ("no code at all", ErrorKind.JOB_FAILED),
        (None, ErrorKind.JOB_FAILED),
    ],
)
def test_an_exit_by_sigkill_is_memory_and_an_unknown_failure_is_the_jobs(
    told: str | None, reason: ErrorKind
) -> None:
    assert training_state(REF, training("Failed", FailureReason=told)).reason is reason


@pytest.mark.parametrize(("ran", "reason"), [(60, ErrorKind.TIMED_OUT), (59, None)])
def test_a_processing_job_stopped_at_its_limit_timed_out(ran: int, reason: ErrorKind | None) -> None:
    ended = START + timedelta(seconds=ran)
    limit = {"MaxRuntimeInSeconds": 60}
    state = processing_state(REF, processing("Stopped", ProcessingEndTime=ended, StoppingCondition=limit))
    assert (state.reason, state.billed_seconds) == (reason, ran)


def test_a_running_job_shows_the_latest_words() -> None:
    steps = [{"StatusMessage": "Preparing"}, {"StatusMessage": "Training in progress"}]
    state = training_state(REF, training("InProgress", "Training", SecondaryStatusTransitions=steps))
    assert state.message == "Training in progress"
    assert state.last_seen is not None
