"""What a store's refusal of a grant means is told by status, code and time."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO

import pytest
from urllib3 import HTTPResponse

from activities.grant_errors import GRANT_REFUSED, refusal
from contracts.errors import ErrorKind

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)


def answer(code: str, clock: datetime | None = None, *, status: int = 403) -> HTTPResponse:
    headers = {"Date": format_datetime(clock, usegmt=True)} if clock else {}
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>SECRET</Message></Error>".encode()
    return HTTPResponse(status=status, headers=headers, body=BytesIO(body), preload_content=False)


def kind_of(response: HTTPResponse, expires_at: datetime = NOW + HOUR) -> tuple[str | None, str]:
    found = refusal(response, "store.test", "s3://acme/runs/x", expires_at=expires_at, writing=True)
    assert "SECRET" not in repr(found)
    return found.type, found.details[0].code


FRESH = (ErrorKind.UNAVAILABLE, GRANT_REFUSED)


@pytest.mark.parametrize("code", ["AccessDenied", "AuthorizationPermissionMismatch", "AuthorizationFailure"])
def test_a_signature_whose_signer_has_not_the_right_is_denied_and_no_fresh_one_is_asked_for(
    code: str,
) -> None:
    assert kind_of(answer(code, NOW)) == (ErrorKind.ACCESS_DENIED, code)


def test_who_lacks_the_right_and_what_prints_it_is_told() -> None:
    told = refusal(
        answer("AccessDenied", NOW), "store.test", "gs://acme/x", expires_at=NOW + HOUR, writing=True
    )
    assert "signed the URL" in told.message
    assert "starter permissions" in told.message


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredToken"),
        (403, "ExpiredRequest"),
        (403, "AuthenticationFailed"),
        (403, "SignatureDoesNotMatch"),
        (403, "InvalidAccessKeyId"),
    ],
)
def test_a_signature_that_is_too_old_or_whose_key_is_gone_is_asked_for_anew(status: int, code: str) -> None:
    assert kind_of(answer(code, NOW, status=status)) == FRESH


def test_s3_s_one_code_for_both_means_age_once_the_grant_has_run_out_by_the_store_s_clock() -> None:
    ended = NOW + HOUR
    assert kind_of(answer("AccessDenied", ended), ended) == FRESH
    assert kind_of(answer("AccessDenied", NOW - HOUR), NOW) == (ErrorKind.ACCESS_DENIED, "AccessDenied")


def test_where_a_store_tells_no_time_ours_counts() -> None:
    assert kind_of(answer("AccessDenied"), NOW - HOUR) == FRESH
    assert kind_of(answer("AccessDenied"), NOW + HOUR) == (ErrorKind.ACCESS_DENIED, "AccessDenied")
