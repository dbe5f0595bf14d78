"""Errors in the words of a person, and pauses of any shape."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    RetryState,
    TimeoutError,
    TimeoutType,
)

from contracts.errors import (
    EXPECTED,
    HINTS,
    MESSAGE_LIMIT,
    NEW_GENERATION,
    RETRIED,
    ErrorKind,
    failure,
    hint_for,
)
from workflows.checkpoint import read_pause
from workflows.effects import SUMMARY_LIMIT_BYTES, brief
from workflows.failures import kind_of, stage_error

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def wrapped(cause: BaseException) -> ActivityError:
    error = ActivityError(
        "activity error",
        scheduled_event_id=1,
        started_event_id=2,
        identity="",
        activity_type="jobs.submit",
        activity_id="1",
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
    error.__cause__ = cause
    return error


def late(kind: TimeoutType, last: BaseException | None = None) -> TimeoutError:
    error = TimeoutError("timed out", type=kind, last_heartbeat_details=[])
    error.__cause__ = last
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (failure(ErrorKind.DISK_FULL, "full"), ErrorKind.DISK_FULL),
        (ApplicationError("odd", type="ValueError"), ErrorKind.UNKNOWN),
        (ApplicationError("odd"), ErrorKind.UNKNOWN),
        (late(TimeoutType.SCHEDULE_TO_START), ErrorKind.WORKER_ABSENT),
        (late(TimeoutType.START_TO_CLOSE), ErrorKind.UNAVAILABLE),
        (late(TimeoutType.HEARTBEAT), ErrorKind.UNAVAILABLE),
        (late(TimeoutType.SCHEDULE_TO_CLOSE), ErrorKind.UNAVAILABLE),
        (
            late(TimeoutType.SCHEDULE_TO_CLOSE, failure(ErrorKind.QUOTA_EXHAUSTED, "none left")),
            ErrorKind.QUOTA_EXHAUSTED,
        ),
        (CancelledError("gone"), ErrorKind.CANCELLED),
    ],
)
def test_the_kind_of_a_failure_is_found_under_its_wrapping(error: BaseException, kind: ErrorKind) -> None:
    assert kind_of(wrapped(error)) == kind
    assert stage_error(wrapped(error)).hint == hint_for(kind)


def test_a_timeout_tells_what_the_last_attempt_said() -> None:
    said = stage_error(
        wrapped(late(TimeoutType.SCHEDULE_TO_CLOSE, failure(ErrorKind.QUOTA_EXHAUSTED, "none left")))
    )
    assert said.message == "jobs.submit did not succeed in the time it had; the last attempt said: none left"


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_whether_an_error_is_final_follows_from_its_kind(kind: ErrorKind) -> None:
    error = failure(kind, "x" * 9999)
    assert error.type == kind
    assert error.non_retryable is (kind not in RETRIED)
    assert len(error.message) == MESSAGE_LIMIT
    assert hint_for(kind)


def test_a_new_generation_follows_only_ends_that_no_activity_retries() -> None:
    assert not NEW_GENERATION & RETRIED
    assert NEW_GENERATION | RETRIED | EXPECTED <= set(ErrorKind)
    waived = {ErrorKind.POLICY_VIOLATION, ErrorKind.BUDGET_EXCEEDED, ErrorKind.THROTTLED}
    assert set(ErrorKind) - waived <= set(HINTS)


@given(ANYTHING)
def test_a_pause_of_any_shape_is_read(payload: Any) -> None:
    pause = read_pause(payload, since=NOW)
    assert pause.since == NOW
    assert len(pause.reason) <= 200
    assert pause.until is None or pause.until.tzinfo is not None


@given(
    st.fixed_dictionaries(
        {}, optional={"reason": ANYTHING, "by": ANYTHING, "until": ANYTHING, "more": ANYTHING}
    )
)
def test_fields_of_a_pause_that_cannot_be_read_are_left_out(payload: dict[str, Any]) -> None:
    pause = read_pause(payload, since=NOW)
    assert isinstance(pause.reason, str)
    assert isinstance(pause.by, str)


@pytest.mark.parametrize("text", ["2026-01-01T18:00:00+01:00", "2026-01-01T17:00:00Z"])
def test_a_time_with_a_zone_is_when_a_pause_ends(text: str) -> None:
    assert read_pause({"until": text}, since=NOW).until == datetime(2026, 1, 1, 17, tzinfo=UTC)


@given(st.text())
def test_a_summary_is_cut_to_what_every_server_takes(text: str) -> None:
    assert len(brief(text).encode()) <= SUMMARY_LIMIT_BYTES
