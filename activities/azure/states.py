"""The states and reasons of Azure Machine Learning jobs in Causeway's words: one table each."""

import re
from collections.abc import Mapping
from typing import Any

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase

PHASES: dict[str, JobPhase] = {
    "NotStarted": JobPhase.QUEUED,
    "Scheduled": JobPhase.QUEUED,
    "Queued": JobPhase.QUEUED,
    "Provisioning": JobPhase.QUEUED,
    "Starting": JobPhase.QUEUED,
    "Preparing": JobPhase.QUEUED,
    "Running": JobPhase.RUNNING,
    "Finalizing": JobPhase.RUNNING,
    "Paused": JobPhase.RUNNING,
    "NotResponding": JobPhase.RUNNING,
    "Unknown": JobPhase.RUNNING,
    # Asked to stop is not stopped: it may even still complete.
    "CancelRequested": JobPhase.RUNNING,
    "Completed": JobPhase.SUCCEEDED,
    "Failed": JobPhase.FAILED,
    "Canceled": JobPhase.STOPPED,
}
"""https://learn.microsoft.com/rest/api/azureml/jobs/get#jobstatus"""

REASONS: dict[str, ErrorKind] = {
    "PreemptionError": ErrorKind.PREEMPTED,
    "NodePreempted": ErrorKind.PREEMPTED,
    "JobNodePreempted": ErrorKind.PREEMPTED,
    "LowPriorityPreempted": ErrorKind.PREEMPTED,
    "UserProcessKilledBySystemOOM": ErrorKind.OUT_OF_MEMORY,
    "OutOfMemoryError": ErrorKind.OUT_OF_MEMORY,
    "OutOfMemory": ErrorKind.OUT_OF_MEMORY,
    "DiskFullError": ErrorKind.DISK_FULL,
    "DiskFull": ErrorKind.DISK_FULL,
    "InsufficientDiskSpace": ErrorKind.DISK_FULL,
    "QuotaExceeded": ErrorKind.QUOTA_EXHAUSTED,
    "ClusterCoreQuotaReached": ErrorKind.QUOTA_EXHAUSTED,
    "ClusterMinNodesExceedCoreQuota": ErrorKind.QUOTA_EXHAUSTED,
    "AllocationFailed": ErrorKind.CAPACITY,
    "AllocationTimeout": ErrorKind.CAPACITY,
    "SkuNotAvailable": ErrorKind.CAPACITY,
    # Its image: there is none of this name, it cannot be built, or the machine may not read it.
    "FailedPullingImage": ErrorKind.INVALID_REQUEST,
    "ImageBuildFailure": ErrorKind.INVALID_REQUEST,
    "EnvironmentBuildFailed": ErrorKind.INVALID_REQUEST,
    "AcrRefreshTokenRetrievalError": ErrorKind.ACCESS_DENIED,
    "JobTimeoutError": ErrorKind.TIMED_OUT,
    "MaxRunDurationExceeded": ErrorKind.TIMED_OUT,
}
"""The vendor's names of what ended a job, as its run history and its support articles give them."""

REASON_OF_EXIT = {137: ErrorKind.OUT_OF_MEMORY, -9: ErrorKind.OUT_OF_MEMORY}
"""By the exit code of the user's process: SIGKILL, which is the kernel's when memory is out."""

_EXIT = re.compile(r"\bstatus code (-?\d+)\b")
_NAME = re.compile(r"\b[A-Z][A-Za-z]{7,}\b")


def phase_of(status: str) -> JobPhase:
    """Return the phase of a status; one that is new to Causeway is no end."""
    return PHASES.get(status, JobPhase.RUNNING)


def reason_of(phase: JobPhase, error: Mapping[str, Any], *, overdue: bool) -> ErrorKind | None:
    """Return why a job failed or stopped.

    Args:
        phase: an end.
        error: the root error of the run history, or nothing.
        overdue: whether the job ran for as long as its limit allows; the vendor cancels it then and names no code.
    """
    if phase not in {JobPhase.FAILED, JobPhase.STOPPED}:
        return None
    named = next((REASONS[name] for name in _names(error) if name in REASONS), None)
    if named:
        return named
    exited = _EXIT.search(_told(error))
    if phase == JobPhase.FAILED and exited and int(exited[1]) in REASON_OF_EXIT:
        return REASON_OF_EXIT[int(exited[1])]
    if phase == JobPhase.STOPPED:
        return ErrorKind.TIMED_OUT if overdue else ErrorKind.CANCELLED
    return ErrorKind.JOB_FAILED


def _names(error: Mapping[str, Any]) -> list[str]:
    """Return the codes of an error, innermost first, then the names in its first line.

    The vendor wraps its runtime's error into a root error whose code only says whose fault it is; what really happened
    is a name inside the message. Only the vendor's own part is read: after `Error:` it quotes the job's output.
    """
    codes: list[str] = []
    inner: Any = error
    while isinstance(inner, Mapping):
        codes.insert(0, str(inner.get("code") or ""))
        inner = inner.get("innerError") or inner.get("innererror")
    return codes + _NAME.findall(_told(error))


def _told(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or "").partition(" Error: ")[0]
