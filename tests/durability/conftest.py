"""The figures of the rounds at the end of the test run."""

from collections.abc import Iterator

import pytest
from _pytest.terminal import TerminalReporter

from tests.durability import figures
from tests.durability.observer import Observer
from tests.house import Sandbox


@pytest.fixture(scope="session")
def observer(house: Sandbox) -> Iterator[Observer]:
    held = Observer(house)
    yield held
    held.close()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if not figures.ROUNDS:
        return
    terminalreporter.section("crash matrix")
    for line in figures.lines(figures.ROUNDS):
        terminalreporter.line(line)
    figures.record(figures.ROUNDS)
