"""From the errors of the Azure SDKs to the closed list: judged by code, status and type, never by their words."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from requests.exceptions import RequestException
from temporalio.exceptions import ApplicationError
from urllib3.exceptions import HTTPError

from activities.scrub import scrub
from contracts.errors import ErrorDetail, ErrorKind, failure

CLOUD = "azure"

KIND_OF_CODE: dict[str, ErrorKind] = {
    # Blob storage
    "BlobNotFound": ErrorKind.SOURCE_MISSING,
    "ContainerNotFound": ErrorKind.SOURCE_MISSING,
    "ResourceNotFound": ErrorKind.SOURCE_MISSING,
    "CannotVerifyCopySource": ErrorKind.SOURCE_MISSING,
    "BlobAlreadyExists": ErrorKind.TARGET_CONFLICT,
    "BlobImmutableDueToPolicy": ErrorKind.TARGET_CONFLICT,
    "UnauthorizedBlobOverwrite": ErrorKind.TARGET_CONFLICT,
    "InvalidBlobType": ErrorKind.TARGET_CONFLICT,
    "LeaseIdMissing": ErrorKind.TARGET_CONFLICT,
    # Blocks of another tool lie there, and block ids of one blob must have one length.
    "InvalidBlobOrBlock": ErrorKind.TARGET_CONFLICT,
    "ConditionNotMet": ErrorKind.SOURCE_CHANGED,
    "SourceConditionNotMet": ErrorKind.SOURCE_CHANGED,
    "InvalidRange": ErrorKind.SOURCE_CHANGED,
    "Md5Mismatch": ErrorKind.CHECKSUM_MISMATCH,
    "Crc64Mismatch": ErrorKind.CHECKSUM_MISMATCH,
    # Another upload to the same blob was committed and took the blocks with it: staged again they are there.
    "InvalidBlockList": ErrorKind.UNAVAILABLE,
    "ContainerBeingDeleted": ErrorKind.UNAVAILABLE,
    "ContainerDisabled": ErrorKind.ACCESS_DENIED,
    "OperationTimedOut": ErrorKind.UNAVAILABLE,
    "InternalError": ErrorKind.UNAVAILABLE,
    "ServerBusy": ErrorKind.THROTTLED,
    "AccountIsDisabled": ErrorKind.ACCESS_DENIED,
    "AuthorizationFailure": ErrorKind.ACCESS_DENIED,
    "AuthorizationPermissionMismatch": ErrorKind.ACCESS_DENIED,
    "AuthorizationFailed": ErrorKind.ACCESS_DENIED,
    "LinkedAuthorizationFailed": ErrorKind.ACCESS_DENIED,
    "InsufficientAccountPermissions": ErrorKind.ACCESS_DENIED,
    "PublicAccessNotPermitted": ErrorKind.ACCESS_DENIED,
    "AuthenticationFailed": ErrorKind.UNAUTHENTICATED,
    "InvalidAuthenticationInfo": ErrorKind.UNAUTHENTICATED,
    "InvalidAuthenticationToken": ErrorKind.UNAUTHENTICATED,
    "ExpiredAuthenticationToken": ErrorKind.UNAUTHENTICATED,
    "NoAuthenticationInformation": ErrorKind.UNAUTHENTICATED,
    # The resource manager and Azure Machine Learning
    "NotFound": ErrorKind.SOURCE_MISSING,
    "ResourceGroupNotFound": ErrorKind.SOURCE_MISSING,
    "SubscriptionNotFound": ErrorKind.SOURCE_MISSING,
    "WorkspaceNotFound": ErrorKind.SOURCE_MISSING,
    "DatastoreNotFound": ErrorKind.SOURCE_MISSING,
    "ComputeNotFound": ErrorKind.SOURCE_MISSING,
    "JobPropertyImmutable": ErrorKind.TARGET_CONFLICT,
    "TooManyRequests": ErrorKind.THROTTLED,
    "SubscriptionRequestsThrottled": ErrorKind.THROTTLED,
    "QuotaExceeded": ErrorKind.QUOTA_EXHAUSTED,
    "OutOfQuota": ErrorKind.QUOTA_EXHAUSTED,
    "OperationNotAllowed": ErrorKind.QUOTA_EXHAUSTED,
    "SkuNotAvailable": ErrorKind.CAPACITY,
    "AllocationFailed": ErrorKind.CAPACITY,
    "ZonalAllocationFailed": ErrorKind.CAPACITY,
    "RequestDisallowedByPolicy": ErrorKind.POLICY_VIOLATION,
    "ServiceUnavailable": ErrorKind.UNAVAILABLE,
    "ServiceError": ErrorKind.UNAVAILABLE,
    "InternalServerError": ErrorKind.UNAVAILABLE,
}
"""https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and
https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors"""

KIND_OF_STATUS: dict[int, ErrorKind] = {
    400: ErrorKind.INVALID_REQUEST,
    401: ErrorKind.UNAUTHENTICATED,
    403: ErrorKind.ACCESS_DENIED,
    404: ErrorKind.SOURCE_MISSING,
    405: ErrorKind.INVALID_REQUEST,
    408: ErrorKind.UNAVAILABLE,
    409: ErrorKind.TARGET_CONFLICT,
    412: ErrorKind.SOURCE_CHANGED,
    413: ErrorKind.INVALID_REQUEST,
    416: ErrorKind.SOURCE_CHANGED,
    429: ErrorKind.THROTTLED,
}

KIND_OF_CATEGORY: dict[str, ErrorKind] = {
    "UserError": ErrorKind.INVALID_REQUEST,
    "ResourceNotFound": ErrorKind.SOURCE_MISSING,
    "SystemError": ErrorKind.UNAVAILABLE,
}
"""How azure-ai-ml sorts the errors it finds by itself, before or between requests."""


def translate(error: BaseException, ref: str) -> ApplicationError:
    """Say an error of the Azure SDKs in Causeway's words; one that is said already passes unchanged."""
    if isinstance(error, ApplicationError):
        return error
    kind = kind_of(error)
    code = code_of(error)
    detail = ErrorDetail(cloud=CLOUD, ref=ref, code=code, request_id=_header(error, "x-ms-request-id"))
    shown = f" ({code})" if code else ""
    message = f"Azure, {ref}: {words_of(error)}{shown}"
    return failure(kind, message, detail, retry_after=_retry_after(error))


