"""What a person sees at the desk, in a terminal of any size, and what the keys are taken for."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rich.console import Console

from contracts.approvals import Gate
from contracts.jobs import JobPhase, RunRef
from contracts.results import FanoutStatus
from contracts.runs import RunPhase, RunStatus, StageError, StagePhase, StageStatus
from contracts.stage_records import StageJob
from contracts.transfers import TransferStatus
from starter.desk_show import Frame
from starter.line import Line, keys_of
from starter.moving import Moving, egress_so_far
from starter.tail import running_job

NOW = datetime.now(UTC)
KEYS = {"p": "pause", "a": "answer", "r": "retry", "s": "skip", "x": "abort", "l": "log", "q": "leave"}
SIZES = pytest.mark.parametrize(
    ("width", "height"), [(20, 5), (20, 6), (40, 12), (59, 24), (80, 24), (81, 10), (200, 60)]
)


def stage(name: str, phase: StagePhase, **more: object) -> StageStatus:
    return StageStatus(name=name, kind="train", connection="aws/default", phase=phase, **more)


def run_of(*stages: StageStatus, **more: object) -> RunStatus:
    return RunStatus(
        run=RunRef(pipeline="play", key="k" * 40, run_uid="u"),
        phase=RunPhase.WAITING,
        started_at=NOW,
        stages={one.name: one for one in stages},
        **more,
    )


def large_run() -> RunStatus:
    error = StageError(kind="JOB_FAILED", message="no column named age\n" * 30, hint="mend the script " * 20)
    gate = Gate(question="Where? " * 60, choices=("eu", "us"), takes="one of eu, us", asked_at=NOW)
    ended = [
        stage(f"done_{n}", StagePhase.SUCCEEDED, ended_at=NOW + timedelta(seconds=n)) for n in range(150)
    ]
    pending = [stage(f"later_{n}", StagePhase.PENDING) for n in range(46)]
    job = StageJob(id="j", generation=1, name="j", phase=JobPhase.RUNNING, queued_seconds=12, run_seconds=63)
    return run_of(
        *ended,
        *pending,
        stage("train", StagePhase.RUNNING, note="job running", job=job, started_at=NOW),
        stage("a_stage_with_a_name_that_is_rather_long_for_a_table", StagePhase.FAILED, error=error),
        stage("clean", StagePhase.WAITING, error=error),
        stage("gate", StagePhase.WAITING, gate=gate),
    )


def moving(count: int = 1, **more: object) -> tuple[Moving, ...]:
    fields = {
        "phase": "RUNNING",
        "listed": True,
        "bytes_total": 4_000_000,
        "bytes_done": 1_000_000,
        "mb_per_s": 2.0,
    }
    return tuple(
        Moving(TransferStatus(artifact=f"train.model{n}", **{**fields, **more}), 1_000_000)
        for n in range(count)
    )


def lines_of(frame: Frame, width: int, height: int) -> list[str]:
    out = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with out.capture() as captured:
        out.print(frame, end="")
    return captured.get().removesuffix("\n").split("\n")


@SIZES
def test_no_frame_is_wider_or_higher_than_its_terminal(width: int, height: int) -> None:
    tail = ("log of train", tuple("x" * 300 for _ in range(8)))
    frame = Frame(large_run(), moving(9), KEYS, tail=tail, told="told " * 100)
    lines = lines_of(frame, width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


@SIZES
def test_the_keys_are_seen_in_every_terminal(width: int, height: int) -> None:
    frame = Frame(large_run(), moving(9), KEYS, tail=("log", ("x",) * 8))
    lines = lines_of(frame, width, height)
    rows = [n for n, line in enumerate(lines) if line.startswith(" p  pause")]
    assert rows
    assert rows[0] >= len(lines) - 2


def test_of_200_stages_those_are_seen_that_matter_and_the_rest_is_counted() -> None:
    lines = lines_of(Frame(large_run(), keys=KEYS), 80, 24)
    text = "\n".join(lines)
    found = [line.split()[0] for line in lines[3:7]]
    assert found == ["clean", "gate", "a_stage_with_a_name_tha…", "train"]
    assert "150 of 200 stages over" not in text
    assert "151 of 200 stages over" in text
    assert "46 pending" in text
    assert "done_149 " in text, "what ended last comes before what ended long ago"


def test_a_run_that_fits_is_shown_in_the_order_of_its_pipeline() -> None:
    now = run_of(
        stage("a", StagePhase.SUCCEEDED), stage("b", StagePhase.PENDING), stage("c", StagePhase.FAILED)
    )
    found = [line.split()[0] for line in lines_of(Frame(now, keys=KEYS), 80, 24)[3:6]]
    assert found == ["a", "b", "c"]


def test_a_transfer_shows_its_bytes_with_those_in_flight_its_speed_and_what_is_left() -> None:
    now = run_of(stage("a", StagePhase.RUNNING))
    text = "\n".join(lines_of(Frame(now, moving(eta_seconds=61.0), KEYS), 80, 24))
    assert "-> train.model0" in text
    assert "50% 2.0 MB of 4.0 MB, 2.0 MB/s, 1m01s left" in text
    assert "2.0 MB of 4.0 MB or more" in "\n".join(lines_of(Frame(now, moving(listed=False), KEYS), 80, 24))


def test_a_job_shows_how_long_it_was_queued_and_ran() -> None:
    text = "\n".join(lines_of(Frame(large_run(), keys=KEYS), 120, 40))
    assert "job running, queued 12.0s, ran 1m03s" in text


def test_items_show_a_bar() -> None:
    fanout = FanoutStatus(total=10, succeeded=5)
    now = run_of(stage("many", StagePhase.RUNNING, fanout=fanout, note="5 of 10"))
    assert "━━━━━" in lines_of(Frame(now, keys=KEYS), 120, 24)[3]


def test_what_leaving_clouds_costs_is_summed_and_what_is_unknown_is_counted() -> None:
    priced = moving(2, cost=Decimal("0.5"), currency="USD")
    now = run_of(stage("a", StagePhase.RUNNING))
    assert egress_so_far(now, [*priced, *moving()]) == "egress 1.0000 USD, 1 without a known price"
    assert egress_so_far(now, []) == ""


def test_what_is_typed_takes_the_place_of_the_keys() -> None:
    last = lines_of(Frame(large_run(), keys=KEYS, typing="gate takes one of eu, us: eu"), 80, 24)[-1]
    assert last.rstrip() == "gate takes one of eu, us: eu_"


def test_of_a_long_line_the_end_is_seen() -> None:
    lines = lines_of(Frame(large_run(), keys=KEYS, typing="gate: " + "x" * 500 + "end"), 40, 12)
    assert lines[-1].rstrip().endswith("end_")


def test_a_note_cannot_rewrite_the_screen() -> None:
    now = run_of(stage("a", StagePhase.RUNNING, note="one\x1b[2Jtwo\nthree"))
    assert "\x1b" not in "".join(lines_of(Frame(now, keys=KEYS), 80, 24))


def test_arrows_and_pastes_are_no_keys() -> None:
    assert keys_of("\x1b[Ap\x1bOB\x1b[15~q\x1b[200~x\x1b[201~") == "pqx"
    assert keys_of("\x1b") == "\x1b"


@pytest.mark.parametrize(
    ("typed", "over", "text"),
    [
        ("eu\r", True, "eu"),
        ("eu\x1b", False, "eu"),
        ("\x04", False, ""),
        ("ex\x7fu", None, "eu"),
        ("old\x15new", None, "new"),
        ("a\x00\tb", None, "ab"),
    ],
)
def test_a_line_is_typed_mended_given_and_given_up(typed: str, over: bool | None, text: str) -> None:
    line = Line("gate", lambda said: None)
    for key in typed:
        ended = line.feed(key)
    assert (ended, line.text) == (over, text)


def test_the_log_is_that_of_the_job_that_began_last() -> None:
    job = StageJob(id="j", generation=1, name="j", phase=JobPhase.RUNNING)
    first = stage("first", StagePhase.RUNNING, job=job, started_at=NOW)
    last = stage("last", StagePhase.RUNNING, job=job, started_at=NOW + timedelta(seconds=1))
    queued = job.model_copy(update={"phase": JobPhase.QUEUED})
    not_yet = stage("not_yet", StagePhase.RUNNING, job=queued, started_at=NOW + timedelta(seconds=2))
    assert running_job(run_of(first, last, not_yet)) == last
    assert running_job(run_of(not_yet)) is None
