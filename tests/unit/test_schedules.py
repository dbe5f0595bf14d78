"""Periods as people write them, and what a run by the clock is told."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.scheduled import dated, undated
from contracts.spec import PipelineSpec
from starter.exits import StarterError
from starter.times import period_of, zone_of

BERLIN = ZoneInfo("Europe/Berlin")


def spec_of(**params: Any) -> PipelineSpec:
    stage = {"kind": "query", "on": "gcp", "sql": "SELECT 1"}
    return PipelineSpec.model_validate({"pipeline": "p", "params": params, "stages": {"ask": stage}})


def test_a_period_of_days_holds_its_last_day_in_the_zone_of_the_schedule() -> None:
    begin, end = period_of("2026-10-24", "2026-10-26", BERLIN)
    assert begin.astimezone(UTC) == datetime(2026, 10, 23, 22, tzinfo=UTC)
    # Berlin's clocks went back meanwhile.
    assert end.astimezone(UTC) == datetime(2026, 10, 26, 22, 59, 59, tzinfo=UTC)


def test_a_moment_with_a_zone_keeps_it_and_one_without_takes_the_schedules() -> None:
    begin, end = period_of("2026-11-01T06:00:00+02:00", "2026-11-01T06:00", BERLIN)
    assert begin.utcoffset() == timedelta(hours=2)
    assert end.utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        ("2026-11-02", "2026-11-01", "--to '2026-11-01' lies before --from '2026-11-02'"),
        ("yesterday", "2026-11-01", "--from 'yesterday': write a day"),
        ("2026-11-01", "2026-13-01", "--to '2026-13-01': write a day"),
        ("1026-11-01", "2026-11-01", "more than ten years"),
    ],
)
def test_a_period_that_is_none_is_refused(since: str, until: str, told: str) -> None:
    with pytest.raises(StarterError, match=told):
        period_of(since, until, UTC)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(StarterError, match="is no time zone"):
        zone_of(name)


def test_a_run_is_told_the_time_it_is_for_in_utc() -> None:
    spec = spec_of(at="day {schedule.time}", seed=7, plain="x")
    assert undated(spec) == ("at",)
    due = datetime(2026, 11, 30, 7, tzinfo=timezone(timedelta(hours=1)))
    found = dated(spec, due)
    assert found.params == {"at": "day 2026-11-30T06:00:00Z", "seed": 7, "plain": "x"}
    assert undated(found) == ()
    assert dated(spec_of(seed=7), due) == spec_of(seed=7)
