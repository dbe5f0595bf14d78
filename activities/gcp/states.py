"""Vertex AI's job states and error codes in Causeway's words: one table each, judged by code."""

import re
from datetime import UTC, datetime
from typing import Any

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobState

PHASE_OF_STATE = {
    "JOB_STATE_UNSPECIFIED": JobPhase.QUEUED,
    "JOB_STATE_QUEUED": JobPhase.QUEUED,
    "JOB_STATE_PENDING": JobPhase.QUEUED,
    "JOB_STATE_RUNNING": JobPhase.RUNNING,
    "JOB_STATE_UPDATING": JobPhase.RUNNING,
    "JOB_STATE_PAUSED": JobPhase.RUNNING,
    "JOB_STATE_CANCELLING": JobPhase.RUNNING,
    "JOB_STATE_SUCCEEDED": JobPhase.SUCCEEDED,
    "JOB_STATE_PARTIALLY_SUCCEEDED": JobPhase.FAILED,
    "JOB_STATE_FAILED": JobPhase.FAILED,
    "JOB_STATE_EXPIRED": JobPhase.FAILED,
    "JOB_STATE_CANCELLED": JobPhase.STOPPED,
}
"""google/cloud/aiplatform/v1/job_state.proto"""

OK, CANCELLED, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = 0, 1, 3, 4, 5
PERMISSION_DENIED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE = 7, 8, 10, 13, 14
UNAUTHENTICATED = 16

REASON_OF_CODE = {
    # A non-zero exit of the command is an INVALID_ARGUMENT.
    INVALID_ARGUMENT: ErrorKind.JOB_FAILED,
    DEADLINE_EXCEEDED: ErrorKind.TIMED_OUT,
    NOT_FOUND: ErrorKind.INVALID_REQUEST,
    PERMISSION_DENIED: ErrorKind.ACCESS_DENIED,
    RESOURCE_EXHAUSTED: ErrorKind.CAPACITY,
    # Google lost the machine; the job is not to blame, and another one may do.
    ABORTED: ErrorKind.PREEMPTED,
    INTERNAL: ErrorKind.PREEMPTED,
    UNAVAILABLE: ErrorKind.PREEMPTED,
    UNAUTHENTICATED: ErrorKind.ACCESS_DENIED,
}
"""By the `google.rpc.Code` of the job's error."""

REASON_OF_EXIT = {137: ErrorKind.OUT_OF_MEMORY, 9: ErrorKind.OUT_OF_MEMORY, -9: ErrorKind.OUT_OF_MEMORY}
"""By the exit status that the first line of an error's message names: SIGKILL, which is the kernel's when memory is out.
Public reports have it as 137 and as `9(SIGKILL)`."""

_EXIT = re.compile(r"\bnon-zero status of (-?\d+)\b")


def state_of(ref: JobRef, job: Any) -> JobState:
    """Return the state that a CustomJob of the SDK tells."""
    phase = phase_of(job.state.name)
    started, ended = _moment(job.start_time), _moment(job.end_time)
    return JobState(
        ref=ref,
        phase=phase,
        message=job.error.message if job.error else "",
        reason=_reason(phase, job, started, ended),
        submitted_at=_moment(job.create_time),
        started_at=started,
        ended_at=ended,
        last_seen=datetime.now(UTC),
        billed_seconds=(ended - started).total_seconds() if started and ended else None,
    )


def phase_of(state: str) -> JobPhase:
    """Return the phase of a job's state; one that is new to this table is no end."""
    return PHASE_OF_STATE.get(state, JobPhase.RUNNING)


def _reason(phase: JobPhase, job: Any, started: datetime | None, ended: datetime | None) -> ErrorKind | None:
    if phase is JobPhase.STOPPED:
        return ErrorKind.TIMED_OUT if _overran(job, started, ended) else ErrorKind.CANCELLED
    if phase is not JobPhase.FAILED:
        return None
    if job.state.name == "JOB_STATE_EXPIRED":
        return ErrorKind.TIMED_OUT
    code = int(job.error.code) if job.error else OK
    exited = _EXIT.search(job.error.message.partition("\n")[0]) if code == INVALID_ARGUMENT else None
    if exited and int(exited[1]) in REASON_OF_EXIT:
        return REASON_OF_EXIT[int(exited[1])]
    if code == RESOURCE_EXHAUSTED and started:
        # It had its machine and lost it to somebody else; before that, there was none to have.
        return ErrorKind.PREEMPTED
    return REASON_OF_CODE.get(code, ErrorKind.JOB_FAILED)


def _overran(job: Any, started: datetime | None, ended: datetime | None) -> bool:
    # Vertex AI cancels a job that runs too long; only the limit tells that from a cancel somebody asked for.
    # A batch prediction has none.
    spec = getattr(job, "job_spec", None)
    limit = spec.scheduling.timeout if spec else None
    return bool(limit and started and ended and ended - started >= limit)


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    return datetime.fromtimestamp(value.timestamp(), UTC)
