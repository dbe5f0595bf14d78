"""The Temporal servers that tests start: named, so that nothing is downloaded."""

import sys
from pathlib import Path

from sandbox.layout import Layout
from sandbox.tools import ensure


def test_server() -> Path:
    """The server that skips time."""
    return Path(sys.executable).parent / "temporal-test-server"


test_server.__test__ = False  # type: ignore[attr-defined] # it is no test, whatever pytest thinks of its name


def dev_server() -> Path:
    """The real server, as the sandbox runs it; built when it is not there yet."""
    layout = Layout.from_environment()
    ensure(layout, ["local"], print)
    return layout.tools / "local" / "bin" / "temporal"
