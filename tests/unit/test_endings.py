"""Ends of jobs in words that help."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.endings import by_last_words, explained, suspects_memory
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobState

START = datetime(2026, 1, 1, tzinfo=UTC)
REF = JobRef(id="id", name="cw-train", generation=1)


def ended(phase: JobPhase, reason: ErrorKind | None = None, message: str = "") -> JobState:
    times = {"started_at": START, "ended_at": START + timedelta(seconds=61)}
    return JobState.model_validate(
        {"ref": REF, "phase": phase, "reason": reason, "message": message, **times}
    )


@pytest.mark.parametrize(
    "last",
    [
        "MemoryError",
        "MemoryError: Unable to allocate 8.00 GiB",
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB",
        "numpy._core._exceptions.MemoryError: x",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "torch.cuda.OutOfMemoryError: CUDA out of memory",
    ],
)
def test_a_traceback_that_ends_with_an_error_of_memory_is_out_of_memory(last: str) -> None:
    lines = ("Traceback (most recent call last):", last, "")
    state = by_last_words(ended(JobPhase.FAILED, ErrorKind.JOB_FAILED, "exit code 1"), lines)
    assert state.reason is ErrorKind.OUT_OF_MEMORY
    assert last in state.message
    assert "exit code 1" in state.message


@pytest.mark.parametrize(
    "lines",
    [(), ("MemoryError", "handled it"), ("caught a MemoryError",), ("NoMemoryError: x",), ("MemoryErrors",)],
)
def test_any_other_last_line_changes_nothing(lines: tuple[str, ...]) -> None:
    state = ended(JobPhase.FAILED, ErrorKind.JOB_FAILED, "exit code 1")
    assert by_last_words(state, lines) == state


def test_only_a_failure_that_nobody_explains_is_looked_into() -> None:
    assert suspects_memory(ended(JobPhase.FAILED, ErrorKind.JOB_FAILED))
    assert not suspects_memory(ended(JobPhase.FAILED, ErrorKind.PREEMPTED))
    assert not suspects_memory(ended(JobPhase.SUCCEEDED))
    assert not suspects_memory(ended(JobPhase.STOPPED))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (
            ended(JobPhase.STOPPED, ErrorKind.TIMED_OUT, "Stopped"),
            "time limit and was stopped after 61 s (Stopped)",
        ),
        (ended(JobPhase.FAILED, ErrorKind.TIMED_OUT), "it reached its time limit and was stopped after 61 s"),
        (ended(JobPhase.STOPPED, None, "Canceled"), "stopped from outside"),
        (ended(JobPhase.STOPPED, ErrorKind.CANCELLED), "stopped from outside"),
    ],
)
def test_a_stop_is_told_with_who_stopped_it(state: JobState, told: str) -> None:
    assert told in explained(state).message


@pytest.mark.parametrize("reason", [ErrorKind.PREEMPTED, ErrorKind.CAPACITY])
def test_words_of_a_vendor_that_tell_enough_stay(reason: ErrorKind) -> None:
    state = ended(JobPhase.STOPPED, reason, "the vendor's words")
    assert explained(state) == state
