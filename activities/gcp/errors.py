"""From the errors of Google's SDKs to the closed list: judged by reason, status and type, never by words."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

import requests
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorDetail, ErrorKind, failure

CLOUD = "gcp"
WORDS_LIMIT = 400
"""Characters of the provider's own words that are kept."""

KIND_OF_REASON: dict[str, ErrorKind] = {
    # Cloud Storage and BigQuery, in `error.errors[].reason` and in a job's `errorResult.reason`
    "accessDenied": ErrorKind.ACCESS_DENIED,
    "accountDisabled": ErrorKind.ACCESS_DENIED,
    "backendError": ErrorKind.UNAVAILABLE,
    "billingNotEnabled": ErrorKind.ACCESS_DENIED,
    "billingTierLimitExceeded": ErrorKind.QUOTA_EXHAUSTED,
    "blocked": ErrorKind.ACCESS_DENIED,
    "conditionNotMet": ErrorKind.TARGET_CONFLICT,
    "duplicate": ErrorKind.TARGET_CONFLICT,
    "internalError": ErrorKind.UNAVAILABLE,
    "invalid": ErrorKind.INVALID_REQUEST,
    "invalidQuery": ErrorKind.INVALID_REQUEST,
    "invalidUser": ErrorKind.UNAUTHENTICATED,
    "jobBackendError": ErrorKind.UNAVAILABLE,
    "jobInternalError": ErrorKind.UNAVAILABLE,
    "jobRateLimitExceeded": ErrorKind.THROTTLED,
    "notFound": ErrorKind.SOURCE_MISSING,
    "notImplemented": ErrorKind.UNSUPPORTED,
    "proxyAuthenticationRequired": ErrorKind.UNAUTHENTICATED,
    "quotaExceeded": ErrorKind.QUOTA_EXHAUSTED,
    "rateLimitExceeded": ErrorKind.THROTTLED,
    "resourceInUse": ErrorKind.UNAVAILABLE,
    "resourcesExceeded": ErrorKind.INVALID_REQUEST,
    "responseTooLarge": ErrorKind.INVALID_REQUEST,
    "retentionPolicyNotMet": ErrorKind.TARGET_CONFLICT,
    "stopped": ErrorKind.CANCELLED,
    "tableUnavailable": ErrorKind.UNAVAILABLE,
    "timeout": ErrorKind.TIMED_OUT,
    "userRateLimitExceeded": ErrorKind.THROTTLED,
    # Vertex AI and Cloud Logging, in the `google.rpc.ErrorInfo` detail
    "ACCESS_TOKEN_EXPIRED": ErrorKind.UNAUTHENTICATED,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": ErrorKind.ACCESS_DENIED,
    "BILLING_DISABLED": ErrorKind.ACCESS_DENIED,
    "RATE_LIMIT_EXCEEDED": ErrorKind.THROTTLED,
    "RESOURCE_QUOTA_EXCEEDED": ErrorKind.QUOTA_EXHAUSTED,
    "SERVICE_DISABLED": ErrorKind.ACCESS_DENIED,
}
"""https://cloud.google.com/bigquery/docs/error-messages, https://cloud.google.com/storage/docs/json_api/v1/status-codes
and google/api/error_reason.proto"""

KIND_OF_STATUS: dict[int, ErrorKind] = {
    400: ErrorKind.INVALID_REQUEST,
    401: ErrorKind.UNAUTHENTICATED,
    403: ErrorKind.ACCESS_DENIED,
    404: ErrorKind.SOURCE_MISSING,
    405: ErrorKind.INVALID_REQUEST,
    408: ErrorKind.UNAVAILABLE,
    409: ErrorKind.TARGET_CONFLICT,
    412: ErrorKind.TARGET_CONFLICT,
    413: ErrorKind.INVALID_REQUEST,
    416: ErrorKind.SOURCE_CHANGED,
    429: ErrorKind.THROTTLED,
    501: ErrorKind.UNSUPPORTED,
}

# The last two are an answer that ended early, and one that is no JSON since some of it was lost.
_UNREACHED = (
    RetryError,
    requests.ConnectionError,
    requests.Timeout,
    ConnectionError,
    TimeoutError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.InvalidJSONError,
)
# The SDKs' own text is "METHOD URL: words"; only the words are of use, and a URL may carry a query.
_REQUEST = re.compile(r"^(?:[A-Z]+ )?https?://\S+: ")
_QUERY = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s?'\"<>]+)\?[^\s'\"<>]+")


