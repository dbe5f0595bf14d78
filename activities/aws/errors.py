"""From the errors of the AWS SDK to the closed list: judged by code, status and type, never by words."""

from datetime import timedelta
from typing import Any

import botocore.exceptions as sdk
from botocore.parsers import ResponseParserError
from temporalio.exceptions import ApplicationError

from activities.scrub import scrub
from contracts.errors import ErrorDetail, ErrorKind, failure

CLOUD = "aws"

_CODES: dict[ErrorKind, str] = {
    ErrorKind.SOURCE_MISSING: """
        NoSuchKey NoSuchBucket NoSuchVersion NotFound 404 ResourceNotFound ResourceNotFoundException""",
    ErrorKind.TARGET_CONFLICT: "BucketAlreadyExists ResourceInUse",
    ErrorKind.SOURCE_CHANGED: "PreconditionFailed 412 InvalidRange 416",
    ErrorKind.ACCESS_DENIED: """
        AccessDenied AccessDeniedException 403 Forbidden UnauthorizedOperation AllAccessDisabled
        AccountProblem NotSignedUp OptInRequired KMS.AccessDeniedException KMS.DisabledException
        KMS.NotFoundException KMS.KMSInvalidStateException""",
    # A HEAD answers without a body: 400 is all that S3 says there of a token that has run out.
    ErrorKind.UNAUTHENTICATED: """
        400 401 ExpiredToken ExpiredTokenException InvalidToken InvalidAccessKeyId InvalidClientTokenId
        SignatureDoesNotMatch UnrecognizedClientException RequestTimeTooSkewed RequestExpired AuthFailure
        IncompleteSignature InvalidSignatureException MissingAuthenticationToken
        MissingAuthenticationTokenException""",
    ErrorKind.INVALID_REQUEST: """
        ValidationException ValidationError InvalidArgument InvalidBucketName KeyTooLongError MalformedXML
        InvalidRequest EntityTooLarge EntityTooSmall InvalidParameterValue InvalidParameterException
        SerializationException InvalidPartOrder MetadataTooLarge InvalidTag IllegalLocationConstraintException
        PermanentRedirect 301 AuthorizationHeaderMalformed""",
    ErrorKind.UNSUPPORTED: """
        NotImplemented MethodNotAllowed UnknownOperationException InvalidAction InvalidObjectState""",
    ErrorKind.CAPACITY: "CapacityError InsufficientCapacity InsufficientInstanceCapacity",
    ErrorKind.QUOTA_EXHAUSTED: "ResourceLimitExceeded ServiceQuotaExceededException TooManyBuckets",
    ErrorKind.THROTTLED: """
        SlowDown Throttling ThrottlingException ThrottledException RequestLimitExceeded RequestThrottled
        RequestThrottledException TooManyRequestsException LimitExceededException BandwidthLimitExceeded
        429 KMS.ThrottlingException""",
    ErrorKind.CHECKSUM_MISMATCH: """
        BadDigest InvalidDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch""",
    # An upload or part that is gone went with another worker's commit or abort: the next attempt begins anew.
    ErrorKind.UNAVAILABLE: """
        InternalError InternalFailure InternalServerError InternalServiceError ServiceUnavailable
        ServiceUnavailableException 500 502 503 504 RequestTimeout RequestTimeoutException IncompleteBody
        ConditionalRequestConflict OperationAborted ConflictException NoSuchUpload InvalidPart""",
}
KIND_OF_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
"""https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html"""

KIND_OF_STATUS: dict[int, ErrorKind] = {
    400: ErrorKind.INVALID_REQUEST,
    401: ErrorKind.UNAUTHENTICATED,
    403: ErrorKind.ACCESS_DENIED,
    404: ErrorKind.SOURCE_MISSING,
    408: ErrorKind.UNAVAILABLE,
    409: ErrorKind.UNAVAILABLE,
    412: ErrorKind.SOURCE_CHANGED,
    416: ErrorKind.SOURCE_CHANGED,
    429: ErrorKind.THROTTLED,
    501: ErrorKind.UNSUPPORTED,
}

KIND_OF_TYPE: tuple[tuple[type[BaseException], ErrorKind], ...] = (
    (sdk.NoCredentialsError, ErrorKind.UNAUTHENTICATED),
    (sdk.PartialCredentialsError, ErrorKind.UNAUTHENTICATED),
    (sdk.CredentialRetrievalError, ErrorKind.UNAUTHENTICATED),
    (sdk.TokenRetrievalError, ErrorKind.UNAUTHENTICATED),
    (sdk.SSOError, ErrorKind.UNAUTHENTICATED),
    (sdk.ProfileNotFound, ErrorKind.UNAUTHENTICATED),
    (sdk.ParamValidationError, ErrorKind.INVALID_REQUEST),
    (sdk.NoRegionError, ErrorKind.INVALID_REQUEST),
    # Refused connections, timeouts, TLS and proxies are the one or the other.
    (sdk.ConnectionError, ErrorKind.UNAVAILABLE),
    (sdk.HTTPClientError, ErrorKind.UNAVAILABLE),
    (sdk.IncompleteReadError, ErrorKind.UNAVAILABLE),
    # An answer that is no XML: some of it was lost on the way.
    (ResponseParserError, ErrorKind.UNAVAILABLE),
    (ConnectionError, ErrorKind.UNAVAILABLE),
    (TimeoutError, ErrorKind.UNAVAILABLE),
)


def translate(error: BaseException, ref: str) -> ApplicationError:
    """Say an error of the AWS SDK in Causeway's words; one that is said already passes unchanged."""
    if isinstance(error, ApplicationError):
        return error
    code = code_of(error)
    detail = ErrorDetail(cloud=CLOUD, ref=ref, code=code, request_id=str(_answer(error).get("RequestId", "")))
    shown = f" ({code})" if code else ""
    return failure(
        kind_of(error), f"AWS, {ref}: {words_of(error)}{shown}", detail, retry_after=_retry_after(error)
    )


def kind_of(error: BaseException) -> ErrorKind:
    """Return the kind of an error: by its code, else by its status, else by its type."""
    if isinstance(error, sdk.ClientError):
        status = int(_answer(error).get("HTTPStatusCode", 0))
        known = KIND_OF_CODE.get(code_of(error)) or KIND_OF_STATUS.get(status)
        return known or (ErrorKind.UNAVAILABLE if status >= 500 else ErrorKind.UNKNOWN)
    return next((kind for known, kind in KIND_OF_TYPE if isinstance(error, known)), ErrorKind.UNKNOWN)


def code_of(error: BaseException) -> str:
    """Return the provider's own code of an error; of an error without one, the name of its type."""
    if isinstance(error, sdk.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__


def words_of(error: BaseException) -> str:
    """Return the provider's words on one line, cut, and without what may carry a signature."""
    if isinstance(error, sdk.ClientError):
        return scrub(error.response.get("Error", {}).get("Message") or "no words")
    return scrub(error)


def _answer(error: BaseException) -> dict[str, Any]:
    return dict(error.response.get("ResponseMetadata", {})) if isinstance(error, sdk.ClientError) else {}


def _retry_after(error: BaseException) -> timedelta | None:
    asked = str(_answer(error).get("HTTPHeaders", {}).get("retry-after", ""))
    return timedelta(seconds=min(int(asked), 3600)) if asked.isdecimal() else None
