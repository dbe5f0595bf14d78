"""What a worker holds of its own lines until a stage has ended."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.run_lines import LINES, STAGES, RunLines
from activities.shipping import KEPT_BYTES, LEFT_OUT, _Last, carriable
from contracts.shipping import CARRIED_BYTES, LogFile

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)


def record(text: str, *, run: str = "churn/k", activity: str = "1", at: datetime = NOW, **more: Any) -> Any:
    made = logging.makeLogRecord({"msg": text, "created": at.timestamp(), **more})
    made.temporal_activity = {"workflow_id": run, "workflow_run_id": "w", "activity_id": activity}
    return made


def test_lines_of_an_activity_are_about_the_stage_it_began_for() -> None:
    held = RunLines()
    held.began("w", "1", "train")
    held.emit(record("in it"))
    held.emit(record("of a transfer of the run", run="churn/k/transfer/x", stage="train"))
    held.emit(record("of another activity", activity="2"))
    held.emit(record("of another run", run="churn/other"))
    held.ended("w", "1")
    held.emit(record("afterwards"))
    assert held.of("churn/k", "train", NOW) == ["in it", "of a transfer of the run"]


def test_lines_of_a_run_that_had_the_name_before_are_left_out_and_those_of_items_are_in() -> None:
    held = RunLines()
    held.emit(record("old", at=NOW - timedelta(hours=1), stage="each"))
    held.emit(record("item", stage="each-3"))
    held.emit(record("another stage", stage="each_other"))
    assert held.of("churn/k", "each", NOW) == ["item"]


def test_what_is_held_is_bounded_by_lines_and_by_stages() -> None:
    held = RunLines()
    for number in range(LINES + 5):
        held.emit(record(f"{number}", stage="long", at=NOW + timedelta(milliseconds=number)))
    assert held.of("churn/k", "long", NOW)[0] == "5"
    for number in range(STAGES):
        held.emit(record("x", run=f"churn/{number}", stage="s"))
    assert held.of("churn/k", "long", NOW) == []


def test_a_log_that_is_too_long_keeps_its_end_and_says_so() -> None:
    last = _Last(KEPT_BYTES)
    last.add("x" * 1023 for _ in range(KEPT_BYTES // 1024))
    assert LEFT_OUT not in last.lines()
    last.add(["the end"])
    assert (last.lines()[0], last.lines()[-1]) == (LEFT_OUT, "the end")


def test_what_travels_in_a_message_is_cut_to_what_it_may_hold() -> None:
    short = ["a", "b"]
    assert carriable(short) == ("a", "b")
    # Lines that do not compress.
    long = [f"{hash((number, 'x')):x}" * 4 for number in range(20_000)]
    cut = carriable(long)
    assert (cut[0], cut[-1]) == (LEFT_OUT, long[-1])
    assert len(LogFile(name="job.log", lines=cut).model_dump_json()) <= CARRIED_BYTES // 2 + 100
    assert len(cut) > 100
