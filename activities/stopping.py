"""How an activity's thread notices that it should end, and how it waits without missing that.

Activities are registered with `no_thread_cancel_exception=True`: they are asked to stop, never interrupted.
"""

import time

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError

from contracts.errors import ErrorKind, failure

_SLICE_SECONDS = 0.2


def asked_to_stop() -> bool:
    """Whether this activity was cancelled or its worker is shutting down; False outside an activity."""
    return activity.in_activity() and (activity.is_cancelled() or activity.is_worker_shutdown())


def cancel_requested() -> bool:
    """Whether somebody wants this work undone, rather than that the server has given up this attempt at it."""
    details = activity.cancellation_details() if activity.in_activity() else None
    return details is not None and details.cancel_requested


def stop_error() -> CancelledError | ApplicationError:
    """Return what to raise once the work in flight has landed: a cancel, or a hand-over to another worker."""
    if activity.in_activity() and not activity.is_cancelled():
        return failure(ErrorKind.UNAVAILABLE, "this worker is stopping; another one takes up the work")
    return CancelledError("stopped after the work in flight had landed")


def rest(seconds: float) -> None:
    """Sleep, but not past a request to stop.

    Raises:
        CancelledError: the activity was cancelled.
        ApplicationError: `UNAVAILABLE` when the worker is shutting down.
    """
    until = time.monotonic() + seconds
    while True:
        if asked_to_stop():
            raise stop_error()
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _SLICE_SECONDS))
