"""The page of a run in Temporal's Web UI, as a person without a terminal uses it."""

import json
import re
from typing import Any

from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.browser.conftest import PATIENCE_MS
from tests.e2e.runs import Run


class RunPage:
    """One run's page; what it shows is fetched anew each time."""

    def __init__(self, page: Page, run: Run) -> None:
        """Know the page that the run's status names."""
        self.page = page
        self.page.set_default_timeout(PATIENCE_MS)
        self.address = run.document["web_ui"]

    def timeline(self) -> Locator:
        self.page.goto(self.address)
        return self.page.get_by_role("main")

    def details(self) -> FrameLocator:
        """The current details, as the worker tells them now."""
        self.page.goto(self.address)
        self.page.get_by_role("tab", name="User Metadata").click()
        return self._shown

    def row(self, stage: str) -> list[str]:
        """The stage's row of the table that is shown: where, state, note."""
        named = self._shown.get_by_role("cell", name=stage, exact=True)
        cells = named.locator("xpath=following-sibling::td")
        expect(cells).to_have_count(3)
        return [words.strip() for words in cells.all_inner_texts()]

    def to_paste(self, name: str) -> str:
        """What the details that are shown say to send under this name."""
        named = self.page.locator("code", has_text=re.compile(f"^{name}$"))
        said = self._shown.get_by_role("paragraph").filter(has_text="send the").filter(has=named)
        return said.locator("xpath=following::pre[1]").inner_text()

    @property
    def _shown(self) -> FrameLocator:
        heading = self.page.get_by_role("heading", name="Current Details")
        return heading.locator("xpath=following::iframe[1]").content_frame

    def signal(self, name: str, payload: str) -> None:
        expect(self._send("Send a Signal", name, payload)).to_be_hidden()

    def update(self, name: str, payload: str) -> None:
        expect(self._send("Send an Update", name, payload)).to_be_hidden()

    def refuse(self, name: str, payload: str, words: str) -> None:
        """Send an update that makes no sense now, and be told so with these words."""
        dialog = self._send("Send an Update", name, payload)
        expect(dialog.get_by_text(words, exact=True)).to_be_visible()

    def _send(self, action: str, name: str, payload: str) -> Locator:
        self.page.get_by_role("button", name="More Actions").click()
        self.page.get_by_role("menuitem", name=action).click()
        dialog = self.page.get_by_role("dialog", name=action)
        dialog.get_by_role("button", name=re.compile("^Select a")).click()
        dialog.get_by_role("option", name=re.compile(f"^{name}")).click()
        dialog.get_by_role("textbox", name="Data").click()
        self.page.keyboard.insert_text(payload)
        # Leaving the field sets its text anew, which moves the button away from a press that was meant for it.
        self.page.keyboard.press("Tab")
        dialog.get_by_role("button", name="Submit").click()
        return dialog


def edited(payload: str, **fields: Any) -> str:
    """What is to be pasted, filled in as a person does."""
    return json.dumps({**json.loads(payload), **fields})
