"""Where the starter's output goes: a terminal, a full disk, a reader that leaves."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import keys, ports
from sandbox.layout import Layout
from tests.e2e.runs import Run
from tests.house import CHECKOUT, Sandbox
from tests.pipelines import sleeper, write

WORDS = pytest.mark.parametrize("word", ["validate", "schema", "--help"])


def shell(line: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line.replace("STARTER", f"{sys.executable} -m starter")],
        cwd=CHECKOUT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


@WORDS
def test_a_full_disk_is_one_line_and_an_exit_code(word: str) -> None:
    done = shell(f"STARTER {word} > /dev/full")
    assert (done.returncode, done.stderr) == (
        74,
        "standard output cannot be written: No space left on device\n",
    )


@pytest.mark.timeout(120)
def test_a_full_disk_does_not_end_the_run_it_watches(house: Sandbox, tmp_path: Path) -> None:
    house.sandbox("up", "--workers")
    file = sleeper(tmp_path, "onprem", 1)
    done = shell(f"STARTER run {file} --key full > /dev/full", house.variables)
    assert done.returncode == 74, done.stderr
    assert "Traceback" not in done.stderr
    assert "standard output cannot be written: No space left on device" in done.stderr
    Run(house, "sleeper-onprem/full").until("SUCCEEDED")


@pytest.mark.timeout(120)
def test_a_reader_that_leaves_is_no_failure_of_the_run(house: Sandbox, tmp_path: Path) -> None:
    house.sandbox("up", "--workers")
    file = sleeper(tmp_path, "onprem", 2)
    done = shell(
        f"STARTER run {file} --key head 2> {tmp_path}/said | head -n 1; exit ${{PIPESTATUS[0]}}",
        house.variables,
    )
    said = (tmp_path / "said").read_text().splitlines()
    assert done.returncode == 141, said
    assert len(done.stdout.splitlines()) == 1
    assert [line.split()[0] for line in said] == ["run", "Web", "the"], said
    Run(house, "sleeper-onprem/head").until("SUCCEEDED")


def test_what_is_up_already_is_not_told_of(house: Sandbox, tmp_path: Path) -> None:
    house.sandbox("up", "--workers")
    (house.root / "onprem" / "told").mkdir(exist_ok=True)
    (house.root / "onprem" / "told" / "x.txt").write_text("x")
    done = house.starter("copy", "file:///told/x.txt", "s3://causeway/told/x.txt", "--if-exists", "overwrite")
    assert done.code == 0, done.err
    assert [line.split("/")[0] for line in done.err.splitlines()] == ["copy copy"]


@pytest.mark.timeout(120)
def test_a_sandbox_that_is_down_is_told_as_such(tmp_path: Path) -> None:
    ambient = Layout.from_environment()
    layout = Layout(root=tmp_path, tools=ambient.tools, checkout=ambient.checkout)
    endpoints = keys.generate(layout, ports.assign(dict.fromkeys(ports.USUAL)))
    endpoints.save(layout)
    variables = {**os.environ, "CAUSEWAY_SANDBOX": str(tmp_path)}
    for added in ({}, {"TEMPORAL_ADDRESS": endpoints.temporal_address}):
        done = shell("STARTER status play/k", variables | added)
        assert done.returncode == 3
        assert "the sandbox is down" in done.stderr
        assert "python -m sandbox up --workers" in done.stderr
        assert "TEMPORAL_ADDRESS" not in done.stderr
    done = shell("STARTER status play/k", variables | {"TEMPORAL_ADDRESS": "127.0.0.1:1"})
    assert "check TEMPORAL_ADDRESS" in done.stderr


@pytest.mark.timeout(180)
def test_the_question_at_a_terminal_comes_after_what_went_wrong(house: Sandbox, tmp_path: Path) -> None:
    house.sandbox("up", "--workers")
    script = "import sys; print('no column named age', file=sys.stderr); sys.exit(3)"
    stage = {"kind": "process", "on": "onprem", "code": "src", "command": "python fail.py", "retries": 0}
    file = write(tmp_path, {"pipeline": "asking", "stages": {"clean": stage}}, {"src/fail.py": script})
    ours, theirs = pty.openpty()
    starter = house.spawn(
        "-m", "starter", "run", str(file), "--key", tmp_path.name, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = _until(ours, "clean waits", 90)
    # What comes after the table was taken away for good is what stays on the screen.
    left = seen.rpartition("\x1b[2K")[2]
    assert "JOB_FAILED" in left
    assert "no column named age" in left
    os.write(ours, b"abort\n")
    _until(ours, "Web UI", 60)
    assert starter.wait(30) == 1
    os.close(ours)


@pytest.mark.timeout(180)
def test_a_question_is_answered_where_the_run_is_watched(house: Sandbox, tmp_path: Path) -> None:
    house.sandbox("up", "--workers")
    gate = {
        "kind": "approve",
        "question": "How many?",
        "show": {"so far": "{params.so_far}"},
        "answer": "number",
    }
    file = write(tmp_path, {"pipeline": "counting", "params": {"so_far": 3}, "stages": {"gate": gate}})
    ours, theirs = pty.openpty()
    starter = house.spawn(
        "-m", "starter", "run", str(file), "--key", tmp_path.name, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    left = _until(ours, "gate, or leave", 90).rpartition("\x1b[2K")[2]
    assert "How many?" in left
    assert "so far" in left
    os.write(ours, b"many\n")
    assert "write a number" in _until(ours, "gate, or leave", 60)
    os.write(ours, b"7\n")
    assert "answered 7 by" in _until(ours, "Web UI", 60)
    assert starter.wait(30) == 0
    os.close(ours)


def _until(terminal: int, words: str, seconds: float) -> str:
    seen, deadline = "", time.monotonic() + seconds
    while words not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
    return seen
