"""The sandboxes that tests share: started once, ended certainly."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import Sandbox

LONG = (
    "e2e",
    "observed",
    "browser",
    "durability",
    "versions",
    "contracts",
    "docs",
    "activities",
    "workflows",
)
"""Rooms of tests by how long their files take; those that are not named come last."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that of several processes none is left alone with one at the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    room = item.nodeid.removeprefix("tests/").partition("/")[0]
    return LONG.index(room) if room in LONG else len(LONG)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """All local clouds, without workers."""
    # A short path: sockets and job folders below it have limits of their own.
    held = Sandbox(Path(tempfile.mkdtemp(prefix="cw-")))
    try:
        held.sandbox("up")
        yield held
    finally:
        held.down()


@pytest.fixture(scope="session")
def house(sandbox: Sandbox) -> Sandbox:
    """All local clouds with their workers."""
    sandbox.sandbox("up", "--workers")
    return sandbox
