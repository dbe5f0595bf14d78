from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import ProtocolError

from activities.azure.errors import KIND_OF_CATEGORY, KIND_OF_CODE, KIND_OF_STATUS, translate
from contracts.errors import ErrorKind, failure

SIGNED = "https://account.blob.core.windows.net/c/b?se=2030&sig=SECRET"


def refused(status: int, code: str = "", message: str = "no", **headers: str) -> HttpResponseError:
    response: Any = SimpleNamespace(
        status_code=status, reason="no", headers={"x-ms-request-id": "r1", **headers}
    )
    error = HttpResponseError(message=message, response=response)
    error.error_code = code  # type: ignore[attr-defined]
    return error


def given_up(last: Exception) -> HttpResponseError:
    """What the storage SDK raises once its own retries of a body are used up."""
    return HttpResponseError(last, error=last)  # type: ignore[arg-type]


@pytest.mark.parametrize(("code", "kind"), KIND_OF_CODE.items(), ids=KIND_OF_CODE)
def test_a_code_decides_whatever_the_status(code: str, kind: ErrorKind) -> None:
    assert translate(refused(418, code), "here").type == kind


@pytest.mark.parametrize(("code", "kind"), KIND_OF_CODE.items(), ids=KIND_OF_CODE)
def test_a_code_in_the_body_of_the_resource_manager_decides_too(code: str, kind: ErrorKind) -> None:
    error = refused(418)
    error.error = SimpleNamespace(code=code)  # type: ignore[assignment]
    assert translate(error, "here").type == kind


@pytest.mark.parametrize(("status", "kind"), KIND_OF_STATUS.items(), ids=map(str, KIND_OF_STATUS))
def test_a_status_decides_where_no_code_is_known(status: int, kind: ErrorKind) -> None:
    assert translate(refused(status, "NewToCauseway"), "here").type == kind


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_server_that_fails_is_unavailable(status: int) -> None:
    assert translate(refused(status), "here").type == ErrorKind.UNAVAILABLE


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ServiceRequestError("no route"), ErrorKind.UNAVAILABLE),
        (ServiceResponseError("cut"), ErrorKind.UNAVAILABLE),
        (ChunkedEncodingError("IncompleteRead(5 bytes read, 1 more expected)"), ErrorKind.UNAVAILABLE),
        (ProtocolError("Connection broken"), ErrorKind.UNAVAILABLE),
        (IncompleteReadError("ended early"), ErrorKind.UNAVAILABLE),
        (given_up(IncompleteReadError("ended early")), ErrorKind.UNAVAILABLE),
        (given_up(given_up(ChunkedEncodingError("broken"))), ErrorKind.UNAVAILABLE),
        (given_up(RuntimeError("what")), ErrorKind.UNKNOWN),
        (DecodeError("no XML"), ErrorKind.UNAVAILABLE),
        (ConnectionResetError(), ErrorKind.UNAVAILABLE),
        (TimeoutError(), ErrorKind.UNAVAILABLE),
        (ClientAuthenticationError("no credential"), ErrorKind.UNAUTHENTICATED),
        (refused(418), ErrorKind.UNKNOWN),
        (AzureError("what"), ErrorKind.UNKNOWN),
        (RuntimeError("what"), ErrorKind.UNKNOWN),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_type_decides_where_nothing_was_answered(error: Exception, kind: ErrorKind) -> None:
    assert translate(error, "here").type == kind


@pytest.mark.parametrize(("category", "kind"), KIND_OF_CATEGORY.items(), ids=KIND_OF_CATEGORY)
def test_what_the_ml_sdk_refuses_by_itself_is_sorted_by_its_category(category: str, kind: ErrorKind) -> None:
    error = AzureError("no")
    error.error_category = category  # type: ignore[attr-defined]
    assert translate(error, "here").type == kind


def test_an_error_in_causeway_s_words_passes_unchanged() -> None:
    told = failure(ErrorKind.DISK_FULL, "full")
    assert translate(told, "here") is told


def test_the_detail_names_cloud_resource_code_and_request() -> None:
    [detail] = translate(refused(404, "BlobNotFound"), "az://c/b").details
    assert (detail.cloud, detail.ref, detail.code, detail.request_id) == (
        "azure",
        "az://c/b",
        "BlobNotFound",
        "r1",
    )


def test_the_provider_says_when_to_come_back() -> None:
    delay = translate(refused(429, "TooManyRequests", **{"Retry-After": "7"}), "here").next_retry_delay
    assert delay is not None
    assert delay.total_seconds() == 7


@pytest.mark.parametrize(
    "error",
    [
        refused(403, "AuthenticationFailed", f"not for {SIGNED}"),
        ServiceRequestError(f"cannot reach {SIGNED}"),
    ],
    ids=["answered", "unreachable"],
)
def test_no_signature_is_told(error: Exception) -> None:
    assert "SECRET" not in str(translate(error, "here"))


def test_only_the_first_line_of_an_answer_is_told() -> None:
    told = str(translate(refused(404, "BlobNotFound", "It is not there.\nRequestId:1\n<xml>"), "here"))
    assert "It is not there. (BlobNotFound)" in told
    assert "xml" not in told
