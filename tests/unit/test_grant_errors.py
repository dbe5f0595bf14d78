"""What a store's refusal of a grant means is told by status and code."""

import pytest
from urllib3 import HTTPResponse

from activities.grant_errors import GRANT_REFUSED, refusal
from contracts.errors import ErrorKind


def kind_of(status: int, code: str) -> tuple[str | None, str]:
    answer = HTTPResponse(status=status, headers={"x-ms-error-code": code}, body=b"")
    found = refusal(answer, "store.test", "az://acme/runs/x", writing=True)
    return found.type, found.details[0].code


def test_a_signature_whose_signer_has_not_the_right_is_denied_and_no_fresh_one_is_asked_for() -> None:
    told = kind_of(403, "AuthorizationPermissionMismatch")
    assert told == (ErrorKind.ACCESS_DENIED, "AuthorizationPermissionMismatch")


@pytest.mark.parametrize("code", ["AuthenticationFailed", "AccessDenied"])
def test_any_other_refusal_of_a_signature_may_be_one_of_age(code: str) -> None:
    assert kind_of(403, code) == (ErrorKind.UNAVAILABLE, GRANT_REFUSED)
