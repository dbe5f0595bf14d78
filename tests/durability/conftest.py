"""The figures of the rounds at the end of the test run."""

from collections.abc import Iterator

import pytest
from _pytest.terminal import TerminalReporter

from tests.durability import copy_figures, figures
from tests.durability.observer import Observer
from tests.house import Sandbox


@pytest.fixture(scope="session")
def observer(house: Sandbox) -> Iterator[Observer]:
    held = Observer(house)
    yield held
    held.close()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if figures.ROUNDS:
        terminalreporter.section("crash matrix")
        for line in figures.lines(figures.ROUNDS):
            terminalreporter.line(line)
        figures.record(figures.document(figures.ROUNDS))
    if copy_figures.document():
        terminalreporter.section("interrupted copies")
        for line in copy_figures.lines():
            terminalreporter.line(line)
        figures.record(copy_figures.document())
