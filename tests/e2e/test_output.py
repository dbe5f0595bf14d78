"""Where the starter's output goes: a terminal, a full disk, a reader that leaves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import environment, keys, ports
from sandbox.layout import Layout
from tests.e2e.runs import Run
from tests.house import CHECKOUT, PATIENCE_SECONDS, Sandbox
from tests.pipelines import sleeper

WORDS = pytest.mark.parametrize("word", ["validate", "schema", "--help"])


def shell(line: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line.replace("STARTER", f"{sys.executable} -m starter")],
        cwd=CHECKOUT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


@WORDS
def test_a_full_disk_is_one_line_and_an_exit_code(word: str) -> None:
    done = shell(f"STARTER {word} > /dev/full")
    assert (done.returncode, done.stderr) == (
        74,
        "standard output cannot be written: No space left on device\n",
    )


def test_a_full_disk_does_not_end_the_run_it_watches(house: Sandbox, tmp_path: Path) -> None:
    house.sandbox("up", "--workers")
    file = sleeper(tmp_path, "onprem", 1)
    done = shell(f"STARTER run {file} --key full > /dev/full", house.variables)
    assert done.returncode == 74, done.stderr
    assert "Traceback" not in done.stderr
    assert "standard output cannot be written: No space left on device" in done.stderr
    Run(house, "sleeper-onprem/full").reach("SUCCEEDED")


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
    Run(house, "sleeper-onprem/head").reach("SUCCEEDED")


def test_what_is_up_already_is_not_told_of(house: Sandbox, tmp_path: Path) -> None:
    house.sandbox("up", "--workers")
    (house.root / "onprem" / "told").mkdir(exist_ok=True)
    (house.root / "onprem" / "told" / "x.txt").write_text("x")
    done = house.starter("copy", "file:///told/x.txt", "s3://causeway/told/x.txt", "--if-exists", "overwrite")
    assert done.code == 0, done.err
    assert [line.split("/")[0] for line in done.err.splitlines()] == ["copy copy"]


def test_a_sandbox_that_is_down_is_told_as_such(tmp_path: Path) -> None:
    ambient = Layout.from_environment()
    layout = Layout(root=tmp_path, tools=ambient.tools, checkout=ambient.checkout)
    endpoints = keys.generate(layout, ports.assign(dict.fromkeys(ports.USUAL)))
    endpoints.save(layout)
    environment.write_all(layout, endpoints)
    variables = {**os.environ, "CAUSEWAY_SANDBOX": str(tmp_path)}
    for added in ({}, {"TEMPORAL_ADDRESS": endpoints.temporal_address}):
        done = shell("STARTER status play/k", variables | added)
        assert done.returncode == 3
        assert "the sandbox is down" in done.stderr
        assert "python -m sandbox up --workers" in done.stderr
        assert "TEMPORAL_ADDRESS" not in done.stderr
    done = shell("STARTER status play/k", variables | {"TEMPORAL_ADDRESS": "127.0.0.1:1"})
    assert "check TEMPORAL_ADDRESS" in done.stderr
