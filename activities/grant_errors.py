"""What a store's refusal of a grant means: by status and the store's own code, never by message text."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from contracts.errors import ErrorDetail, ErrorKind, failure

GRANT_REFUSED = "GRANT_REFUSED"
"""The code of an `UNAVAILABLE` that is final for the activity: only a fresh grant can help."""

_CODE = re.compile(rb"<Code>([A-Za-z0-9_.-]{1,80})</Code>")
_BODY_BYTES = 4096
_LONGEST_RETRY_AFTER = 300
_DAMAGED = {
    "BadDigest",
    "InvalidDigest",
    "XAmzContentChecksumMismatch",
    "Md5Mismatch",
    "Crc64Mismatch",
    "BadCrc32c",
}
_EXPIRED = {
    "ExpiredToken",
    "ExpiredRequest",
    "RequestTimeTooSkewed",
    "AuthenticationFailed",
    "RequestExpired",
}
_DENIED = {
    "AccessDenied",
    "AllAccessDisabled",
    "AuthorizationPermissionMismatch",
    "AuthorizationFailure",
    "InsufficientAccountPermissions",
    "AccountIsDisabled",
}
"""The signature is good, and who signed has not the right; no fresh one has it either. S3 alone says `AccessDenied` of a
signature that has run out, too, where Cloud Storage says `ExpiredToken` and Azure `AuthenticationFailed`."""
_LAST_SECONDS = timedelta(seconds=5)
"""A store tells its time in whole seconds."""
_SLOW = {"RequestTimeout", "OperationTimedOut", "ConditionalRequestConflict", "OperationAborted"}
_THROTTLED = {"SlowDown", "ServerBusy", "TooManyRequests"}


def refusal(
    response: BaseHTTPResponse,
    host: str | None,
    ref: str,
    *,
    expires_at: datetime,
    writing: bool,
    pinned: bool = False,
) -> ApplicationError:
    """Return what an answer other than success means; the message has the host and `ref`, never the URL or the body.

    `expires_at` is when the grant runs out. With `pinned` only one version was asked for, so that its absence means
    that another one lies there.
    """
    code = _code(response)
    kind = _kind(response.status, code, writing)
    if pinned and kind is ErrorKind.SOURCE_MISSING:
        kind = ErrorKind.SOURCE_CHANGED
    why = (
        "a redirect, which is never followed"
        if 300 <= response.status < 400
        else f"{response.status} {code}".strip()
    )
    detail = ErrorDetail(ref=ref, code=code or str(response.status), request_id=_request_id(response))
    told = f"{host} answered {why} for {ref}"
    if _needs_fresh_grant(response.status, code, late=_answered_at(response) >= expires_at - _LAST_SECONDS):
        return _refused(told, detail)
    if kind is ErrorKind.ACCESS_DENIED:
        told += "; whoever signed the URL may not do this itself: give that worker what `starter permissions` prints"
    return failure(kind, told, detail, retry_after=_retry_after(response))


def expired(ref: str, expires_at: datetime, now: datetime) -> ApplicationError:
    """Return what a grant that has run out means before it is used: only a fresh one can help, or a right clock."""
    told = (
        f"the grant for {ref} ran out at {expires_at:%H:%M:%S} UTC, before it was used; it is {now:%H:%M:%S} "
        "by this worker's clock, which must be right"
    )
    return _refused(told, ErrorDetail(ref=ref))


def unreachable(error: HTTPError | OSError, host: str | None, ref: str) -> ApplicationError:
    """Return what a connection that failed or broke means, without the library's text: it holds the URL."""
    name = type(error).__name__
    return failure(
        ErrorKind.UNAVAILABLE,
        f"the connection to {host} failed ({name}) for {ref}",
        ErrorDetail(ref=ref, code=name),
    )


def _kind(status: int, code: str, writing: bool) -> ErrorKind:
    if code in _DAMAGED:
        return ErrorKind.CHECKSUM_MISMATCH
    if code in _DENIED:
        return ErrorKind.ACCESS_DENIED
    if status == 429 or code in _THROTTLED:
        return ErrorKind.THROTTLED
    if status >= 500 or status == 408 or code in _SLOW:
        return ErrorKind.UNAVAILABLE
    if 300 <= status < 400:
        return ErrorKind.UNSUPPORTED
    if status in {404, 410}:
        return ErrorKind.SOURCE_MISSING
    if status in {409, 412}:
        return ErrorKind.TARGET_CONFLICT if writing else ErrorKind.SOURCE_CHANGED
    # An answer to a range that is a whole object, or no such range: the object is another one now.
    if status in {200, 206, 416}:
        return ErrorKind.SOURCE_CHANGED
    return ErrorKind.INVALID_REQUEST


def _needs_fresh_grant(status: int, code: str, *, late: bool) -> bool:
    if code in _DENIED:
        return late
    return status in {401, 403} or code in _EXPIRED


def _answered_at(response: BaseHTTPResponse) -> datetime:
    """The time of an answer by the store's own clock, which is what it judges grants by; else by ours."""
    try:
        told = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return datetime.now(UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _refused(told: str, detail: ErrorDetail) -> ApplicationError:
    return ApplicationError(
        f"{told}; the grant has expired or was withdrawn",
        detail.model_copy(update={"code": GRANT_REFUSED}),
        type=ErrorKind.UNAVAILABLE.value,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


def _code(response: BaseHTTPResponse) -> str:
    named = response.headers.get("x-ms-error-code") or response.headers.get("x-goog-error-code")
    if named:
        return named[:80]
    try:
        found = _CODE.search(response.read(_BODY_BYTES))
    except (HTTPError, OSError):
        return ""
    return found[1].decode() if found else ""


def _request_id(response: BaseHTTPResponse) -> str:
    for name in ("x-amz-request-id", "x-ms-request-id", "x-guploader-uploadid"):
        if found := response.headers.get(name):
            return found[:200]
    return ""


def _retry_after(response: BaseHTTPResponse) -> timedelta | None:
    said = response.headers.get("Retry-After", "")
    return timedelta(seconds=min(int(said), _LONGEST_RETRY_AFTER)) if said.isdigit() else None
