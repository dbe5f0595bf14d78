"""The site of the docs as a browser shows it: at every width, without a network, and with a search that finds."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from handbook import site
from tests.house import CHECKOUT

PAGES = ("index.html", "docs/tutorial.html", "docs/reference.html", "docs/troubleshooting.html")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("docs") / "site"
    site.build(CHECKOUT, target)
    return target


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(built)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_every_width_and_asks_nobody_else(
    address: str, page: Page, name: str, width: int
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}/{name}", wait_until="networkidle")
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("heading", level=1).is_visible()


def test_the_search_finds_a_kind_of_error(address: str, page: Page) -> None:
    page.goto(f"{address}/index.html", wait_until="networkidle")
    page.keyboard.press("Control+k")
    page.keyboard.type("preempted")
    page.get_by_text("PREEMPTED", exact=True).first.wait_for()


def test_a_page_opens_from_a_disk_and_asks_nobody(built: Path, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((built / "docs/tutorial.html").as_uri(), wait_until="networkidle")
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    page.get_by_role("link", name="the README").first.click()
    page.wait_for_url("**/index.html#two-commands")
    page.get_by_role("heading", name="Two commands").wait_for()
