from datetime import timedelta
from typing import Any

import google.auth.exceptions as identity
import pytest
import requests
from google.api_core import exceptions as sdk
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

from activities.gcp.errors import KIND_OF_REASON, KIND_OF_STATUS, kind_of, refused, translate
from contracts.errors import ErrorKind, failure

SIGNED = "https://storage.googleapis.com/bucket/name?X-Goog-Signature=abc&X-Goog-Credential=def"


def answer(status: int, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update({"X-GUploader-UploadID": "r-1", **headers})
    return response


def call_error(
    status: int, reason: str = "", details: list[Any] | None = None, **headers: str
) -> sdk.GoogleAPICallError:
    error: sdk.GoogleAPICallError = sdk.from_http_status(
        status,
        f"GET {SIGNED}: the words of the provider",
        errors=[{"reason": reason, "message": "words"}] if reason else [],
        details=details or [],
        response=answer(status, **headers),
    )
    return error


@pytest.mark.parametrize(("reason", "kind"), KIND_OF_REASON.items(), ids=list(KIND_OF_REASON))
def test_a_reason_has_one_kind_whatever_the_status(reason: str, kind: ErrorKind) -> None:
    told = translate(call_error(418, reason), "gs://bucket/name")
    assert told.type == kind.value
    assert (told.details[0].code, told.details[0].request_id, told.details[0].cloud) == (reason, "r-1", "gcp")
    assert "gs://bucket/name" in told.message


@pytest.mark.parametrize(("reason", "kind"), KIND_OF_REASON.items(), ids=list(KIND_OF_REASON))
def test_the_reason_of_a_job_that_ended_badly_has_the_same_kind(reason: str, kind: ErrorKind) -> None:
    told = refused(reason, "words", "demo.table")
    assert (told.type, told.details[0].code) == (kind.value, reason)


@pytest.mark.parametrize(
    ("status", "kind"), KIND_OF_STATUS.items(), ids=[str(status) for status in KIND_OF_STATUS]
)
def test_a_status_tells_the_kind_of_a_reason_nobody_knows(status: int, kind: ErrorKind) -> None:
    assert kind_of(call_error(status, "brandNew")) is kind
    assert kind_of(InvalidResponse(answer(status), "words")) is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(500, ErrorKind.UNAVAILABLE), (599, ErrorKind.UNAVAILABLE), (418, ErrorKind.UNKNOWN)]
)
def test_other_statuses_tell_by_their_class(status: int, kind: ErrorKind) -> None:
    assert kind_of(call_error(status)) is kind


@pytest.mark.parametrize(
    "detail", [{"@type": "type.googleapis.com/google.rpc.QuotaFailure"}, type("QuotaFailure", (), {})()]
)
def test_too_many_requests_are_a_quota_when_the_details_say_so(detail: Any) -> None:
    assert kind_of(call_error(429, details=[detail])) is ErrorKind.QUOTA_EXHAUSTED


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DataCorruption(answer(200), "words"), ErrorKind.CHECKSUM_MISMATCH),
        (identity.TransportError("words"), ErrorKind.UNAVAILABLE),
        (identity.RefreshError("words", retryable=True), ErrorKind.UNAVAILABLE),
        (identity.RefreshError("words"), ErrorKind.UNAUTHENTICATED),
        (identity.DefaultCredentialsError("words"), ErrorKind.UNAUTHENTICATED),
        (sdk.RetryError("words", cause=None), ErrorKind.UNAVAILABLE),
        (requests.ConnectionError(), ErrorKind.UNAVAILABLE),
        (requests.ReadTimeout(), ErrorKind.UNAVAILABLE),
        (requests.exceptions.ChunkedEncodingError(), ErrorKind.UNAVAILABLE),
        (requests.exceptions.JSONDecodeError("words", "doc", 0), ErrorKind.UNAVAILABLE),
        (ConnectionResetError(), ErrorKind.UNAVAILABLE),
        (TimeoutError(), ErrorKind.UNAVAILABLE),
        (KeyError("words"), ErrorKind.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_other_errors_tell_by_their_type(error: BaseException, kind: ErrorKind) -> None:
    assert kind_of(error) is kind


def test_a_message_is_one_line_without_a_signature() -> None:
    told = translate(call_error(403), "gs://bucket/name")
    assert "the words of the provider" in told.message
    assert "X-Goog" not in told.message
    assert "\n" not in told.message


def test_a_wait_that_the_provider_asks_for_is_kept() -> None:
    headers = {"Retry-After": "7"}
    assert translate(call_error(429, **headers), "here").next_retry_delay == timedelta(seconds=7)


def test_what_is_said_already_passes_unchanged() -> None:
    said = failure(ErrorKind.SOURCE_CHANGED, "words")
    assert translate(said, "here") is said
