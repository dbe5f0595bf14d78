from datetime import timedelta

import botocore.exceptions as sdk
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from activities.aws.errors import KIND_OF_CODE, KIND_OF_STATUS, KIND_OF_TYPE, kind_of, translate
from contracts.errors import ErrorKind, failure

SIGNED = "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=abc&X-Amz-Credential=def"
EXAMPLES: dict[type[BaseException], BaseException] = {
    sdk.NoCredentialsError: sdk.NoCredentialsError(),
    sdk.PartialCredentialsError: sdk.PartialCredentialsError(
        provider="env", cred_var="AWS_SECRET_ACCESS_KEY"
    ),
    sdk.CredentialRetrievalError: sdk.CredentialRetrievalError(provider="process", error_msg="gone"),
    sdk.TokenRetrievalError: sdk.TokenRetrievalError(provider="sso", error_msg="gone"),
    sdk.SSOError: sdk.UnauthorizedSSOTokenError(),
    sdk.ProfileNotFound: sdk.ProfileNotFound(profile="absent"),
    sdk.ParamValidationError: sdk.ParamValidationError(report="Bucket is missing"),
    sdk.NoRegionError: sdk.NoRegionError(),
    sdk.ConnectionError: sdk.ConnectTimeoutError(endpoint_url=SIGNED),
    sdk.HTTPClientError: sdk.ReadTimeoutError(endpoint_url=SIGNED),
    sdk.IncompleteReadError: sdk.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ResponseParserError: ResponseParserError("no XML"),
    ConnectionError: ConnectionResetError(),
    TimeoutError: TimeoutError(),
}


def client_error(code: str, status: int = 418, **headers: str) -> ClientError:
    answer = {
        "RequestId": "r-1",
        "HTTPStatusCode": status,
        "HTTPHeaders": headers,
        "RetryAttempts": 0,
        "HostId": "",
    }
    return ClientError(
        {"Error": {"Code": code, "Message": f"see {SIGNED}"}, "ResponseMetadata": answer}, "GetObject"
    )


@pytest.mark.parametrize(("code", "kind"), KIND_OF_CODE.items(), ids=list(KIND_OF_CODE))
def test_a_code_has_one_kind(code: str, kind: ErrorKind) -> None:
    told = translate(client_error(code), "s3://bucket/key")
    assert told.type == kind.value
    assert (told.details[0].code, told.details[0].request_id, told.details[0].cloud) == (code, "r-1", "aws")
    assert "s3://bucket/key" in told.message


@pytest.mark.parametrize(
    ("status", "kind"), KIND_OF_STATUS.items(), ids=[str(status) for status in KIND_OF_STATUS]
)
def test_a_status_tells_the_kind_of_a_code_nobody_knows(status: int, kind: ErrorKind) -> None:
    assert kind_of(client_error("BrandNew", status)) is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(500, ErrorKind.UNAVAILABLE), (599, ErrorKind.UNAVAILABLE), (418, ErrorKind.UNKNOWN)]
)
def test_an_unlisted_status_is_theirs_from_500_on_and_unknown_below(status: int, kind: ErrorKind) -> None:
    assert kind_of(client_error("BrandNew", status)) is kind


@pytest.mark.parametrize(("known", "kind"), KIND_OF_TYPE, ids=[known.__name__ for known, _ in KIND_OF_TYPE])
def test_a_type_has_one_kind(known: type[BaseException], kind: ErrorKind) -> None:
    assert kind_of(EXAMPLES[known]) is kind


@pytest.mark.parametrize(
    "error",
    [
        sdk.EndpointConnectionError(endpoint_url=SIGNED),
        sdk.ReadTimeoutError(endpoint_url=SIGNED),
        sdk.ConnectionClosedError(endpoint_url=SIGNED),
        sdk.SSLError(endpoint_url=SIGNED, error="bad certificate"),
        sdk.ProxyConnectionError(proxy_url="http://user:word@proxy/"),
        client_error("AccessDenied"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_signature_and_no_password_reaches_a_message(error: BaseException) -> None:
    told = translate(error, "s3://bucket/key").message
    assert not any(secret in told for secret in ("Signature=", "Credential=", "word@", "\n"))


def test_an_error_of_another_kind_is_unknown() -> None:
    assert translate(ZeroDivisionError("x"), "ref").type == "UNKNOWN"


def test_an_error_that_is_said_already_passes() -> None:
    said = failure(ErrorKind.SOURCE_CHANGED, "said")
    assert translate(said, "ref") is said


@pytest.mark.parametrize(
    ("header", "after"), [("7", timedelta(seconds=7)), ("soon", None), ("99999", timedelta(hours=1))]
)
def test_the_providers_wish_for_patience_is_kept(header: str, after: timedelta | None) -> None:
    told = translate(client_error("SlowDown", 503, **{"retry-after": header}), "ref")
    assert told.next_retry_delay == after