def translate(error: BaseException, ref: str) -> ApplicationError:
    """Say an error of Google's SDKs in Causeway's words; one that is said already passes unchanged."""
    if isinstance(error, ApplicationError):
        return error
    code = code_of(error)
    detail = ErrorDetail(cloud=CLOUD, ref=ref, code=code, request_id=_header(error, "X-GUploader-UploadID"))
    shown = f" ({code})" if code else ""
    message = f"Google Cloud, {ref}: {words_of(error)}{shown}"
    return failure(kind_of(error), message, detail, retry_after=_retry_after(error))


def refused(reason: str, message: str, ref: str) -> ApplicationError:
    """Say why a BigQuery job ended without success, from the reason code of its `errorResult`."""
    kind = KIND_OF_REASON.get(reason, ErrorKind.UNKNOWN)
    shown = f" ({reason})" if reason else ""
    text = f"Google Cloud, {ref}: {first_line(message)}{shown}"
    return failure(kind, text, ErrorDetail(cloud=CLOUD, ref=ref, code=reason))


def kind_of(error: BaseException) -> ErrorKind:
    """Return the kind of an error: by its reason, else by its status, else by its type."""
    if isinstance(error, GoogleAPICallError):
        return _kind_of_call(error)
    if isinstance(error, DataCorruption):
        return ErrorKind.CHECKSUM_MISMATCH
    if isinstance(error, InvalidResponse):
        return _kind_of_status(_status_of(error))
    if isinstance(error, TransportError) or (isinstance(error, GoogleAuthError) and error.retryable):
        return ErrorKind.UNAVAILABLE
    if isinstance(error, RefreshError | DefaultCredentialsError):
        return ErrorKind.UNAUTHENTICATED
    return ErrorKind.UNAVAILABLE if isinstance(error, _UNREACHED) else ErrorKind.UNKNOWN


def code_of(error: BaseException) -> str:
    """Return the provider's own code of an error: its reason, else its status; or nothing."""
    if isinstance(error, GoogleAPICallError):
        known = next((reason for reason in _reasons(error) if reason in KIND_OF_REASON), "")
        return known or str(int(error.code or 0) or "")
    status = _status_of(error)
    return str(status) if status else ""


def words_of(error: BaseException) -> str:
    """Return the provider's words in one line, cut, without any URL's query; the type when it has none."""
    return first_line(str(getattr(error, "message", None) or error)) or type(error).__name__


def first_line(text: str) -> str:
    """Return the first line that says anything, cut, without any URL's query."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return _QUERY.sub(r"\1", _REQUEST.sub("", line))[:WORDS_LIMIT]


def _kind_of_call(error: GoogleAPICallError) -> ErrorKind:
    for reason in _reasons(error):
        if reason in KIND_OF_REASON:
            return KIND_OF_REASON[reason]
    if error.code == 429 and _is_quota(error.details):
        return ErrorKind.QUOTA_EXHAUSTED
    return _kind_of_status(int(error.code or 0))


def _kind_of_status(status: int) -> ErrorKind:
    if status >= 500 and status not in KIND_OF_STATUS:
        return ErrorKind.UNAVAILABLE
    return KIND_OF_STATUS.get(status, ErrorKind.UNKNOWN)


def _reasons(error: GoogleAPICallError) -> list[str]:
    listed = [entry.get("reason", "") for entry in error.errors if isinstance(entry, Mapping)]
    return [str(reason) for reason in (error.reason, *listed) if reason]


def _type_of(detail: object) -> str:
    # Over REST a detail is plain JSON, over gRPC a message.
    return str(detail.get("@type", "")) if isinstance(detail, Mapping) else type(detail).__name__


def _is_quota(details: Sequence[object]) -> bool:
    return any(_type_of(detail).endswith("QuotaFailure") for detail in details or ())


def _status_of(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _header(error: BaseException, name: str) -> str:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return str(headers.get(name) or "")


def _retry_after(error: BaseException) -> timedelta | None:
    asked = _header(error, "Retry-After")
    return timedelta(seconds=int(asked)) if asked.isdigit() and len(asked) < 6 else None
