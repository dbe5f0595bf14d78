"""Reports: nothing of others becomes markup, nothing else is needed, what went wrong comes first."""

import re
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.jobs import JobPhase
from contracts.results import Candidate, Choice
from contracts.runs import RunPhase, RunRequest, RunStatus, StageError, StagePhase
from contracts.spec import PipelineSpec
from contracts.stage_records import StageJob
from starter.exits import StarterError
from starter.pages.report import html, markdown
from starter.pages.timeline import spoken, timeline_of
from starter.papers import write
from tests.unit.pages import BEGAN, HOSTILE, QUICK, moved, status_of


def page(status: RunStatus, spec: PipelineSpec = QUICK) -> str:
    return html(RunRequest(spec=spec, key="k"), status, "http://127.0.0.1:1/run")


def test_a_timeline_shows_stages_transfers_and_the_queue_in_the_order_they_began() -> None:
    status = status_of(QUICK, transfers=(moved("ingest.data", "aws/default", "gcp/default"),))
    job = StageJob(id="j", generation=1, name="n", phase=JobPhase.SUCCEEDED, queued_seconds=2, run_seconds=4)
    status.stages["train"] = status.stages["train"].model_copy(update={"job": job})
    found = timeline_of(status, BEGAN)
    assert [row.label for row in found.rows] == [
        "ingest",
        "train",
        "other",
        "best",
        "score",
        "after",
        "ingest.data",
    ]
    whole, queued = found.rows[1].bars
    # It ran from second 1 to 10 of 30; the job took the last 6 s and waited in the first two of them.
    assert (whole.left, whole.width) == pytest.approx((3.33, 30.0), abs=0.02)
    assert (queued.left, queued.width) == pytest.approx((13.33, 6.67), abs=0.02)
    assert found.rows[-1].where == "aws → gcp"
    assert [text for _, text in found.marks] == ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s"]


@given(st.floats(0.001, 1e7), st.floats(0, 1e7), st.floats(0, 1e7))
def test_no_bar_leaves_its_axis(taken: float, begin: float, length: float) -> None:
    status = status_of(QUICK, ended_at=BEGAN + timedelta(seconds=taken))
    status.stages["train"] = status.stages["train"].model_copy(
        update={
            "started_at": BEGAN + timedelta(seconds=begin),
            "ended_at": BEGAN + timedelta(seconds=begin + length),
        }
    )
    found = timeline_of(status, BEGAN)
    assert all(0 <= bar.left <= 100 and 0 < bar.width <= 100 for row in found.rows for bar in row.bars)
    assert 1 <= len(found.marks) <= 20


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (4.24, "4.2 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_a_time_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == words


class _Page(HTMLParser):
    """What a page would load, and which elements it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in {"src", "srcset", "data", "action"}]
        self.loaded += [value or "" for name, value in attrs if name == "href" and tag != "a"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_needs_nothing_else() -> None:
    text = page(status_of(QUICK))
    found = _Page(text)
    assert found.loaded == []
    assert not {"script", "iframe", "link", "img", "object", "embed"} & set(found.tags)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def hostile() -> RunStatus:
    status = status_of(QUICK, description=HOSTILE, notes=(HOSTILE,))
    status.stages["train"] = status.stages["train"].model_copy(
        update={
            "phase": StagePhase.FAILED,
            "note": HOSTILE,
            "machine": HOSTILE,
            "metrics": {HOSTILE: 1.0},
            "shown": ({HOSTILE: HOSTILE},),
            "rows": 1,
            "logs": (HOSTILE,),
            "history": (HOSTILE,),
            "job": StageJob(id="j", generation=1, name=HOSTILE, console="javascript:alert(1)"),
            "error": StageError(kind="JOB_FAILED", message=HOSTILE, hint=HOSTILE),
            "choice": Choice(by=HOSTILE, stage="other", candidates=(Candidate(stage="other", why=HOSTILE),)),
        }
    )
    return status


def test_nothing_of_others_becomes_markup_of_a_page() -> None:
    found = _Page(page(hostile()))
    assert not {"script", "b"} & set(found.tags)
    assert found.text.count("<script>alert(1)</script>") >= 9
    assert 'href="javascript' not in page(hostile())


def test_nothing_of_others_becomes_markup_of_markdown() -> None:
    text = markdown(hostile(), "http://127.0.0.1:1/run")
    outside = "".join(part for number, part in enumerate(text.split("```")) if number % 2 == 0)
    assert not re.search(r"(?<!\\)<(?!http)", outside)
    assert not re.search(r"(?<!\\)\[a", outside)
    assert text.count("```") == 2
    rows = [line for line in outside.splitlines() if line.startswith("| train ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7, 4}


def test_a_page_tells_what_went_wrong_first_and_what_to_do() -> None:
    status = status_of(QUICK, phase=RunPhase.FAILED)
    error = StageError(kind="JOB_FAILED", message="no column age", hint="mend the script")
    status.stages["train"] = status.stages["train"].model_copy(update={"error": error})
    text = _Page(page(status)).text
    assert text.index("train: JOB_FAILED") < text.index("Where it ran")
    assert "no column age" in text
    assert "What to do: mend the script (docs/troubleshooting.md#job_failed)" in text


def test_hardly_any_cost_is_not_none_and_an_unknown_one_is_not_nothing() -> None:
    little = moved("a", "aws/default", "gcp/default", cost=Decimal("0.0002"), currency="USD")
    unknown = moved("b", "onprem/default", "gcp/default")
    for text in (
        page(status_of(QUICK, transfers=(little, unknown))),
        markdown(status_of(QUICK, transfers=(little, unknown)), "http://127.0.0.1:1/run"),
    ):
        assert "under 0.01 USD" in text
        assert "unknown" in text
    assert "<dt>egress</dt><dd>unknown</dd>" in page(status_of(QUICK, transfers=(unknown,)))
    assert "<dt>egress</dt><dd>none</dd>" in page(status_of(QUICK))
    assert " and 1 unknown</dd>" in page(status_of(QUICK, transfers=(little, unknown)))


def test_the_markdown_ends_its_last_line() -> None:
    assert markdown(status_of(QUICK), "http://127.0.0.1:1/run").endswith("run>\n")


def test_a_file_is_written_whole_or_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.svg"
    file.write_text("old")
    write(str(file), b"new")
    assert file.read_text() == "new"
    assert f"wrote {file}" in capsys.readouterr().err.replace("\n", "")
    with pytest.raises(StarterError, match="is a folder; name a file in it"):
        write(str(tmp_path), b"x")
    with pytest.raises(StarterError, match="cannot be written: No such file"):
        write(str(tmp_path / "none" / "a.svg"), b"x")
    assert sorted(tmp_path.iterdir()) == [file]
