"""What a person sees of a run, and what a pipe gets of it."""

import io
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from rich.console import Console, RenderableType

from contracts.jobs import RunRef
from contracts.runs import Pause, RunPhase, RunStatus, StageError, StagePhase, StageStatus
from starter.show import console, error_of, live_view

NOW = datetime.now(UTC)


def status(*stages: StageStatus, until: datetime | None = None) -> RunStatus:
    return RunStatus(
        run=RunRef(pipeline="play", key="k", run_uid="u"),
        phase=RunPhase.PAUSED,
        started_at=NOW,
        stages={stage.name: stage for stage in stages},
        pause=Pause(until=until, since=NOW),
    )


def text_of(shown: RenderableType) -> str:
    out = Console(file=io.StringIO(), width=200)
    with out.capture() as captured:
        out.print(shown)
    return captured.get()


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=13)), timezone(timedelta(hours=-11))])
def test_the_end_of_a_pause_is_told_with_its_day_unless_that_is_today(zone: timezone) -> None:
    noon = datetime.now(zone).replace(hour=12, minute=5)
    assert f"until 12:05 {noon:%Z}" in text_of(live_view(status(until=noon)))
    later = noon + timedelta(days=1)
    assert f"until {later:%Y-%m-%d} 12:05 {noon:%Z}" in text_of(live_view(status(until=later)))


def test_what_went_wrong_is_told_with_what_to_do() -> None:
    error = StageError(kind="JOB_FAILED", message="no column named age", hint="mend the script")
    stage = StageStatus(name="clean", kind="train", connection="aws/default", error=error)
    assert (
        text_of(error_of(stage)).split() == "clean: JOB_FAILED no column named age -> mend the script".split()
    )


def test_lines_in_a_pipe_end_with_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    stages = [
        StageStatus(name=name, kind="train", connection="aws/default", phase=StagePhase.PENDING)
        for name in ("a", "much_longer")
    ]
    console().print(live_view(status(*stages)))
    console(stderr=True).print(live_view(status(*stages)))
    for text in capsys.readouterr():
        lines = text.splitlines()
        assert len(lines) == 4
        assert lines == [line.rstrip() for line in lines]
        assert lines[2].startswith("a            train  aws")


def test_a_terminal_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert console().file is sys.stdout
