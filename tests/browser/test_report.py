"""The report as a browser shows it: at every width, light and dark, for everybody, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.e2e.runs import Run
from tests.house import Sandbox
from tests.pipelines import QUICKSTART, write

WIDTHS = (360, 768, 1440)
FAILS = """
import sys
print("reading")
sys.exit("no column named age in a line that is long enough to be broken on a telephone: " + "x" * 200)
"""


@pytest.fixture(scope="module")
def pages(house: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of a run that went well and of one that did not, as the command writes them."""
    folder = tmp_path_factory.mktemp("reports")
    stage = {"kind": "train", "on": "onprem", "code": "src", "command": "python fail.py", "retries": 0}
    broken = write(
        folder / "broken",
        {"pipeline": "broken", "stages": {"clean": {**stage, "on_failure": "fail"}}},
        {"src/fail.py": FAILS},
    )
    good, bad = Run.start(house, QUICKSTART), Run.start(house, broken)
    good.reach("SUCCEEDED")
    bad.reach("FAILED")
    found = {"succeeded": folder / "good.html", "failed": folder / "bad.html"}
    for run, file in zip((good, bad), found.values(), strict=True):
        house.starter("report", run.id, "--html", str(file), check=True)
    return found


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_a_report_is_fit_for_everybody_at_every_width(
    pages: dict[str, Path], page: Page, state: str, width: int
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(pages[state].as_uri())
    assert asked == [pages[state].as_uri()]
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("heading", level=1).is_visible()


SERIOUS = {"serious", "critical", "moderate"}


def test_a_report_shows_where_it_ran_when_and_what_moved(pages: dict[str, Path], page: Page) -> None:
    page.goto(pages["succeeded"].as_uri())
    drawing = page.get_by_role("region", name="Drawing of the stages by cloud")
    for words in ("onprem", "aws", "azure", "gcp", "ingest", "train", "score", "load", "summary"):
        assert drawing.get_by_text(words, exact=True).first.is_visible(), words
    assert drawing.get_by_text("model 2.3 kB").is_visible()
    timeline = page.get_by_role("region", name="Timeline of stages and transfers")
    assert timeline.locator("svg[role=img]").count() >= 5 + 4
    transfers = page.get_by_role("region", name="Table of transfers").locator("tbody tr")
    assert transfers.count() == 4
    assert {row.split("\t")[-1] for row in transfers.all_inner_texts()} == {"end to end"}


def test_a_report_of_a_failed_run_begins_with_why(pages: dict[str, Path], page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 700})
    page.goto(pages["failed"].as_uri())
    said = page.locator("pre").first
    assert "no column named age" in said.inner_text()
    box = said.bounding_box()
    assert box
    assert box["y"] < 700


def test_a_report_prints_in_the_colours_of_paper(pages: dict[str, Path], page: Page, tmp_path: Path) -> None:
    page.goto(pages["succeeded"].as_uri())
    page.emulate_media(media="print")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(255, 255, 255)"
    overflow = page.evaluate(
        "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert overflow == 0
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
