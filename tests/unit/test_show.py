"""What a person sees of a run, and what a pipe gets of it."""

import io
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from rich.console import Console, RenderableType

from contracts.jobs import JobPhase, JobRef, JobState, RunRef
from contracts.runs import Pause, RunPhase, RunStatus, StageError, StagePhase, StageStatus
from starter.document import run_document
from starter.pages.report import markdown
from starter.show import console, error_of, live_view, report
from workflows.details import stage_table
from workflows.told import stage_job, words_of

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


def test_a_run_says_what_time_it_is_for_and_which_run_it_does_again() -> None:
    due = datetime(2026, 11, 30, 6, tzinfo=UTC)
    held = status().model_copy(update={"scheduled_for": due, "rerun_of": "play/monday"})
    words = ("scheduled for 2026-11-30 06:00:00 UTC", "rerun of play/monday")
    for shown in (text_of(live_view(held)), text_of(report(held)), markdown(held, "http://ui")):
        assert all(word in shown for word in words)
    document = run_document(held, "http://ui")
    assert (document["scheduled_for"], document["rerun_of"]) == ("2026-11-30T06:00:00+00:00", "play/monday")
    assert not {"scheduled_for", "rerun_of"} & run_document(status(), "http://ui").keys()


def test_what_went_wrong_is_told_with_what_to_do() -> None:
    error = StageError(kind="JOB_FAILED", message="no column named age", hint="mend the script")
    stage = StageStatus(name="clean", kind="train", connection="aws/default", error=error)
    told = "clean: JOB_FAILED no column named age -> mend the script docs/troubleshooting.md#job_failed"
    assert text_of(error_of(stage)).split() == told.split()


def test_the_report_says_which_machine_each_job_had() -> None:
    words = "ml.m5.large (2 CPU, 8 GiB): the cheapest known here; 0.115 USD an hour"
    job = StageStatus(name="clean", kind="train", connection="aws/default", machine=words)
    other = StageStatus(name="ask", kind="query", connection="gcp/default")
    lines = text_of(report(status(job, other))).splitlines()
    assert f"clean       {words}" in [line.rstrip() for line in lines]


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


REF = JobRef(id="arn", name="cw-train-g1", generation=1)
BORN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def job(phase: JobPhase, **moments: float) -> JobState:
    times = {name: BORN + timedelta(seconds=seconds) for name, seconds in moments.items()}
    return JobState.model_validate({"ref": REF, "phase": phase, "submitted_at": BORN, **times})


@pytest.mark.parametrize(
    ("state", "queued", "ran"),
    [
        (job(JobPhase.QUEUED, last_seen=5), 5, None),
        (job(JobPhase.RUNNING, started_at=5, last_seen=12), 5, 7),
        (job(JobPhase.UNKNOWN, started_at=5, last_seen=12), 5, 7),
        (job(JobPhase.SUCCEEDED, started_at=5, ended_at=65, last_seen=90), 5, 60),
        (job(JobPhase.STOPPED, ended_at=9, last_seen=90), 9, None),
        (job(JobPhase.RUNNING, last_seen=12), None, None),
        (job(JobPhase.FAILED, started_at=-1, ended_at=0), 0, 1),
    ],
    ids=["queued", "running", "unknown", "ended", "never began", "start not told", "clocks that disagree"],
)
def test_a_job_s_time_in_the_queue_and_its_time_on_a_machine_are_told_apart(
    state: JobState, queued: float | None, ran: float | None
) -> None:
    assert (state.queued_seconds, state.run_seconds) == (queued, ran)


def test_what_a_job_waited_ran_and_is_billed_stands_in_every_account_of_its_run() -> None:
    state = job(JobPhase.SUCCEEDED, started_at=5, ended_at=65).model_copy(update={"billed_seconds": 61.0})
    stage = StageStatus(name="clean", kind="train", connection="aws/default", job=stage_job(state))
    now = status(stage)
    (told,) = run_document(now, "")["stages"]
    assert {key: told["job"][f"{key}_seconds"] for key in ("queued", "run", "billed")} == {
        "queued": 5.0,
        "run": 60.0,
        "billed": 61.0,
    }
    assert "clean 1 SUCCEEDED 5.0s 1m00s 1m01s" in " ".join(text_of(report(now)).split())
    assert "queued 5.0 s, ran 60.0 s" in stage_table(now)


def test_of_a_job_that_is_not_told_of_its_note_says_when_it_was_seen_last_and_why() -> None:
    state = job(JobPhase.UNKNOWN, last_seen=7).model_copy(update={"message": "UNAVAILABLE: away"})
    assert words_of(state) == "job state unknown, last seen 12:00:07 UTC: UNAVAILABLE: away"
    never = state.model_copy(update={"last_seen": None})
    assert words_of(never) == "job state unknown, never seen yet: UNAVAILABLE: away"
