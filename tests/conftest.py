"""The sandboxes that tests share: started once, ended certainly."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import Sandbox


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
