"""The tutorial, done as it stands by bash in a fresh folder; what it shows is compared but for figures."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import books
from tests.house import CHECKOUT, Sandbox

PAGE = "docs/tutorial.md"
FIGURE = re.compile(r"\d[\d.,:%]*([hms]\d*)*")
"""A number, a time of day, or how long something took, such as `1m02s`."""


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    """A sandbox that the page itself brings up and takes down."""
    held = Sandbox(Path(tempfile.mkdtemp(prefix="cw-")))
    try:
        yield held
    finally:
        held.down()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkout after `make setup`."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name in ("Makefile", "requirements.lock", "requirements-uv.lock"):
        shutil.copyfile(CHECKOUT / name, folder / name)
    (folder / ".venv/bin").mkdir(parents=True)
    python = folder / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / ".venv/.ready").touch()
    return folder


def bare(line: str) -> str:
    """A line without its figures and gaps."""
    return " ".join(FIGURE.sub("0", line).split())


def missing(shown: str, printed: str) -> list[str]:
    """Lines that the page shows and the command did not print, in their order; `...` stands for anything."""
    left = iter([bare(line) for line in printed.splitlines()])
    wanted = [bare(line) for line in shown.splitlines() if line.strip() not in {"", "..."}]
    return [line for line in wanted if not any(alike(line, other) for other in left)]


def alike(shown: str, printed: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in shown.split("...")), printed) is not None


def exit_of(info: str) -> int:
    found = re.search(r"exit=(\d+)", info)
    return int(found[1]) if found else 0


def test_the_tutorial_does_what_it_says_from_its_first_command_to_its_last(
    own: Sandbox, checkout: Path
) -> None:
    environment = {**own.variables, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "120"}
    printed = ""
    for fence in books.fences(PAGE):
        if fence.info == "text":
            assert missing(fence.text, printed) == [], printed
            continue
        assert fence.info.split()[0] == "sh", fence.info
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", fence.text],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
        )
        printed = done.stdout
        if os.environ.get("TUTORIAL_SHOWN"):
            sys.stderr.write(f"$ {fence.text}{printed}\n")
        assert done.returncode == exit_of(fence.info), fence.text + printed
    assert own.commands() == []


def test_figures_may_differ_and_words_may_not() -> None:
    assert (
        missing("fit  train  aws  1.0s\n...\nmoved 12,345 bytes", "x\nfit train aws  2.5s\ny\nmoved 1 bytes")
        == []
    )
    assert missing("took 7.7s at 10:00\nfit ... done", "took 1m02s at 9:59\nfit for x: done") == []
    assert missing("b\na", "a\nb") == ["a"]
    assert missing("fit SUCCEEDED", "fit FAILED") == ["fit SUCCEEDED"]
