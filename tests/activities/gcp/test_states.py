from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from activities.gcp.states import PHASE_OF_STATE, REASON_OF_CODE, RESOURCE_EXHAUSTED, state_of
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef

REF = JobRef(id="projects/p/locations/l/customJobs/1", name="cw-train", generation=1)
START = datetime(2026, 11, 22, tzinfo=UTC)


def job(
    state: str,
    code: int = 0,
    ran: timedelta | None = None,
    limit: timedelta | None = None,
    message: str = "the vendor's words",
) -> Any:
    return SimpleNamespace(
        state=SimpleNamespace(name=state),
        error=SimpleNamespace(code=code, message=message) if code else None,
        create_time=START,
        start_time=START if ran is not None else None,
        end_time=START + ran if ran is not None else None,
        job_spec=SimpleNamespace(scheduling=SimpleNamespace(timeout=limit)),
    )


@pytest.mark.parametrize(("state", "phase"), PHASE_OF_STATE.items(), ids=list(PHASE_OF_STATE))
def test_a_state_is_one_phase(state: str, phase: JobPhase) -> None:
    assert state_of(REF, job(state)).phase is phase


def test_a_state_that_is_new_is_no_end() -> None:
    assert state_of(REF, job("JOB_STATE_HIBERNATING")).phase is JobPhase.RUNNING


@pytest.mark.parametrize(
    ("code", "reason"), REASON_OF_CODE.items(), ids=[str(code) for code in REASON_OF_CODE]
)
def test_the_code_of_a_failure_tells_the_reason(code: int, reason: ErrorKind) -> None:
    state = state_of(REF, job("JOB_STATE_FAILED", code))
    assert (state.phase, state.reason, state.message) == (JobPhase.FAILED, reason, "the vendor's words")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("The replica workerpool0-0 exited with a non-zero status of 137.", ErrorKind.OUT_OF_MEMORY),
        (
            "The replica master 0 ran out-of-memory and exited with a non-zero status of 9(SIGKILL)",
            "OUT_OF_MEMORY",
        ),
        ("The replica exited with a non-zero status of 1.\nnon-zero status of 137", ErrorKind.JOB_FAILED),
    ],
    ids=["137", "9", "what the job printed"],
)
def test_an_exit_by_sigkill_is_memory(told: str, reason: ErrorKind) -> None:
    assert state_of(REF, job("JOB_STATE_FAILED", 3, ran=timedelta(1), message=told)).reason == reason


def test_a_job_that_had_its_machine_and_ran_out_of_resources_was_preempted() -> None:
    state = state_of(REF, job("JOB_STATE_FAILED", RESOURCE_EXHAUSTED, ran=timedelta(minutes=1)))
    assert state.reason is ErrorKind.PREEMPTED


@pytest.mark.parametrize("code", [0, 99])
def test_a_failure_without_a_code_that_is_known_is_the_jobs_own(code: int) -> None:
    assert state_of(REF, job("JOB_STATE_FAILED", code)).reason is ErrorKind.JOB_FAILED


@pytest.mark.parametrize(
    ("ran", "reason"),
    [(timedelta(seconds=60), ErrorKind.TIMED_OUT), (timedelta(seconds=59), ErrorKind.CANCELLED)],
    ids=["limit reached", "limit not reached"],
)
def test_a_stopped_job_was_late_only_if_it_ran_as_long_as_it_may(ran: timedelta, reason: ErrorKind) -> None:
    state = state_of(REF, job("JOB_STATE_CANCELLED", 1, ran=ran, limit=timedelta(seconds=60)))
    assert (state.phase, state.reason) == (JobPhase.STOPPED, reason)


def test_an_expired_job_is_late() -> None:
    state = state_of(REF, job("JOB_STATE_EXPIRED"))
    assert (state.phase, state.reason) == (JobPhase.FAILED, ErrorKind.TIMED_OUT)


def test_the_time_a_job_had_its_machine_is_billed() -> None:
    assert state_of(REF, job("JOB_STATE_SUCCEEDED", ran=timedelta(seconds=90))).billed_seconds == 90


def test_a_state_says_when_it_was_seen() -> None:
    assert state_of(REF, job("JOB_STATE_RUNNING")).last_seen is not None
