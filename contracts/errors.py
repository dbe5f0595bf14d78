"""The closed list of what can go wrong, and the one way to say it.

the caller         INVALID_REQUEST  UNSUPPORTED  SOURCE_MISSING  TARGET_CONFLICT  SOURCE_CHANGED
                   JOB_FAILED  TIMED_OUT  OUT_OF_MEMORY  DISK_FULL
the operator       ACCESS_DENIED  UNAUTHENTICATED  WORKER_ABSENT (an error once the timeout is over)
whoever may waive  POLICY_VIOLATION  BUDGET_EXCEEDED
the plan           CAPACITY  PREEMPTED
time heals         THROTTLED  QUOTA_EXHAUSTED  UNAVAILABLE  CHECKSUM_MISMATCH
somebody           CANCELLED
us                 UNKNOWN
"""

import unicodedata
from datetime import timedelta
from enum import StrEnum

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts.model import Message

MESSAGE_LIMIT = 2000
"""Characters of an error message that are kept; histories are read by people."""


class ErrorKind(StrEnum):
    """What went wrong; the value is the `type` of the `ApplicationError`."""

    INVALID_REQUEST = "INVALID_REQUEST"
    UNSUPPORTED = "UNSUPPORTED"
    SOURCE_MISSING = "SOURCE_MISSING"
    TARGET_CONFLICT = "TARGET_CONFLICT"
    SOURCE_CHANGED = "SOURCE_CHANGED"
    JOB_FAILED = "JOB_FAILED"
    TIMED_OUT = "TIMED_OUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"
    ACCESS_DENIED = "ACCESS_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    WORKER_ABSENT = "WORKER_ABSENT"
    POLICY_VIOLATION = "POLICY_VIOLATION"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    CAPACITY = "CAPACITY"
    PREEMPTED = "PREEMPTED"
    THROTTLED = "THROTTLED"
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


RETRIED = frozenset(
    {
        ErrorKind.THROTTLED,
        ErrorKind.QUOTA_EXHAUSTED,
        ErrorKind.UNAVAILABLE,
        ErrorKind.CHECKSUM_MISMATCH,
        ErrorKind.UNKNOWN,
    }
)
"""Kinds that the same activity may succeed on when it is tried again."""

EXPECTED = frozenset(
    {
        ErrorKind.THROTTLED,
        ErrorKind.QUOTA_EXHAUSTED,
        ErrorKind.UNAVAILABLE,
        ErrorKind.CAPACITY,
        ErrorKind.PREEMPTED,
    }
)
"""Kinds that are weather: logged quietly and not counted as failures of a worker."""

NEW_GENERATION = frozenset(
    {ErrorKind.JOB_FAILED, ErrorKind.PREEMPTED, ErrorKind.OUT_OF_MEMORY, ErrorKind.CAPACITY}
)
"""Confirmed ends of a job after which `retries` allows another generation."""

HINTS: dict[str, str] = {
    ErrorKind.INVALID_REQUEST: "correct the pipeline and start a new run",
    ErrorKind.UNSUPPORTED: "choose a connection that can do this, or another form of the stage",
    ErrorKind.SOURCE_MISSING: "check the name and put the data there, then retry the stage",
    ErrorKind.TARGET_CONFLICT: "choose another target, or say if_exists: overwrite",
    ErrorKind.SOURCE_CHANGED: "let the source come to rest, then retry the stage",
    ErrorKind.JOB_FAILED: "read the job's last log lines above; retry the stage, or correct the script and start a new run",
    ErrorKind.TIMED_OUT: "retry the stage with a longer --timeout, or make the job smaller",
    ErrorKind.OUT_OF_MEMORY: "retry the stage with more memory (--resources), and raise resources.memory in the pipeline",
    ErrorKind.DISK_FULL: "free disk space on the machine named, then retry the stage",
    ErrorKind.ACCESS_DENIED: "give the worker's identity the right that is missing, then retry the stage",
    ErrorKind.UNAUTHENTICATED: "renew the worker's credentials and restart it, then retry the stage",
    ErrorKind.WORKER_ABSENT: "start the worker of this connection",
    ErrorKind.POLICY_VIOLATION: "keep to the rule that is named, or ask who may waive it",
    ErrorKind.BUDGET_EXCEEDED: "raise the budget, or make the run cheaper",
    ErrorKind.CAPACITY: "wait, or choose another connection or instance",
    ErrorKind.PREEMPTED: "retry the stage, or use an on-demand instance",
    ErrorKind.THROTTLED: "wait, or ask the provider for a higher rate of requests",
    ErrorKind.QUOTA_EXHAUSTED: "ask the provider for more quota, or wait",
    ErrorKind.UNAVAILABLE: "check the provider's status and the network of the worker, then retry the stage",
    ErrorKind.CHECKSUM_MISMATCH: "the network or the store damaged bytes; retry the stage, then ask the provider",
    ErrorKind.CANCELLED: "somebody stopped it from outside; find out why, then retry the stage",
    ErrorKind.UNKNOWN: "read the worker's log; this kind of error is new to Causeway",
}
"""What a person does about each kind."""


def printable(text: str) -> str:
    """Return the text without control characters, which could rewrite a person's screen; lines and tabs stay."""
    return "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) != "Cc")


class ErrorDetail(Message):
    """Where an error arose, as codes: never a body, a secret or a signed URL."""

    cloud: str = ""
    ref: str = ""
    """The resource: a URI without a query, a job name, a table."""
    code: str = ""
    """The provider's own error code."""
    request_id: str = ""


def failure(
    kind: ErrorKind,
    message: str,
    detail: ErrorDetail | None = None,
    *,
    retry_after: timedelta | None = None,
) -> ApplicationError:
    """Build the one error that activities raise; whether it is final follows from its kind."""
    return ApplicationError(
        printable(message)[:MESSAGE_LIMIT],
        detail or ErrorDetail(),
        type=kind.value,
        non_retryable=kind not in RETRIED,
        next_retry_delay=retry_after,
        category=ApplicationErrorCategory.BENIGN
        if kind in EXPECTED
        else ApplicationErrorCategory.UNSPECIFIED,
    )


def hint_for(kind: str) -> str:
    """Return what a person does about an error of this kind."""
    return HINTS.get(kind, HINTS[ErrorKind.UNKNOWN])


def page_for(kind: str) -> str:
    """Return where the docs say more about an error of this kind."""
    known = kind if kind in HINTS else ErrorKind.UNKNOWN
    return f"docs/troubleshooting.md#{known.lower()}"
