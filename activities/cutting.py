"""How a copy ends early: what it tells when some of it is done, and what it raises when nothing is."""

from temporalio.exceptions import ApplicationError, CancelledError

from activities.grant_errors import GRANT_REFUSED
from activities.stopping import asked_to_stop
from contracts.copies import Cut
from contracts.errors import ErrorDetail, ErrorKind

EXPIRED = "EXPIRED"
STOPPED = "STOPPED"


def cut_by(error: BaseException | None, *, progress: bool) -> Cut | None:
    """Return how a receipt tells of an error; None when there was none.

    A request to stop is always told, never raised: the SDK drops what comes with a cancellation.

    Raises:
        BaseException: the error itself: it is final, or nothing was done before it.
    """
    if error is None:
        return None
    if isinstance(error, CancelledError):
        return Cut(kind=STOPPED)
    if not isinstance(error, ApplicationError):
        raise error
    refused = _refused(error)
    if error.non_retryable and not refused:
        raise error
    if asked_to_stop():
        return Cut(kind=STOPPED)
    # Bytes that came to another checksum are no progress, however many they were.
    if not progress or error.type == ErrorKind.CHECKSUM_MISMATCH:
        raise error
    kind = EXPIRED if refused else str(error.type)
    return Cut(kind=kind, message=error.message, retry_after=error.next_retry_delay)


def _refused(error: ApplicationError) -> bool:
    detail = error.details[0] if error.details else None
    return isinstance(detail, ErrorDetail) and detail.code == GRANT_REFUSED
