"""Temporal starts runs by the clock; a time is never run twice, whoever asks for it again."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.house import Sandbox, until
from tests.pipelines import SLEEPER, write

NEVER = "0 0 1 1 *"
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


GATED = """
while not pathlib.Path("{gate}").exists():
    time.sleep(0.2)
"""


def napping(folder: Path, name: str, gate: Path | None = None) -> Path:
    """A pipeline whose job is told the time that its run is for, and waits until there is a file, if one is named."""
    stage = {
        "kind": "process",
        "on": "onprem",
        "code": "src",
        "command": "python sleep.py --seconds 0 --out {outputs.o} --at {params.at}",
        "outputs": ["o"],
    }
    spec = {"pipeline": name, "params": {"at": "{schedule.time}"}, "stages": {"nap": stage}}
    script = SLEEPER.replace("arguments = parser", 'parser.add_argument("--at")\narguments = parser')
    script += '\nprint("for", arguments.at, flush=True)\n' + (GATED.format(gate=gate) if gate else "")
    return write(folder, spec, {"src/sleep.py": script})


def runs(house: Sandbox, pipeline: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = house.starter("list", "--limit", "200", "--json", check=True).document[
        "runs"
    ]
    return sorted((run for run in found if run["pipeline"] == pipeline), key=lambda run: run["started_at"])


def ended(house: Sandbox, pipeline: str, count: int) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]] | None:
        found = runs(house, pipeline)
        return found if len(found) >= count and all(run["state"] in ENDED for run in found) else None

    found: list[dict[str, Any]] = until(look, f"{count} runs of {pipeline} have ended")
    return found


def schedule(house: Sandbox, word: str, *arguments: str) -> str:
    return house.starter("schedule", word, *arguments, check=True).out


def create(house: Sandbox, file: Path, cron: str = NEVER, *arguments: str) -> None:
    schedule(house, "create", str(file), "--cron", cron, *arguments)


def listed(house: Sandbox, name: str) -> dict[str, Any]:
    found = house.starter("schedule", "list", "--json", check=True).document["schedules"]
    (row,) = (row for row in found if row["schedule"] == name)
    return dict(row)


def test_a_schedule_fires_and_its_runs_are_told_their_time(house: Sandbox, tmp_path: Path) -> None:
    # Temporal takes seconds before the minutes, and years after the days.
    create(house, napping(tmp_path, "ticks"), "*/4 * * * * * *", "--tz", "Europe/Berlin")
    try:
        found = until(lambda: (len(runs(house, "ticks")) >= 2 and runs(house, "ticks")) or None, "two runs")
    finally:
        schedule(house, "pause", "ticks/scheduled", "--reason", "seen")
    row = listed(house, "ticks/scheduled")
    assert (row["paused"], row["next"], row["when"]) == (True, None, "*/4 * * * * * * in Europe/Berlin")
    assert row["note"].endswith("seen")
    assert row["last_run"]
    ended(house, "ticks", 2)
    at = found[0]["key"].removeprefix("scheduled-")
    assert datetime.fromisoformat(at).second % 4 == 0
    log = house.starter("logs", found[0]["run_id"], "nap", check=True).out
    assert f"for {at}" in log
    told = house.starter("status", found[0]["run_id"], "--json", check=True).document["scheduled_for"]
    assert datetime.fromisoformat(told) == datetime.fromisoformat(at)
    schedule(house, "resume", "ticks/scheduled")
    assert listed(house, "ticks/scheduled")["next"]
    schedule(house, "delete", "ticks/scheduled")
    assert house.starter("schedule", "pause", "ticks/scheduled").code == 2


def overlapping(house: Sandbox, folder: Path, overlap: str) -> list[dict[str, Any]]:
    """Two runs that are due, one of them while the other goes on."""
    name, gate = f"lap-{overlap}", folder / "gate"
    create(house, napping(folder, name, gate), NEVER, "--overlap", overlap)
    schedule(house, "trigger", f"{name}/scheduled")
    until(lambda: runs(house, name), "the first run")
    # The second of a run's name.
    time.sleep(1.1)
    schedule(house, "trigger", f"{name}/scheduled")
    until(lambda: _has_met(house, name, overlap), "the second has met the first")
    gate.touch()
    found = ended(house, name, 1 if overlap == "skip" else 2)
    schedule(house, "delete", f"{name}/scheduled")
    return found


def _has_met(house: Sandbox, name: str, overlap: str) -> bool:
    """Whether what becomes of the second run while the first goes on can be seen."""
    if overlap == "skip":
        return bool(listed(house, f"{name}/scheduled")["skipped"] == 1)
    found = runs(house, name)
    if overlap == "cancel":
        return bool(found[0]["state"] == "CANCELLED")
    return overlap == "buffer" or len(found) == 2


def test_a_run_that_is_due_while_another_goes_on_is_skipped(house: Sandbox, tmp_path: Path) -> None:
    (only,) = overlapping(house, tmp_path, "skip")
    assert only["state"] == "SUCCEEDED"


def test_a_run_that_is_due_while_another_goes_on_waits_for_its_end(house: Sandbox, tmp_path: Path) -> None:
    first, second = overlapping(house, tmp_path, "buffer")
    assert {first["state"], second["state"]} == {"SUCCEEDED"}
    assert second["started_at"] >= first["ended_at"]


@pytest.mark.durability
def test_a_run_that_is_due_while_another_goes_on_ends_that(house: Sandbox, tmp_path: Path) -> None:
    first, second = overlapping(house, tmp_path, "cancel")
    assert (first["state"], second["state"]) == ("CANCELLED", "SUCCEEDED")
    assert second["started_at"] >= first["ended_at"]


@pytest.mark.durability
def test_a_run_that_is_due_while_another_goes_on_goes_on_beside_it(house: Sandbox, tmp_path: Path) -> None:
    first, second = overlapping(house, tmp_path, "parallel")
    assert {first["state"], second["state"]} == {"SUCCEEDED"}
    assert second["started_at"] < first["ended_at"]


def test_three_days_are_filled_in_and_a_second_time_nothing_is_done_again(
    house: Sandbox, tmp_path: Path
) -> None:
    create(house, napping(tmp_path, "days"), "0 6 * * *", "--tz", "Europe/Berlin")
    wanted = ("days/scheduled", "--from", "2026-10-24", "--to", "2026-10-26")
    schedule(house, "backfill", *wanted)
    found = ended(house, "days", 3)
    # The clocks went back on the 25th: six in the morning is another hour in UTC.
    times = ["2026-10-24T04:00:00Z", "2026-10-25T05:00:00Z", "2026-10-26T05:00:00Z"]
    assert [run["key"] for run in found] == [f"scheduled-{at}" for at in times]
    before = jobs(house)
    schedule(house, "backfill", *wanted)
    again = ended(house, "days", 6)[3:]
    assert [run["key"] for run in again] == [f"scheduled-{at}" for at in times]
    assert {run["state"] for run in again} == {"SUCCEEDED"}
    assert jobs(house) == before
    said = house.starter("status", again[0]["run_id"], check=True).out
    assert "it was run already" in said
    schedule(house, "delete", "days/scheduled")


def jobs(house: Sandbox) -> int:
    return len(house.jobs("onprem", "nap"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--cron", "0 61 * * *"), "--cron '0 61 * * *': Invalid schedule spec: Hour is not in range [0-23]"),
        (("--cron", NEVER, "--tz", "Mars/Olympus"), "--tz 'Mars/Olympus' is no time zone"),
        (("--cron", NEVER, "--name", "a b"), "--name 'a b': write 1 to 64 letters"),
    ],
    ids=["hour", "zone", "name"],
)
def test_a_wrong_schedule_is_told_and_none_is_made(
    house: Sandbox, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    answer = house.starter("schedule", "create", str(napping(tmp_path, "wrong")), *arguments)
    assert (answer.code, told in answer.err) == (2, True), answer.err
    assert not [
        row
        for row in house.starter("schedule", "list", "--json", check=True).document["schedules"]
        if row["schedule"].startswith("wrong/")
    ]


def test_a_schedule_is_replaced_only_when_asked_and_stays_paused(house: Sandbox, tmp_path: Path) -> None:
    file = napping(tmp_path, "again")
    create(house, file)
    schedule(house, "pause", "again/scheduled")
    answer = house.starter("schedule", "create", str(file), "--cron", "0 7 * * *")
    assert (answer.code, "--replace" in answer.err) == (2, True)
    create(house, file, "0 7 * * *", "--replace")
    row = listed(house, "again/scheduled")
    assert (row["when"], row["paused"]) == ("0 7 * * * in UTC", True)
    schedule(house, "delete", "again/scheduled")


def test_a_pipeline_that_asks_for_the_time_is_not_run_by_hand_without_one(
    house: Sandbox, tmp_path: Path
) -> None:
    file = napping(tmp_path, "byhand")
    answer = house.starter("run", str(file))
    assert (answer.code, "--param at=" in answer.err) == (2, True)
    assert house.starter("run", str(file), "--param", "at=now", check=True).code == 0


def test_sweeps_by_the_clock_are_listed_too_and_ended_by_their_own_word(house: Sandbox) -> None:
    house.starter("sweep", "--every", "6h", check=True)
    row = listed(house, "causeway-sweep")
    assert (row["when"], row["paused"]) == ("every 6h", False)
    answer = house.starter("schedule", "pause", "causeway-sweep")
    assert (answer.code, "sweep --no-schedule" in answer.err) == (2, True)
    house.starter("sweep", "--no-schedule", check=True)
    found = house.starter("schedule", "list", "--json", check=True).document["schedules"]
    assert "causeway-sweep" not in {row["schedule"] for row in found}
