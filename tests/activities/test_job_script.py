"""The script that every cloud's machine runs, run by a real shell."""

import os
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.job_script import arguments, render_script
from contracts.jobs import JobRequest, PathRef, RunRef
from contracts.machines import Resources
from tests.house import PATIENCE_SECONDS

ECHO = "import json, os, sys; print(json.dumps([os.getcwd(), sorted(os.listdir('.')), sys.argv[1:]]))"
AWKWARD = [
    "two words",
    "$HOME",
    "`id`",
    "$(id)",
    "a'b\"c",
    "*",
    ";",
    "&&",
    "-n",
    "",
    "back\\slash",
    "ü",
    "line\nbreak",
]


def request(*command: Any) -> JobRequest:
    return JobRequest(
        run=RunRef(pipeline="p", key="k", run_uid="0" * 32),
        stage="train",
        generation=1,
        kind="train",
        command=tuple(word if isinstance(word, tuple) else (word,) for word in command),
        resources=Resources(),
        timeout=timedelta(minutes=1),
    )


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env={"PATH": os.environ["PATH"], **environment},
    )


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    code = tmp_path / "published code"
    (code / "package").mkdir(parents=True)
    (code / "echo.py").write_text(ECHO)
    (code / "package" / "module.py").write_text("")
    return {"code": str(code), "work": str(tmp_path / "it's work"), "out": str(tmp_path / "out put")}


def render(asked: JobRequest, places: dict[str, str]) -> str:
    return render_script(
        asked,
        code=places["code"],
        inputs={"data": "/mnt/in put/", "file": "/mnt/file"},
        outputs={"out": places["out"]},
        work=places["work"],
    )


def test_the_command_runs_in_a_copy_of_the_code_and_its_outputs_exist(places: dict[str, str]) -> None:
    script = render(request(sys.executable, "echo.py"), places)
    for path in (Path(places["code"]), *Path(places["code"]).rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run(script)
    assert done.returncode == 0, done.stderr
    assert places["work"] in done.stdout
    assert '["echo.py", "package"]' in done.stdout
    assert Path(places["out"]).is_dir()


def test_nothing_in_an_argument_is_interpreted(places: dict[str, str]) -> None:
    done = run(render(request(sys.executable, "-c", "import sys; print(sys.argv[1:])", *AWKWARD), places))
    assert done.stdout == f"{AWKWARD}\n"


def test_paths_take_the_place_of_what_they_stand_for() -> None:
    data, file, out = (
        PathRef(role="inputs", name="data"),
        PathRef(role="inputs", name="file"),
        PathRef(role="outputs", name="out"),
    )
    asked = request("score", (data,), ("--file=", file), (out, "/model.json"))
    given = arguments(asked, {"data": "/mnt/in put/", "file": "/mnt/file"}, {"out": "/mnt/out"})
    assert given == ["score", "/mnt/in put", "--file=/mnt/file", "/mnt/out/model.json"]


def test_requirements_are_installed_before_the_command(places: dict[str, str], tmp_path: Path) -> None:
    Path(places["code"], "requirements.txt").write_text("scikit-learn\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").write_text('#!/bin/sh\necho "python $*"\n')
    (programs / "python").chmod(0o755)
    done = run(render(request("echo", "then this"), places), PATH=f"{programs}:{os.environ['PATH']}")
    install = "python -m pip install --quiet --disable-pip-version-check -r requirements.txt"
    assert done.stdout.splitlines() == [install, "then this"]


@pytest.mark.parametrize("code", [0, 3])
def test_the_command_s_exit_code_is_the_script_s(places: dict[str, str], code: int) -> None:
    assert run(render(request("sh", "-c", f"exit {code}"), places)).returncode == code


def test_a_script_without_code_still_has_a_folder_to_work_in(places: dict[str, str]) -> None:
    script = render_script(request("pwd"), code=None, inputs={}, outputs={}, work=places["work"])
    assert run(script).stdout == places["work"] + "\n"


def test_the_command_takes_the_shell_s_place_so_that_signals_reach_it(places: dict[str, str]) -> None:
    last = render(request("python", "x y"), places).splitlines()[-1]
    assert shlex.split(last) == ["exec", "python", "x y"]
