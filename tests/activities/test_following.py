"""Following a job's log: nothing twice, nothing left out, and an end that is certain."""

import time
from collections.abc import Sequence
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import ActivityEnvironment

from activities.following import LINGER_SECONDS, Follower
from activities.onprem.errors import translate
from contracts.errors import ErrorKind, failure
from contracts.jobs import LOG_BEGINNING, JobPhase, JobRef, JobState, LogPage, LogRequest

REF = JobRef(id="job-1", name="job-1", generation=1)


class Growing:
    """A job service whose log grows by a line at each of these seconds of its life."""

    first_poll_seconds = 0.1

    def __init__(self, *lines: tuple[float, str], ends: float = 0.0) -> None:
        self.lines = lines
        self.ends = ends
        self.born = time.monotonic()
        self.asked: list[str | None] = []
        self.trouble: list[Exception] = []

    @property
    def age(self) -> float:
        return time.monotonic() - self.born

    def describe(self, ref: JobRef) -> JobState:
        return JobState(ref=ref, phase=JobPhase.RUNNING if self.age < self.ends else JobPhase.FAILED)

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        self.asked.append(after)
        if self.trouble:
            raise self.trouble.pop(0)
        here = [line for at, line in self.lines if at <= self.age]
        if not here:
            return LogPage(lines=(), next_after=after)
        start = max(0, len(here) - tail) if after is None else int(after or 0)
        return LogPage(lines=tuple(here[start:]), next_after=str(len(here)))

    def submit(self, request: Any) -> JobRef:
        raise NotImplementedError

    def stop(self, ref: JobRef) -> None:
        raise NotImplementedError

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        raise NotImplementedError

    def outputs(self, ref: JobRef, request: Any) -> dict[str, str]:
        raise NotImplementedError


def page(service: Growing, after: str | None = None, patience: float = 10, tail: int = 2) -> LogPage:
    request = LogRequest(ref=REF, tail=tail, after=after, patience_seconds=patience)
    return ActivityEnvironment().run(Follower(service, translate, request).page)


def test_who_does_not_wait_gets_what_there_is() -> None:
    service = Growing((0, "one"), (0, "two"), (0, "three"), ends=60)
    assert page(service, patience=0).lines == ("two", "three")
    assert page(Growing(ends=60), patience=0) == LogPage(lines=())
    assert len(service.asked) == 1


def test_who_waits_gets_a_line_when_it_is_written() -> None:
    service = Growing((0, "one"), (1, "two"), ends=60)
    told = page(service, after="1")
    assert (told.lines, told.next_after, told.ended) == (("two",), "2", False)
    assert 0.9 < service.age < 4


def test_of_a_log_that_had_not_begun_every_line_comes_and_not_only_the_last() -> None:
    service = Growing(*((1.0, f"line {number}") for number in range(5)), ends=60)
    assert len(page(service).lines) == 5


def test_patience_that_is_over_leaves_a_token_from_which_nothing_is_left_out() -> None:
    told = page(Growing(ends=60), patience=0.2)
    assert (told.lines, told.next_after, told.ended) == ((), LOG_BEGINNING, False)


def test_an_end_is_told_only_when_lines_that_are_late_have_come() -> None:
    service = Growing((0, "one"), (1.5, "late"), ends=0)
    told = page(service, after="1")
    assert (told.lines, told.ended) == (("late",), False)
    last = page(service, after="2")
    assert (last.lines, last.ended) == ((), True)
    assert service.age > LINGER_SECONDS


def test_a_page_that_is_empty_but_leads_on_is_not_the_end_of_what_there_is() -> None:
    class Gaps(Growing):
        def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
            place = int(after or 0)
            return LogPage(lines=("far",) if place == 3 else (), next_after=str(min(place + 1, 4)))

    assert page(Gaps(ends=60), after="0").lines == ("far",)


def test_trouble_of_the_service_is_told_in_our_words() -> None:
    service = Growing(ends=60)
    service.trouble.append(failure(ErrorKind.ACCESS_DENIED, "you may not read it"))
    with pytest.raises(ApplicationError) as raised:
        page(service)
    assert raised.value.type == ErrorKind.ACCESS_DENIED


def test_nobody_is_waited_for_who_follows_no_more() -> None:
    environment = ActivityEnvironment()
    environment.cancel()
    request = LogRequest(ref=REF, patience_seconds=20)
    with pytest.raises(CancelledError):
        environment.run(Follower(Growing(ends=60), translate, request).page)
