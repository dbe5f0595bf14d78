"""`logs`, as a person uses it: followed from before there is a job to its last line, left with Ctrl-C, by generation."""

import json
import signal
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest

from tests.e2e.runs import Run
from tests.house import PATIENCE_SECONDS, Sandbox, until
from tests.pipelines import write

SCRIPT = """
import pathlib, sys, time
out = pathlib.Path(sys.argv[1])
for number in range(40):
    print("line", number, flush=True)
    time.sleep(0.05)
mark = pathlib.Path(sys.argv[2])
if not mark.exists():
    mark.touch()
    sys.exit("the first one fails")
mark.unlink()
(out / "done").write_text("done")
"""
GATED = """
import pathlib, sys, time
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.1)
"""
LINES = [f"line {number}" for number in range(40)]


def pipeline(folder: Path, cloud: str) -> Path:
    """A stage that talks and fails once, after one that waits until there is a file."""
    mark = folder / "failed-once"
    stages: dict[str, Any] = {
        "before": {
            "kind": "process",
            "on": "onprem",
            "code": "src",
            "command": f"python gated.py {folder / 'gate'}",
            "outputs": [],
        },
        "talk": {
            "kind": "train",
            "on": cloud,
            "code": "src",
            "command": f"python talk.py {{outputs.result}} {mark}",
            "outputs": ["result"],
            "retries": 1,
            "after": ["before"],
        },
    }
    code = {"src/talk.py": SCRIPT, "src/gated.py": GATED}
    return write(folder, {"pipeline": f"talk-{cloud}", "stages": stages}, code)


def following(house: Sandbox, run: Run, out: IO[str]) -> subprocess.Popen[str]:
    """Who follows the log of what talks, and has been told that there is no job yet."""
    words = ("-m", "starter", "logs", run.id, "talk", "--follow", "--json")
    process = house.spawn(*words, stdout=out, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert "waiting for the job of talk" in process.stderr.readline()
    return process


@pytest.mark.parametrize("cloud", [pytest.param("onprem", marks=pytest.mark.durability), "aws"])
def test_a_log_is_followed_from_before_its_job_through_its_generations(
    house: Sandbox, tmp_path: Path, cloud: str
) -> None:
    run = Run.start(house, pipeline(tmp_path, cloud))
    with (tmp_path / "told").open("w+") as out:
        process = following(house, run, out)
        (tmp_path / "gate").touch()
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, err
        out.seek(0)
        told = [json.loads(line) for line in out]
    first = [one["line"] for one in told if one["generation"] == 1]
    second = [one["line"] for one in told if one["generation"] == 2]
    assert (first, second) == ([*LINES, "the first one fails"], LINES)
    run.reach("SUCCEEDED")
    # Of a generation that is over a run keeps no id: its worker finds it by its tags.
    earlier = house.starter("logs", run.id, "talk", "--generation", "1", "--tail", "2")
    assert (earlier.code, earlier.out.splitlines()) == (0, [LINES[-1], "the first one fails"])
    absent = house.starter("logs", run.id, "talk", "--generation", "3")
    assert (absent.code, absent.out) == (2, "")
    assert "has had 2 generations, not 3" in absent.err


def test_who_looked_away_while_a_generation_failed_is_told_it_first(house: Sandbox, tmp_path: Path) -> None:
    run = Run.start(house, pipeline(tmp_path, "onprem"))
    told = tmp_path / "told"
    with told.open("w") as out:
        process = following(house, run, out)
    process.send_signal(signal.SIGSTOP)
    (tmp_path / "gate").touch()
    until(lambda: run.stage("talk")["attempts"] == 2, "the second generation")
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=PATIENCE_SECONDS)
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    first = [one["line"] for one in lines if one["generation"] == 1]
    assert first == [*LINES, "the first one fails"]
    assert [one["line"] for one in lines if one["generation"] == 2] == LINES
    assert process.returncode == 0


def test_who_follows_a_quiet_job_leaves_with_ctrl_c_and_the_run_goes_on(
    house: Sandbox, tmp_path: Path
) -> None:
    quiet = {
        "kind": "process",
        "on": "onprem",
        "command": "python -c 'import time; print(\"begun\", flush=True); time.sleep(600)'",
        "outputs": [],
    }
    run = Run.start(house, write(tmp_path, {"pipeline": "quiet", "stages": {"hush": quiet}}))
    process = house.spawn(
        "-m",
        "starter",
        "logs",
        run.id,
        "hush",
        "--follow",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Where the tests run in the background, an interrupt would be ignored from birth.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert run.stage("hush")["state"] == "RUNNING"
    house.starter("cancel", run.id, check=True)
    run.reach("CANCELLED")


def test_what_has_no_log_is_told_at_once(house: Sandbox, tmp_path: Path) -> None:
    (house.root / "onprem" / "talk.csv").write_text("a\n")
    stages = {"bring": {"kind": "copy", "on": "aws", "source": "file:///talk.csv"}}
    run = Run.start(house, write(tmp_path, {"pipeline": "no-job", "stages": stages}))
    answer = house.starter("logs", run.id, "bring", "--follow")
    assert (answer.code, answer.out) == (2, "")
    assert "it is a copy stage" in answer.err
    unknown = house.starter("logs", run.id, "brin")
    assert (unknown.code, unknown.out) == (2, "")
    assert "bring" in unknown.err
    until(lambda: run.document["state"] == "SUCCEEDED", "the copy is there")
