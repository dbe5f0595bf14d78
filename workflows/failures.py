"""What went wrong, in the words a person reads, from whatever Temporal wrapped round it."""

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TimeoutType,
)
from temporalio.exceptions import (
    TimeoutError as TemporalTimeoutError,
)

from contracts.errors import ErrorKind, hint_for
from contracts.runs import StageError


def root_of(error: BaseException) -> BaseException:
    """Return the innermost failure that says something: what an activity or a child raised."""
    while isinstance(error, ActivityError | ChildWorkflowError) and error.cause is not None:
        error = error.cause
    return error


def kind_of(error: BaseException) -> str:
    """Return the `ErrorKind` of a failure; `UNKNOWN` when it carries none."""
    root = root_of(error)
    if isinstance(root, ApplicationError) and root.type in set(ErrorKind):
        return str(root.type)
    if isinstance(root, TemporalTimeoutError):
        if root.type is TimeoutType.SCHEDULE_TO_START:
            return ErrorKind.WORKER_ABSENT
        return kind_of(root.cause) if isinstance(root.cause, ApplicationError) else ErrorKind.UNAVAILABLE
    return ErrorKind.CANCELLED if isinstance(root, CancelledError) else ErrorKind.UNKNOWN


def unanswered(error: BaseException) -> bool:
    """Whether it ended without an answer, so that what was asked for may come to be even now."""
    root = root_of(error)
    if isinstance(root, TemporalTimeoutError) and root.type is TimeoutType.SCHEDULE_TO_START:
        return False
    return isinstance(root, TemporalTimeoutError) or kind_of(error) == ErrorKind.UNAVAILABLE


def over_time(error: BaseException) -> bool:
    """Whether an attempt took the time that it had, and none may follow."""
    root = root_of(error)
    return isinstance(root, TemporalTimeoutError) and root.type is TimeoutType.START_TO_CLOSE


def stage_error(error: BaseException) -> StageError:
    """Say what failed, why, and what to do."""
    kind = kind_of(error)
    root = root_of(error)
    message = root.message if isinstance(root, ApplicationError) else _timeout_text(error) or str(root)
    return StageError(kind=kind, message=message, hint=hint_for(kind))


def _timeout_text(error: BaseException) -> str:
    root = root_of(error)
    if not isinstance(root, TemporalTimeoutError):
        return ""
    what = f"{error.activity_type}" if isinstance(error, ActivityError) else "the step"
    if root.type is TimeoutType.SCHEDULE_TO_START:
        return f"{what} found no worker within the stage's timeout"
    said = root.cause.message if isinstance(root.cause, ApplicationError) else root.cause
    last = f"; the last attempt said: {said}" if said else ""
    return f"{what} did not succeed in the time it had{last}"
