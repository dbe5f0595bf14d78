"""A person who has only Temporal's Web UI sees how a run stands and why it waits, and decides."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.web_ui import RunPage, edited
from tests.e2e.runs import Run
from tests.house import Sandbox
from tests.pipelines import SLEEPER, write

NASTY = "<b>x</b> ![i](http://tracker.example/) [a](javascript:alert(1)) | `c` www.tracker.example"
FAILS = f"import sys\nprint({NASTY!r})\nsys.exit('no column named age')\n"
JOB = {"kind": "train", "code": "src", "outputs": ["result"], "timeout": "20m", "retries": 0}
NAP = {**JOB, "on": "gcp", "command": "python sleep.py --seconds {seconds} --out {{outputs.result}}"}
ASK = {
    "kind": "approve",
    "question": "Publish it?",
    "show": {"auc": "0.93"},
    "approvers": ["ann"],
    "timeout": "2h",
    "default": "no",
}
BROKEN = {**JOB, "on": "onprem", "command": "python fail.py"}


def start(house: Sandbox, folder: Path, name: str, **stages: Any) -> Run:
    spec = {"pipeline": name, "description": "who leaves", "stages": stages}
    return Run.start(house, write(folder / name, spec, {"src/sleep.py": SLEEPER, "src/fail.py": FAILS}))


def nap(seconds: int) -> dict[str, Any]:
    return {**NAP, "command": str(NAP["command"]).format(seconds=seconds)}


@pytest.fixture(scope="module")
def waiting(house: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with a job under way, a question that is open and a stage that failed."""
    folder = tmp_path_factory.mktemp("waiting")
    stages = {"job": nap(600), "ask": {**ASK, "question": NASTY}, "broken": BROKEN}
    run = start(house, folder, "webui-waiting", **stages)
    run.until_job("job", "running")
    run.reach("WAITING")
    yield run
    house.starter("cancel", run.id)


@pytest.fixture
def asking(house: Sandbox, tmp_path: Path) -> Run:
    """A run that asks, and has a job to begin after the answer."""
    after = {**nap(1), "on": "onprem", "after": ["ask"], "when": 'ask.answer == "yes"'}
    run = start(house, tmp_path, "webui-asking", ask=ASK, job=after)
    run.reach("WAITING")
    return run


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1100})
    yield context.new_page()
    context.close()


def test_the_details_show_every_stage_why_the_run_waits_and_where_to_look(waiting: Run, page: Page) -> None:
    shown = RunPage(page, waiting)
    details = shown.details()
    assert shown.row("job")[:2] == ["gcp/default", "RUNNING"]
    assert shown.row("ask")[:2] == ["", "WAITING"]
    where, state, note = shown.row("broken")
    assert (where, state) == ("onprem/default", "WAITING")
    assert note.startswith("waiting for a decision: retry, skip or abort")
    expect(details.get_by_text("waiting for a decision on broken; an answer to ask")).to_be_visible()
    expect(details.get_by_text("no column named age")).to_be_visible()
    expect(details.get_by_text("ask asks ann until")).to_be_visible()
    console = details.get_by_role("link", name="console.cloud.google.com")
    assert urlsplit(console.get_attribute("href") or "").path.startswith("/vertex-ai/")


def test_what_jobs_and_questions_say_stays_text(waiting: Run, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).hostname or ""))
    shown = RunPage(page, waiting)
    details = shown.details()
    assert "<b>x</b> ![i](http://tracker.example/) [a](javascript:alert(1)) ¦ 'c'" in shown.row("ask")[2]
    assert details.locator("img, b").count() == 0
    assert [link.inner_text() for link in details.get_by_role("link").all()] == ["console.cloud.google.com"]
    assert "tracker.example" not in asked


def test_activities_and_timers_say_what_they_wait_for(waiting: Run, page: Page) -> None:
    shown = RunPage(page, waiting).timeline()
    for words in (
        "ask: an answer; then the answer is no",
        "job: its job may take until then",
        "jobs.wait • job: wait",
    ):
        expect(shown.get_by_text(words).first).to_be_visible()


def test_runs_that_wait_are_found_by_what_they_wait_for(waiting: Run, page: Page) -> None:
    workflows = waiting.document["web_ui"].rpartition("/")[0]
    asked = 'CausewayState="WAITING" AND CausewayWaitingFor STARTS_WITH "a decision" AND CausewayClouds="gcp"'
    page.goto(f"{workflows}?query={quote(asked)}")
    expect(page.get_by_role("link", name=waiting.id)).to_be_visible()
    page.goto(f"{workflows}?query={quote(asked.replace('gcp', 'azure'))}")
    expect(page.get_by_text("No Workflows")).to_be_visible()
    expect(page.get_by_role("link", name=waiting.id)).to_have_count(0)


def test_a_run_is_paused_and_resumed_with_what_the_page_says(asking: Run, page: Page) -> None:
    shown = RunPage(page, asking)
    shown.details()
    shown.signal("pause", edited(shown.to_paste("pause"), by="ann", reason="lunch"))
    asking.reach("PAUSED")
    expect(shown.details().get_by_text("PAUSED — by ann; lunch; then for an answer to ask")).to_be_visible()
    shown.signal("resume", edited(shown.to_paste("resume"), by="bob"))
    asking.reach("WAITING")
    told = [(one["decision"], one["by"]) for one in asking.document["decisions"]]
    assert told == [("pause", "ann"), ("resume", "bob")]


def test_a_question_is_answered_with_what_the_page_says(asking: Run, page: Page) -> None:
    shown = RunPage(page, asking)
    shown.details()
    shown.update("approve", shown.to_paste("approve"))
    ended = asking.until("SUCCEEDED")
    ask, job = ended["stages"]
    assert (ask["gate"]["answer"], ask["gate"]["by"], ask["gate"]["late"]) == ("yes", "ann", False)
    assert job["state"] == "SUCCEEDED"


def test_a_stage_that_failed_is_skipped_with_what_the_page_says(
    house: Sandbox, tmp_path: Path, page: Page
) -> None:
    run = start(house, tmp_path, "webui-broken", broken=BROKEN)
    run.reach("WAITING")
    shown = RunPage(page, run)
    shown.details()
    shown.update("skip_stage", edited(shown.to_paste("skip_stage"), by="ann"))
    ended = run.until("SUCCEEDED")
    assert [(one["decision"], one["by"]) for one in ended["decisions"]] == [("skip", "ann")]


def test_an_update_that_makes_no_sense_is_refused_in_the_dialog(waiting: Run, page: Page) -> None:
    shown = RunPage(page, waiting)
    shown.timeline()
    told = "stage 'job' is RUNNING, not waiting for a decision"
    shown.refuse("abort", '{"stage": "job", "by": "ann"}', told)
