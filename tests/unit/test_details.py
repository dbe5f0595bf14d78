"""The page of a run in Temporal's Web UI: what others wrote stays text there, and what is to be pasted is taken."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from contracts.approvals import Approval, Gate
from contracts.decisions import StageDecision
from contracts.jobs import RunRef
from contracts.runs import Pause, RunPhase, RunStatus, StageError, StagePhase, StageStatus
from contracts.stage_records import StageJob
from workflows.details import stage_table
from workflows.marked import fence, link, plain

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
HARMLESS = {"text", "code_inline"}
NASTY = "<b>x</b> ![i](http://h/) [a](javascript:alert(1)) `c` *e* | _u_ www.h.example &amp; ~~s~~ \\"


def stage(**fields: Any) -> StageStatus:
    return StageStatus(**{"name": "job", "kind": "train", "connection": "aws/default", **fields})


def page(held: StageStatus, phase: RunPhase = RunPhase.WAITING, **fields: Any) -> str:
    run = RunRef(pipeline="play", key="k", run_uid="u")
    return stage_table(RunStatus(run=run, phase=phase, started_at=NOW, stages={held.name: held}, **fields))


def asking(**fields: Any) -> StageStatus:
    gate = Gate(
        **{"question": NASTY, "takes": "one of yes, no", "choices": ("yes", "no"), "asked_at": NOW, **fields}
    )
    return stage(name="ask", kind="approve", connection="", phase=StagePhase.WAITING, gate=gate)


def broken(message: str = "no column named age") -> StageStatus:
    error = StageError(kind="JOB_FAILED", message=message, hint="read it")
    return stage(phase=StagePhase.WAITING, error=error)


def to_paste(text: str) -> list[dict[str, Any]]:
    return [
        json.loads(found) for found in re.findall(r"^```json\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)
    ]


def kinds_in(text: str) -> set[str]:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return {child.type for token in tokens for child in token.children or ()}


@given(st.text(alphabet=st.sampled_from("ab_*`<>[]()!|\\&;:/.~#-+1 \n\t'\"é@w"), max_size=30))
def test_what_others_wrote_is_never_markdown(text: str) -> None:
    assert kinds_in(f"said: {plain(text)}") <= HARMLESS


@pytest.mark.parametrize(
    "text",
    [
        "job running; queued 0.2 s, ran 1.0 s",
        "waiting for a decision: retry, skip or abort",
        "waiting for a worker on causeway-gcp",
        "50% (3 of 6)",
    ],
)
def test_ordinary_words_are_left_as_they_are(text: str) -> None:
    assert plain(text) == text


@given(st.lists(st.sampled_from(["```", "`", "~~~", "\n", " ", "a"]), max_size=30).map("".join))
def test_nothing_said_breaks_out_of_its_fence(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse("\n".join([*fence(text), "", "after"]))
    assert [token.type for token in tokens][:2] == ["fence", "paragraph_open"]


def test_long_lines_are_broken_between_words_and_no_word_is_lost() -> None:
    words = "the command ended with exit code 1 " * 10
    lines = fence(words)[1:-1]
    assert max(map(len, lines)) <= 66
    assert " ".join(lines).split() == words.split()


def test_a_page_is_linked_by_the_host_it_leads_to() -> None:
    console = "https://ml.azure.com/runs/cw-train?wsid=/subscriptions/1&tid=2"
    assert link(console) == f"[ml.azure.com]({console})"


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "http://plain.example/",
        "https://a.example/x) [b](https://evil.example/",
        "https://ml.azure.com@evil.example/",
        "https://a.example/<b>",
        "s3://bucket/logs/job.log",
    ],
)
def test_what_is_no_plain_page_stays_text(uri: str) -> None:
    assert link(uri) == f"`{uri}`"


def test_consoles_and_kept_logs_are_told_where_the_stage_is() -> None:
    job = StageJob(id="1", generation=1, name="cw-job", console="https://console.example/job/1")
    text = page(stage(job=job, logs=("s3://b/logs/job.log", "https://logs.example/job.log")))
    assert "`job` job: [console.example](https://console.example/job/1)" in text
    assert "`job` log: `s3://b/logs/job.log`" in text
    assert "`job` log: [logs.example](https://logs.example/job.log)" in text


def test_a_note_cannot_write_into_the_table() -> None:
    text = page(stage(note=NASTY))
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    rows = [token for token in tokens if token.type == "td_open"]
    assert len(rows) == 5
    assert kinds_in(text) <= HARMLESS | {"strong_open", "strong_close", "softbreak"}


def test_what_is_to_be_pasted_for_an_answer_is_an_answer() -> None:
    answer, pause = to_paste(page(asking(approvers=("ann",))))
    assert Approval.model_validate(answer) == Approval(stage="ask", answer="yes", by="ann")
    assert set(pause) == {"by", "reason"}


def test_what_is_to_be_pasted_for_a_decision_is_a_decision() -> None:
    decision = StageDecision.model_validate(to_paste(page(broken()))[0])
    assert decision == StageDecision(stage="job", by="your name")


def test_a_question_says_who_may_answer_until_when_and_what_holds_then() -> None:
    text = page(asking(approvers=("ann", "bob"), due_at=NOW, default="no"))
    assert '`ask` asks `ann, bob` until 2026-11-30 12:00 UTC, then the answer is `"no"`:' in text
    assert "until 2026-11-30 12:00 UTC, then it has failed:" in page(asking(due_at=NOW))
    assert "`ask` asks:" in page(asking())


def test_a_paused_run_says_how_it_goes_on_and_what_it_waits_for_then() -> None:
    text = page(broken(), RunPhase.PAUSED, pause=Pause(by="ann", reason="lunch", since=NOW))
    assert text.startswith("**PAUSED** — by `ann`; `lunch`; then for a decision on job")
    assert "send the signal `resume` with:" in text
    assert "send the signal `pause`" not in text


def test_a_run_that_has_ended_takes_nothing_more_and_says_why() -> None:
    text = page(stage(phase=StagePhase.CANCELLED), RunPhase.FAILED, notes=("preflight: <b> is not there",))
    assert "\n`preflight: <b> is not there`\n" in text
    assert "send the" not in text
    assert "`python -m starter report play/k`" in text
