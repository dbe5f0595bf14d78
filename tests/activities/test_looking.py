"""Many looks at once: each is bounded, none is an error, and what a server's clock says is compared."""

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from temporalio.exceptions import ApplicationError

from activities.looking import Look, clock_line, look_at_all, passed, reach_look
from contracts.checks import CheckLine
from contracts.errors import ErrorKind, failure
from tests.house import PATIENCE_SECONDS

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def translate(error: BaseException, ref: str) -> ApplicationError:
    kind = ErrorKind.ACCESS_DENIED if isinstance(error, PermissionError) else ErrorKind.UNKNOWN
    return failure(kind, f"{ref}: {type(error).__name__}")


def hangs(until: threading.Event, left: list[str]) -> list[CheckLine]:
    until.wait(PATIENCE_SECONDS)
    left.append("slow")
    return [passed("read", "slow", "at last")]


def breaks(error: Exception) -> list[CheckLine]:
    raise error


def test_a_look_that_hangs_is_a_line_and_keeps_no_other_waiting() -> None:
    ended, left = threading.Event(), list[str]()
    looks = [
        Look("read", "slow", lambda: hangs(ended, left)),
        Look("read", "quick", lambda: [passed("read", "quick", "yes")]),
    ]
    hung, quick = look_at_all(looks, translate, seconds=2)
    assert not left, "it still hangs"
    ended.set()
    assert (hung.verdict, hung.found) == ("unreachable", "no answer within 2 s")
    assert quick.verdict == "passed"


@pytest.mark.parametrize(
    ("error", "refused", "verdict"),
    [
        (PermissionError(), "failed", "failed"),
        (PermissionError(), "unknown", "unknown"),
        (RuntimeError("Traceback: s3cret"), "failed", "unknown"),
    ],
)
def test_a_look_that_goes_wrong_is_a_line_with_its_fix(error: Exception, refused: str, verdict: str) -> None:
    look = Look("write", "bucket", lambda: breaks(error), refused, "why", "the command")  # type: ignore[arg-type]
    (line,) = look_at_all([look], translate)
    assert (line.verdict, line.why, line.fix) == (verdict, "why", "the command")
    assert "s3cret" not in line.found


@pytest.mark.parametrize(
    ("skew", "verdict"),
    [(timedelta(0), "passed"), (timedelta(minutes=-2), "warning"), (timedelta(minutes=6), "failed")],
)
def test_a_clock_that_is_off_is_told_with_how_much(skew: timedelta, verdict: str) -> None:
    line = clock_line("host", format_datetime(NOW + skew, usegmt=True), NOW)
    assert line.verdict == verdict
    assert f"{abs(skew).total_seconds():.0f} s apart" == line.found
    assert bool(line.fix) is (verdict != "passed")


@pytest.mark.parametrize("told", [None, "yesterday"])
def test_a_server_that_tells_no_time_is_no_pass(told: str | None) -> None:
    assert clock_line("host", told, NOW).verdict == "unknown"


def test_an_endpoint_that_is_away_is_named_with_what_to_try() -> None:
    (line,) = look_at_all([reach_look("S3", "http://127.0.0.1:1", lambda: NOW)], translate)
    assert (line.check, line.verdict) == ("reach", "unreachable")
    assert "127.0.0.1:1" in line.subject
    assert line.fix == "curl -v http://127.0.0.1:1"
