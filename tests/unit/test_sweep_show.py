"""What a sweep tells a person at 80 columns."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from contracts.jobs import RunRef
from contracts.runs import RunPhase, RunStatus, StagePhase, StageStatus
from contracts.sweeps import ConnectionSweep, Orphan, SweepItem, SweepReport
from starter.exits import Exit
from starter.sweep_show import sweep_document, sweep_view
from starter.sweeps import exit_of, used_by

NAME = "cw-train-0123456789ab-01234567-g1"
TWO_HOURS = timedelta(hours=2)


def report(*orphans: Orphan, stop: bool = False, **swept: Any) -> SweepReport:
    told = ConnectionSweep(connection="aws/default", found=len(orphans), **swept)
    return SweepReport(
        began=datetime.now(UTC), older_than=TWO_HOURS, stop=stop, connections=(told,), orphans=orphans
    )


def orphan(state: str = "found", **more: Any) -> Orphan:
    since = datetime.now(UTC) - timedelta(hours=27)
    item = SweepItem(**{"kind": "job", "id": "i", "name": NAME, "run_uid": "d" * 32, "since": since, **more})
    return Orphan(connection="aws/default", item=item, run="churn/k1", state=state)


def text_of(shown: SweepReport) -> str:
    out = Console(file=io.StringIO(), width=80)
    with out.capture() as captured:
        out.print(sweep_view(shown))
    return captured.get()


def test_an_orphan_is_a_row_that_tells_whose_it_was_and_how_old_it_is() -> None:
    text = text_of(report(orphan(size_bytes=1234)))
    row = next(line for line in text.splitlines() if NAME in line)
    assert row.split() == ["aws", "job", "1d3h", NAME, "found"]
    assert "churn/k1 1,234 bytes" in text
    assert "aws: 1 orphan" in text
    assert "python -m starter sweep --stop" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_long_name_is_folded_and_never_cut() -> None:
    name = "gs://causeway/" + "".join(f"{number:04}/" for number in range(40)) + "data"
    text = text_of(report(orphan(name=name)))
    begin = text.index("gs://")
    column = begin - text.rindex("\n", 0, begin) - 1
    folded = [line[column:].split(" ")[0] for line in text.splitlines()]
    assert name in "".join(folded)


def test_what_was_stopped_and_what_is_left_alone_is_counted() -> None:
    text = text_of(report(orphan("stopped"), stop=True, stopped=1, owned=3, younger=2))
    assert "aws: 1 orphan, 1 stopped; 3 of live runs; 2 younger than 2h" in text
    assert "--stop" not in text


def test_the_document_tells_all_of_it() -> None:
    document = sweep_document(report(*[orphan()] * 30))
    assert document["left"] == 30
    assert len(document["orphans"]) == 30
    assert document["orphans"][0]["item"]["name"] == NAME


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        (report(), Exit.SUCCEEDED),
        (report(orphan()), Exit.FAILED),
        (report(orphan("stopped"), stop=True, stopped=1), Exit.SUCCEEDED),
        (report(orphan("failed"), stop=True), Exit.FAILED),
        (report(trouble="no worker serves causeway-aws"), Exit.UNREACHABLE),
    ],
    ids=["nothing", "found", "stopped", "not stopped", "no worker"],
)
def test_the_exit_code_says_whether_anything_is_left(shown: SweepReport, code: Exit) -> None:
    assert exit_of(shown) == code


def test_a_worker_that_is_absent_hides_what_is_left_only_where_somebody_asked_for_it() -> None:
    absent = ConnectionSweep(connection="azure/default", trouble="no worker serves causeway-azure")
    both = report().model_copy(update={"connections": (*report().connections, absent)})
    assert exit_of(both) is Exit.SUCCEEDED
    assert exit_of(both, named=True) is Exit.FAILED


def test_a_question_to_a_person_is_no_connection_to_sweep() -> None:
    stages = {
        name: StageStatus(name=name, kind="process", connection=connection, phase=StagePhase.SUCCEEDED)
        for name, connection in {"work": "aws/default", "ask": ""}.items()
    }
    run = RunRef(pipeline="churn", key="k1", run_uid="u")
    status = RunStatus(run=run, phase=RunPhase.SUCCEEDED, started_at=datetime.now(UTC), stages=stages)
    assert used_by(status) == ("aws/default",)
