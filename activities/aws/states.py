"""SageMaker's states and reasons in Causeway's words. One table each; judged by code, never by a sentence."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobState

PHASE_OF_STATUS = {
    "InProgress": JobPhase.RUNNING,
    "Stopping": JobPhase.RUNNING,
    "Completed": JobPhase.SUCCEEDED,
    "Failed": JobPhase.FAILED,
    "Stopped": JobPhase.STOPPED,
    # The record of a job that has ended is going away.
    "Deleting": JobPhase.STOPPED,
}

WITHOUT_MACHINE = frozenset({"Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack"})
"""Secondary states of a training job in progress that has no machine yet."""

REASON_OF_SECONDARY = {
    "MaxRuntimeExceeded": ErrorKind.TIMED_OUT,
    "MaxWaitTimeExceeded": ErrorKind.CAPACITY,
    "Interrupted": ErrorKind.PREEMPTED,
}
"""Why a training job was stopped by SageMaker itself."""

REASON_OF_FAILURE = {
    "AlgorithmError": ErrorKind.JOB_FAILED,
    "ClientError": ErrorKind.INVALID_REQUEST,
    "CapacityError": ErrorKind.CAPACITY,
    # SageMaker lost the machine; the job is not to blame, and another one may do.
    "InternalServerError": ErrorKind.PREEMPTED,
}
"""By the code that a `FailureReason` begins with."""

REASON_OF_EXIT = {137: ErrorKind.OUT_OF_MEMORY}
"""By the exit code that a `FailureReason` ends with; 137 is SIGKILL, the kernel's when memory is out."""

_CODE = re.compile(r"(\w+):")
_EXIT = re.compile(r"exit code: (\d+)\s*$")


def phase_of(status: str) -> JobPhase:
    """Return the phase of a job's status; one that is new to this table is no end."""
    return PHASE_OF_STATUS.get(status, JobPhase.RUNNING)


def training_state(ref: JobRef, answer: Mapping[str, Any]) -> JobState:
    """Return the state that DescribeTrainingJob tells."""
    secondary = answer.get("SecondaryStatus", "")
    phase = phase_of(answer["TrainingJobStatus"])
    if phase is JobPhase.RUNNING and secondary in WITHOUT_MACHINE:
        phase = JobPhase.QUEUED
    reason = REASON_OF_SECONDARY.get(secondary) if phase is JobPhase.STOPPED else None
    steps = answer.get("SecondaryStatusTransitions") or [{}]
    return JobState(
        ref=ref,
        phase=phase,
        message=answer.get("FailureReason") or steps[-1].get("StatusMessage") or secondary,
        reason=reason or failure_reason(phase, answer),
        submitted_at=answer.get("CreationTime"),
        started_at=answer.get("TrainingStartTime"),
        ended_at=answer.get("TrainingEndTime"),
        last_seen=datetime.now(UTC),
        billed_seconds=answer.get("BillableTimeInSeconds"),
    )


def processing_state(ref: JobRef, answer: Mapping[str, Any]) -> JobState:
    """Return the state that DescribeProcessingJob tells; before it has started the job counts as queued."""
    started, ended = answer.get("ProcessingStartTime"), answer.get("ProcessingEndTime")
    phase = phase_of(answer["ProcessingJobStatus"])
    if phase is JobPhase.RUNNING and started is None:
        phase = JobPhase.QUEUED
    seconds = (ended - started).total_seconds() if started and ended else None
    return JobState(
        ref=ref,
        phase=phase,
        message=answer.get("FailureReason") or answer.get("ExitMessage") or answer["ProcessingJobStatus"],
        reason=_overrun(phase, seconds, answer) or failure_reason(phase, answer),
        submitted_at=answer.get("CreationTime"),
        started_at=started,
        ended_at=ended,
        last_seen=datetime.now(UTC),
        billed_seconds=seconds,
    )


def failure_reason(phase: JobPhase, answer: Mapping[str, Any]) -> ErrorKind | None:
    """Return why a job failed, by the code its `FailureReason` begins with and the exit code it ends with."""
    if phase is not JobPhase.FAILED:
        return None
    told = answer.get("FailureReason") or ""
    code, exited = _CODE.match(told), _EXIT.search(told)
    by_exit = REASON_OF_EXIT.get(int(exited[1])) if exited else None
    return by_exit or REASON_OF_FAILURE.get(code[1] if code else "", ErrorKind.JOB_FAILED)


def _overrun(phase: JobPhase, seconds: float | None, answer: Mapping[str, Any]) -> ErrorKind | None:
    # Of a processing job SageMaker does not say who stopped it; the limit that was reached does.
    limit = (answer.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
    over = phase is JobPhase.STOPPED and limit is not None and seconds is not None and seconds >= limit
    return ErrorKind.TIMED_OUT if over else None
