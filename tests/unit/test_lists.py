"""Which runs `list` asks Temporal for."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from starter.exits import StarterError
from starter.selection import ListOptions, question
from starter.times import span_of

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def parts(**options: Any) -> list[str]:
    """What is asked beside what is always asked."""
    return question(ListOptions(**options), NOW).split(" AND ", 2)[2:]


def test_own_workflows_are_runs_and_what_was_cut_is_one() -> None:
    assert question(ListOptions()) == (
        "(WorkflowType = 'pipeline' OR CausewayPipeline IS NOT NULL) AND ExecutionStatus != 'ContinuedAsNew'"
    )


def test_states_and_pipelines_are_alternatives_and_clouds_add_up() -> None:
    (asked,) = parts(state=("succeeded", "PAUSED"), pipeline=("a", "b"), cloud=("aws", "gcp"))
    assert asked == (
        "((CausewayState = 'SUCCEEDED' OR ExecutionStatus = 'Completed')"
        " OR (CausewayState = 'PAUSED' AND ExecutionStatus = 'Running'))"
        " AND (CausewayPipeline = 'a' OR CausewayPipeline = 'b')"
        " AND CausewayClouds = 'aws' AND CausewayClouds = 'gcp'"
    )


def test_a_run_that_temporal_ended_counts_as_failed() -> None:
    assert "'Terminated'" in parts(state=("failed",))[0]


@pytest.mark.usefixtures("in_berlin")
def test_a_day_is_a_whole_one_of_this_machine() -> None:
    assert os.environ["TZ"] == "Europe/Berlin"
    begin, end = span_of("2026-11-29", "2026-11-29", NOW)
    assert begin == datetime(2026, 11, 28, 23, tzinfo=UTC)
    assert end == datetime(2026, 11, 29, 22, 59, 59, 999999, tzinfo=UTC)


def test_times_are_asked_for_in_utc_and_may_be_told_by_how_long_ago() -> None:
    assert parts(since="2h", until="2026-11-30T12:30:00+01:00") == [
        "StartTime >= '2026-11-30T10:00:00.000000Z' AND StartTime <= '2026-11-30T11:30:00.000000Z'"
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"state": ("faild",)}, "--state 'faild' is no state of a run; did you mean 'FAILED'?"),
        ({"state": ("",)}, "there is CANCELLED, FAILED"),
        ({"cloud": ("azur",)}, "--cloud 'azur' is no cloud; did you mean 'azure'?"),
        ({"cloud": ("AWS",)}, "--cloud 'AWS' is no cloud; there is aws, azure, gcp, onprem"),
        ({"pipeline": ("a' OR 'b' = 'b",)}, "write the name that the pipeline has in its file"),
        ({"pipeline": ("",)}, "write the name"),
        (
            {"since": "yesterday"},
            "--since 'yesterday': write a day, 2026-11-30, a time, 2026-11-30T06:00:00Z, or how long ago, 2h",
        ),
        ({"since": "0001-01-01"}, "--since '0001-01-01': write a day"),
        ({"until": "400d"}, "--until: '400d' is out of range"),
        ({"since": "1h", "until": "2h"}, "--until '2h' lies before --since '1h'"),
    ],
)
def test_a_value_that_none_can_have_is_refused_with_what_would_be_right(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(StarterError) as refused:
        question(ListOptions(**options), NOW)
    assert told in refused.value.message
