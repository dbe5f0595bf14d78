"""Where the laptop's Temporal is, as the sandbox leaves it to the starter."""

import os
from pathlib import Path

import pytest

from sandbox import environment, keys
from sandbox.layout import Layout
from sandbox.ports import USUAL
from starter import local


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("CAUSEWAY_SANDBOX", str(tmp_path))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return Layout.from_environment()


def test_the_starter_reads_what_the_sandbox_would_tell_it(layout: Layout) -> None:
    endpoints = keys.generate(layout, dict(USUAL))
    environment.write_all(layout, endpoints)
    told = environment.worker("starter", layout, endpoints)
    assert local.sandbox_address() == told["TEMPORAL_ADDRESS"]
    assert local.adopt_environment()
    assert told.items() <= dict(os.environ).items()


def test_where_no_sandbox_has_been_made_there_is_no_address(layout: Layout) -> None:
    assert local.sandbox_address() is None
    assert not local.adopt_environment()
