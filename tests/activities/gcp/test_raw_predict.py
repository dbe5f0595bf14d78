from datetime import timedelta

import pytest
import requests

from activities.gcp.raw_predict import refused
from contracts.errors import ErrorKind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ErrorKind.INVALID_REQUEST),
        (422, ErrorKind.INVALID_REQUEST),
        (429, ErrorKind.THROTTLED),
        (500, ErrorKind.JOB_FAILED),
        (502, ErrorKind.JOB_FAILED),
        (503, ErrorKind.UNAVAILABLE),
    ],
)
def test_what_a_server_answers_instead_of_predictions_is_one_kind(status: int, kind: ErrorKind) -> None:
    answer = requests.Response()
    answer.status_code = status
    answer._content = b"its own words\nand more"
    answer.headers["Retry-After"] = "7"
    told = refused("cw-serve", answer)
    assert told.type == kind
    assert told.next_retry_delay == timedelta(seconds=7)
    assert f"the server of cw-serve answered {status}: its own words" in str(told)
