"""What an endpoint that does not become healthy is told as."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from temporalio.exceptions import ApplicationError

from activities.aws.errors import translate
from activities.endpoint_service import EndpointService
from activities.endpoints import Poll
from contracts.endpoints import EndpointPhase, EndpointRef, EndpointState
from contracts.errors import ErrorKind

REF = EndpointRef(id="serve", name="serve", generation=1)
LIMIT = timedelta(minutes=5)


class Unhealthy:
    """A service whose one endpoint has failed, and is gone once it was looked at."""

    first_poll_seconds = 0.0

    def __init__(self, age: timedelta, reason: ErrorKind | None) -> None:
        told = {"ref": REF, "reason": reason, "created_at": datetime.now(UTC) - age}
        self._states = [
            EndpointState(phase=EndpointPhase.FAILED, **told),
            EndpointState(phase=EndpointPhase.GONE, **told),
        ]

    def describe(self, ref: EndpointRef) -> EndpointState:
        return self._states.pop(0)

    def last_lines(self, ref: EndpointRef, count: int) -> tuple[str, ...]:
        return ()


@pytest.mark.parametrize(
    ("age", "reason", "kind"),
    [
        (LIMIT * 2, None, ErrorKind.TIMED_OUT),
        (LIMIT * 2, ErrorKind.JOB_FAILED, ErrorKind.TIMED_OUT),
        (LIMIT * 2, ErrorKind.CAPACITY, ErrorKind.CAPACITY),
        (LIMIT / 2, None, ErrorKind.JOB_FAILED),
    ],
)
def test_a_vendor_that_gives_a_server_up_when_its_time_is_over_says_that_it_timed_out(
    age: timedelta, reason: ErrorKind | None, kind: ErrorKind
) -> None:
    service = cast(EndpointService, Unhealthy(age, reason))
    with pytest.raises(ApplicationError, match="is not healthy and was removed") as raised:
        Poll(service, translate).until_ready(REF, LIMIT)
    assert raised.value.type == kind