_BROKEN = (
    ServiceRequestError,
    ServiceResponseError,
    DecodeError,
    ConnectionError,
    TimeoutError,
    # What the SDK reads answers with lets these through now and then, in the middle of a body.
    RequestException,
    HTTPError,
)


def kind_of(error: BaseException) -> ErrorKind:
    """Return the kind of an error: by its code, else by its status, else by its type."""
    if isinstance(error, HttpResponseError):
        codes = (code_of(error), *_inner_codes(error))
        named = next((KIND_OF_CODE[code] for code in codes if code in KIND_OF_CODE), None)
        known = named or KIND_OF_STATUS.get(error.status_code or 0)
        if known:
            return known
        if (error.status_code or 0) >= 500:
            return ErrorKind.UNAVAILABLE
        # Out of its own retries over a body that broke off, the storage SDK says so without the answer it had.
        if isinstance(error.inner_exception, Exception):
            return kind_of(error.inner_exception)
    if isinstance(error, ClientAuthenticationError):
        return ErrorKind.UNAUTHENTICATED
    # A body that ended early, or cannot be read: some of it was lost on the way.
    if isinstance(error, _BROKEN):
        return ErrorKind.UNAVAILABLE
    category = getattr(error, "error_category", None)
    if isinstance(error, AzureError) and isinstance(category, str):
        return KIND_OF_CATEGORY.get(category, ErrorKind.UNKNOWN)
    return ErrorKind.UNKNOWN


def code_of(error: BaseException) -> str:
    """Return the provider's own code of an error, or nothing."""
    # Storage names its code in a header, which its SDK copies here; the resource manager names it in the body.
    stored = getattr(error, "error_code", None)
    if stored:
        return str(getattr(stored, "value", stored))
    body = getattr(error, "error", None)
    return str(getattr(body, "code", None) or "")


def _inner_codes(error: HttpResponseError) -> list[str]:
    """Return the codes inside an answer, outermost first: Azure ML calls all that a caller cannot have a `UserError`."""
    try:
        inner = json.loads(error.response.text())["error"] if error.response else None
    except (AttributeError, KeyError, TypeError, ValueError, AzureError):
        return []
    codes = []
    while isinstance(inner := _below(inner), Mapping):
        codes.append(str(inner.get("code") or ""))
    return codes


def _below(error: Any) -> Any:
    return (error.get("innerError") or error.get("innererror")) if isinstance(error, Mapping) else None


def words_of(error: BaseException) -> str:
    """Return the provider's words in one line, cut, without anything secret; the type when it has none."""
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    if not isinstance(error, HttpResponseError) or isinstance(error, ClientAuthenticationError):
        return scrub(text)
    # What follows the first line repeats it as code, request id and body.
    first = next((line for line in text.splitlines() if line.strip()), text)
    return scrub(first.removeprefix(f"({code_of(error)}) "))


def _header(error: BaseException, name: str) -> str:
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    return str(headers.get(name) or "")


def _retry_after(error: BaseException) -> timedelta | None:
    asked = _header(error, "Retry-After")
    return timedelta(seconds=int(asked)) if asked.isdigit() and len(asked) < 6 else None
