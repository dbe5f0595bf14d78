"""Tab in a real bash offers words, pipelines, and the runs and stages that Temporal knows of."""

import time
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.runs import Run
from tests.e2e.shell_completion import bash, offered, script
from tests.house import Sandbox, until
from tests.pipelines import write

AWAY = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
LAID_BACK_SECONDS = 60
"""A few on a machine that does nothing else."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return script(tmp_path)


def test_words_options_and_values_are_offered_without_temporal(
    house: Sandbox, file: Path, tmp_path: Path
) -> None:
    known = {**house.variables, **AWAY}
    (tmp_path / "quick notes.txt").touch()
    assert set(offered("causeway re", file, known)) == {"rerun", "resume", "retry", "report"}
    assert set(offered("causeway co", file, known)) == {"copy", "completion", "costs"}
    assert "backfill" in offered("causeway schedule ", file, known)
    assert offered("causeway list --wai", file, known) == ["--waiting"]
    assert offered("causeway list --state F", file, known) == ["FAILED"]
    assert offered("causeway pause a/b --jobs s", file, known) == ["stop"]
    assert set(offered("causeway run quick", file, known)) == {"quickstart", "quick notes.txt"}
    assert offered("causeway nonsense ", file, known) == []
    assert bash(
        'source "$1"; causeway validate quickstart', str(file), variables=known, folder=tmp_path
    ).endswith("summary on gcp\n")


def test_when_temporal_is_away_nothing_is_said_and_nobody_waits(house: Sandbox, file: Path) -> None:
    begun = time.monotonic()
    assert offered("causeway watch ", file, {**house.variables, **AWAY}) == []
    assert time.monotonic() - begun < LAID_BACK_SECONDS


def offered_soon(house: Sandbox, file: Path, line: str, wanted: list[str]) -> None:
    """Tab waits for nobody: on a busy machine it is pressed again."""
    until(lambda: offered(line, file, house.variables) == wanted, f"{line!r} offers {wanted}")


def test_runs_and_stages_are_offered_to_words_that_can_do_something_about_them(
    house: Sandbox, file: Path, tmp_path: Path
) -> None:
    house.sandbox("up", "--workers")
    stages = {
        "ask": {"kind": "approve", "question": "Shall it?"},
        "then": {"kind": "copy", "on": "onprem", "source": "file:///x", "when": 'ask.answer == "yes"'},
    }
    asking = Run.start(house, write(tmp_path, {"pipeline": "tabbed", "stages": stages}))
    asking.reach("WAITING")
    offers = partial(offered_soon, house, file)
    offers("causeway status tab", [asking.id])
    offers("causeway approve tabbed/", [asking.id])
    assert offered("causeway resume tabbed/", file, house.variables) == []
    offers("causeway graph --run tabbed/", [asking.id])
    offers(f"causeway approve {asking.id} ", ["ask"])
    offers(f"causeway logs {asking.id} t", ["then"])
    offers(f"causeway rerun {asking.id} --from ", ["ask", "then"])
    house.starter("cancel", asking.id, check=True)


def test_a_run_by_the_clock_is_offered_though_bash_breaks_its_name_at_colons(
    house: Sandbox, file: Path, tmp_path: Path
) -> None:
    house.sandbox("up", "--workers")
    stages = {"ask": {"kind": "approve", "question": "Shall it?"}}
    pipeline = write(tmp_path, {"pipeline": "tabclock", "stages": stages})
    house.starter("schedule", "create", str(pipeline), "--cron", "0 0 1 1 *", check=True)
    house.starter(
        "schedule", "backfill", "tabclock/scheduled", "--from", "2026-01-01", "--to", "2026-01-01", check=True
    )
    name = "tabclock/scheduled-2026-01-01T00:00:00Z"
    Run(house, name).reach("WAITING")
    offers = partial(offered_soon, house, file)
    offers("causeway schedule pause tabc", ["tabclock/scheduled"])
    offers("causeway status tabclock/", [name])
    # Readline has put the colons into words of their own, and replaces the last one only.
    offers("causeway status tabclock/scheduled-2026-01-01T00:0", ["00:00Z"])
    house.starter("schedule", "delete", "tabclock/scheduled", check=True)
    house.starter("cancel", name, check=True)
