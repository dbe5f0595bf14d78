"""What surrounds every activity's body: heartbeats, translation, no HTTP library's words in a failure."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError

from activities.heartbeat import Progress, beating
from contracts.errors import ErrorDetail, ErrorKind, failure

Translate = Callable[[BaseException, str], ApplicationError]
"""A cloud's `errors.translate`: the provider's error and the resource it is about."""

LAST_ATTEMPT = {ErrorKind.UNKNOWN.value: 5, ErrorKind.CHECKSUM_MISMATCH.value: 3}
"""Kinds that are retried, but not for as long as the total time allows."""


@contextmanager
def guarded(translate: Translate, ref: str, progress: Progress | None = None) -> Iterator[None]:
    """Beat while the body runs; let only `ApplicationError` and `CancelledError` out, with no cause attached.

    Raises:
        ApplicationError: what the body raised, final if its kind has been tried often enough.
    """
    with beating(progress):
        try:
            with translated(translate, ref):
                yield
        except ApplicationError as error:
            raise _limited(error) from None


@contextmanager
def translated(translate: Translate, ref: str) -> Iterator[None]:
    """Turn whatever the body raises into an error of the closed list about `ref`; cancellation passes."""
    try:
        yield
    except (CancelledError, asyncio.CancelledError):
        raise
    except ApplicationError as error:
        raise error from None
    except Exception as error:
        raise _told(translate, error, ref) from None


def _told(translate: Translate, error: Exception, ref: str) -> ApplicationError:
    try:
        return translate(error, ref)
    except Exception as second:
        told = f"{type(error).__name__} at {ref} could not be translated ({type(second).__name__})"
        return failure(ErrorKind.UNKNOWN, told, ErrorDetail(ref=ref, code=type(error).__name__))


def _limited(error: ApplicationError) -> ApplicationError:
    attempt = activity.info().attempt if activity.in_activity() else 1
    if error.non_retryable or attempt < LAST_ATTEMPT.get(error.type or "", attempt + 1):
        return error
    return ApplicationError(
        error.message, *error.details, type=error.type, non_retryable=True, category=error.category
    )
