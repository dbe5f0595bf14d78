"""A person beside a run: watches it at a terminal, steers it with keys, and comes and goes."""

import os
import re
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.runs import Run
from tests.house import Sandbox, until
from tests.person import Person, person
from tests.pipelines import SLEEPER, sleeper, write


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


@contextmanager
def at_a_terminal(house: Sandbox, *words: str, columns: int = 80, rows: int = 24) -> Iterator[Person]:
    with person("-m", "starter", *words, variables=house.variables, columns=columns, rows=rows) as held:
        yield held


def stages_of_three(seconds: float = 6) -> dict[str, object]:
    return {
        "nap": {
            "kind": "train",
            "on": "onprem",
            "code": "src",
            "command": f"python sleep.py --seconds {seconds} --out {{outputs.result}}",
            "outputs": ["result"],
        },
        "gate": {
            "kind": "approve",
            "question": "Where shall it go?",
            "choices": ["eu", "us"],
        },
        "bad": {
            "kind": "process",
            "on": "onprem",
            "code": "src",
            "command": "python fail.py",
            "when": 'gate.answer == "us"',
            "retries": 0,
        },
    }


FILES = {
    "src/sleep.py": SLEEPER,
    "src/fail.py": "import sys; print('no column named age', file=sys.stderr); sys.exit(3)",
}


def assert_fits(held: Person) -> None:
    """No frame is wider or higher than the terminal, so that none was wrapped or scrolled."""
    assert held.frames
    assert max(len(lines) for lines in held.frames) <= held.rows
    assert max(len(line) for lines in held.frames for line in lines) <= held.columns


def test_a_run_is_paused_resumed_answered_and_skipped_with_keys(house: Sandbox, tmp_path: Path) -> None:
    file = write(tmp_path, {"pipeline": "steered", "stages": stages_of_three()}, FILES)
    run = Run(house, f"steered/{uuid.uuid4().hex[:12]}")
    with at_a_terminal(house, "run", str(file), "--key", run.id.partition("/")[2]) as held:
        held.until("job running")
        held.press("l")
        held.until("log of nap")
        held.until("tick")
        held.press("p")
        held.until("pause; why?")
        held.press("price peak\r")
        held.until("price peak")
        held.until("paused by")
        held.press("p")
        held.until("it goes on")
        held.until("gate asks: Where shall it go?")
        held.press("a")
        held.until("gate takes one of eu, us")
        held.press("mars\r")
        held.until("write one of eu, us")
        held.press("aus\r")
        held.until("bad: JOB_FAILED")
        held.until("no column named age")
        held.press("s")
        held.until("skip bad? (yes, or Esc)")
        held.press("\x1b")
        held.press("r")
        until(lambda: _failed_twice(run), "bad has failed again")
        held.look(3)
        held.press("syes\r")
        held.until("Web UI")
        assert held.ends() == 0
        assert "answered us by" in held.left
        assert re.search(r"bad +process +onprem +SKIPPED", held.left)
        held.assert_given_back()
        assert_fits(held)


def test_an_answer_from_elsewhere_ends_the_question_that_is_being_answered(
    house: Sandbox, tmp_path: Path
) -> None:
    file = write(tmp_path, {"pipeline": "elsewhere", "stages": stages_of_three(0)}, FILES)
    run = Run.start(house, file)
    with at_a_terminal(house, "watch", run.id) as held:
        held.until("gate asks")
        held.press("ae")
        held.until("eu, us: e")
        house.starter("approve", run.id, "gate", "--answer", "us", "--by", "ann", check=True)
        held.until("gate waits no longer")
        held.until("bad: JOB_FAILED")
        held.press("xyes\r")
        held.until("Web UI")
        assert held.ends() == 1
        held.assert_given_back()


def test_a_person_leaves_and_the_run_goes_on(house: Sandbox, tmp_path: Path) -> None:
    run = Run.start(house, sleeper(tmp_path, "onprem", 60))
    back = f"return with: python -m starter watch {run.id}"
    for keys, code in (("\x03", 130), ("q", 130), (signal.SIGTERM, -signal.SIGTERM)):
        with at_a_terminal(house, "watch", run.id, columns=50, rows=12) as held:
            held.until("job running")
            if isinstance(keys, str):
                held.press(keys)
            else:
                held.process.send_signal(keys)
            assert held.ends() == code
            assert back in held.left.replace("\r\n", "")
            held.assert_given_back()
            assert_fits(held)
    assert run.document["state"] == "RUNNING"
    house.starter("cancel", run.id, check=True)
    run.reach("CANCELLED")


def test_a_transfer_shows_its_bytes_and_what_it_cost(house: Sandbox, tmp_path: Path) -> None:
    (house.root / "onprem" / "desk").mkdir(exist_ok=True)
    (house.root / "onprem" / "desk" / "big.bin").write_bytes(os.urandom(36_000_000))
    stages = {
        "up": {"kind": "copy", "on": "aws", "source": "file:///desk/big.bin"},
        "over": {"kind": "copy", "on": "gcp", "inputs": {"it": "up"}, "limit_rate": "6MB/s"},
    }
    file = write(tmp_path, {"pipeline": "moved", "stages": stages})
    with at_a_terminal(house, "run", str(file), "--key", uuid.uuid4().hex[:12], columns=120) as held:
        held.until("MB of 36.0 MB")
        held.until("Web UI")
        assert held.ends() == 0
        assert any("egress 0." in line and "USD" in line for lines in held.frames for line in lines)
        held.assert_given_back()
        assert_fits(held)


def test_in_a_pipe_it_is_lines_and_no_screen(house: Sandbox, tmp_path: Path) -> None:
    run = Run.start(house, write(tmp_path, {"pipeline": "piped", "stages": stages_of_three(0)}, FILES))
    told = house.starter("watch", run.id)
    assert told.code == 4
    assert "\x1b" not in told.out
    lines = told.out.splitlines()
    assert any(line.startswith("gate WAITING") for line in lines)
    house.starter("approve", run.id, "gate", "--answer", "eu", check=True)
    run.reach("SUCCEEDED")


def test_an_answer_that_is_none_is_refused_and_one_given_while_leaving_is_not_lost(
    house: Sandbox, tmp_path: Path
) -> None:
    gate = {
        "kind": "approve",
        "question": "How many?",
        "show": {"so far": "{params.so_far}"},
        "answer": "number",
    }
    file = write(tmp_path, {"pipeline": "counting", "params": {"so_far": 3}, "stages": {"gate": gate}})
    run = Run(house, f"counting/{uuid.uuid4().hex[:12]}")
    with at_a_terminal(house, "run", str(file), "--key", run.id.partition("/")[2]) as held:
        held.until("How many?")
        held.until("so far")
        held.press("amany\r")
        held.until("write a number")
        held.press("a7\rq")
        assert held.ends() == 130
        assert "answered 7 by" in held.left
        held.assert_given_back()
    run.reach("SUCCEEDED")


def _failed_twice(run: Run) -> bool:
    bad = run.stage("bad")
    return bad["state"] == "WAITING" and bad["attempts"] == 2
