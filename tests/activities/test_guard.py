"""What lets an activity's errors and heartbeats out."""

import dataclasses
import threading
import time
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import ActivityEnvironment

from activities.guard import guarded
from activities.scrub import scrub
from activities.stopping import rest
from contracts.copies import CopyProgress
from contracts.errors import ErrorDetail, ErrorKind, failure
from tests.house import PATIENCE_SECONDS, until

SECRET = "https://bucket.s3.amazonaws.com/data?X-Amz-Signature=SECRET"


def unknown(error: BaseException, ref: str) -> ApplicationError:
    return failure(ErrorKind.UNKNOWN, f"{type(error).__name__} at {ref}", ErrorDetail(ref=ref))


def broken(error: BaseException, ref: str) -> ApplicationError:
    raise KeyError(SECRET)


def in_activity(body: Any, attempt: int = 1, beats: list[Any] | None = None) -> tuple[Any, list[Any]]:
    environment = ActivityEnvironment()
    beats = [] if beats is None else beats
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    environment.on_heartbeat = lambda *details: beats.append(details)
    return environment.run(body), beats


def raising(error: BaseException, translate: Any = unknown) -> Any:
    def body() -> None:
        with guarded(translate, "s3://bucket/data"):
            raise error

    return body


def chain_of(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None:
        found.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found


@pytest.mark.parametrize("translate", [unknown, broken], ids=["translated", "untranslatable"])
def test_nothing_of_an_http_library_s_words_leaves_an_activity(translate: Any) -> None:
    with pytest.raises(ApplicationError) as raised:
        in_activity(raising(ConnectionError(SECRET), translate))
    assert [error for error in chain_of(raised.value) if "SECRET" in str(error)] == []
    assert raised.value.type == ErrorKind.UNKNOWN


def test_a_cause_is_cut_off_an_error_that_has_one() -> None:
    def body() -> None:
        with guarded(unknown, "s3://bucket/data"):
            try:
                raise ConnectionError(SECRET)
            except ConnectionError as error:
                raise failure(ErrorKind.UNAVAILABLE, "away") from error

    with pytest.raises(ApplicationError) as raised:
        in_activity(body)
    assert len(chain_of(raised.value)) == 1


def test_a_cancel_passes_as_it_is() -> None:
    with pytest.raises(CancelledError):
        in_activity(raising(CancelledError("stopped")))


@pytest.mark.parametrize(
    ("kind", "attempt", "final"),
    [
        (ErrorKind.UNKNOWN, 4, False),
        (ErrorKind.UNKNOWN, 5, True),
        (ErrorKind.CHECKSUM_MISMATCH, 2, False),
        (ErrorKind.CHECKSUM_MISMATCH, 3, True),
        (ErrorKind.UNAVAILABLE, 500, False),
        (ErrorKind.ACCESS_DENIED, 1, True),
    ],
    ids=str,
)
def test_an_error_is_final_by_its_kind_and_how_often_it_came(
    kind: ErrorKind, attempt: int, final: bool
) -> None:
    with pytest.raises(ApplicationError) as raised:
        in_activity(raising(failure(kind, "what happened", ErrorDetail(ref="here"))), attempt)
    assert raised.value.non_retryable is final
    assert (raised.value.type, raised.value.message) == (kind, "what happened")
    assert raised.value.details == (ErrorDetail(ref="here"),)


def test_a_blocking_body_beats_with_its_progress() -> None:
    progress, beats = CopyProgress(objects_total=7), list[Any]()

    def body() -> str:
        with guarded(unknown, "here", lambda: progress):
            until(lambda: len(beats) >= 3, "three heartbeats")
        return "done"

    result, _ = in_activity(body, beats=beats)
    assert result == "done"
    assert set(beats) == {(progress,)}


def test_progress_that_cannot_be_told_does_not_stop_the_heartbeats_nor_the_body() -> None:
    beats: list[Any] = []

    def untold() -> CopyProgress:
        raise ZeroDivisionError

    def body() -> str:
        with guarded(unknown, "here", untold):
            until(lambda: len(beats) >= 2, "two heartbeats")
        return "done"

    result, _ = in_activity(body, beats=beats)
    assert result == "done"
    assert set(beats) == {()}


def test_no_heartbeat_thread_outlives_its_body() -> None:
    with pytest.raises(ApplicationError):
        in_activity(raising(ValueError("wrong")))
    assert [thread for thread in threading.enumerate() if thread.name == "heartbeat"] == []


def test_a_rest_ends_when_the_activity_is_cancelled() -> None:
    environment = ActivityEnvironment()

    def body() -> None:
        threading.Timer(0.3, environment.cancel).start()
        rest(2 * PATIENCE_SECONDS)

    started = time.monotonic()
    with pytest.raises(CancelledError):
        environment.run(unthrown(body))
    assert time.monotonic() - started < PATIENCE_SECONDS


def test_a_rest_ends_in_a_retry_when_its_worker_stops() -> None:
    environment = ActivityEnvironment()

    def body() -> None:
        threading.Timer(0.3, environment.worker_shutdown).start()
        rest(2 * PATIENCE_SECONDS)

    with pytest.raises(ApplicationError) as raised:
        environment.run(body)
    assert (raised.value.type, raised.value.non_retryable) == (ErrorKind.UNAVAILABLE, False)


def unthrown(body: Any) -> Any:
    return activity.defn(name="body", no_thread_cancel_exception=True)(body)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"GET {SECRET} failed", "GET https://bucket.s3.amazonaws.com/data failed"),
        ("url: /data?sig=SECRET&se=1 (Caused by X)", "url: /data (Caused by X)"),
        ("https://user:SECRET@host/a", "https://host/a"),
        ("x-amz-signature=SECRET", "x-amz-signature=[removed]"),
        ("two\nlines\tand  more", "two lines and more"),
        ("why?", "why?"),
    ],
    ids=["query", "path with query", "user", "bare signature", "lines", "a question"],
)
def test_text_is_scrubbed_of_whatever_signs(text: str, clean: str) -> None:
    assert scrub(text) == clean


def test_text_is_cut() -> None:
    assert len(scrub("x" * 10_000)) == 500
