"""Debian's Chromium, driven by Playwright; it is started once a file and sees nothing but this machine."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.house import PATIENCE_SECONDS

PATIENCE_MS = 1000 * PATIENCE_SECONDS


# Not for the session: as long as Playwright is there its loop runs, and no other test of the process could have one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "these tests need a Chromium; install one: apt-get install chromium"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that containers lack; the pages here are our own.
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()
