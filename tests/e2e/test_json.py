"""With `--json` every word of the real command line prints one JSON document and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from starter import cli
from tests.e2e.runs import Run
from tests.house import Sandbox, until
from tests.pipelines import write

LINES = {"logs"}
"""Prints a document a line."""
NO_DOCUMENT = {"completion"}
ELSEWHERE = {"init", "plan", "costs"}
"""Tests of their own read their documents; `init` writes where it is called."""
OFFLINE = {"validate", "graph", "schema", "permissions"}
OF_A_RUN = {"run", "status", "watch", "pause", "resume", "graph", "approve", "retry", "skip", "abort"}
OF_A_RUN |= {"report", "logs", "list"}
OF_OTHERS = {"rerun", "cancel", "check", "sweep", "copy", "limit"}
OF_SCHEDULES = {
    f"schedule {word}" for word in ("create", "pause", "resume", "trigger", "backfill", "list", "delete")
}
GATE = {"kind": "approve", "question": "Shall it?"}
COPY = {"kind": "copy", "on": "onprem", "source": "file:///nowhere/data.csv"}
JOB = {"kind": "process", "on": "onprem", "code": "src", "command": "python job.py"}
STAGES = {"job": JOB, "ask": GATE, "one": COPY, "two": COPY, "three": COPY}
FILE_BYTES = 4_000_000


def words(group: Any, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from words(command, f"{before}{name} ")
        elif not command.hidden:
            yield before + name


class Talk:
    """Says words to the starter, and keeps what it was answered."""

    def __init__(self, house: Sandbox) -> None:
        self.house = house
        self.heard: dict[str, Any] = {}

    def say(self, word: str, *arguments: str, code: int = 0) -> Any:
        answer = self.house.starter(*word.split(), *arguments, "--json")
        assert answer.code == code, (word, answer.out, answer.err)
        read = answer.out.splitlines() if word in LINES else [answer.out]
        self.heard[word] = [json.loads(text) for text in read]
        assert self.heard[word], word
        return self.heard[word][0]


@pytest.fixture
def talk(house: Sandbox) -> Talk:
    house.sandbox("up", "--workers")
    return Talk(house)


def file_of(folder: Path) -> str:
    return str(write(folder, {"pipeline": "documents", "stages": STAGES}, {"src/job.py": "print('done')\n"}))


def test_every_word_is_said_here() -> None:
    everything = set(words(typer.main.get_command(cli.app)))
    assert OFFLINE | OF_A_RUN | OF_OTHERS | OF_SCHEDULES | NO_DOCUMENT | ELSEWHERE == everything


def test_words_about_a_run_print_one_document(talk: Talk, tmp_path: Path) -> None:
    run = talk.say("run", file_of(tmp_path), "--key", tmp_path.name, "--detach")["run_id"]
    until(lambda: "three" in (talk.say("status", run)["waiting_for"] or ""), "the copies wait")
    of_a_run(talk, run)
    assert set(talk.heard) == OF_A_RUN


def test_words_about_what_is_left_and_about_copies_print_one_document(talk: Talk, tmp_path: Path) -> None:
    gate = write(tmp_path, {"pipeline": "documents", "stages": {"ask": GATE}})
    run = Run.start(talk.house, gate)
    run.reach("WAITING")
    of_others(talk, run.id)
    of_copies(talk)
    assert set(talk.heard) == OF_OTHERS


def test_words_about_schedules_print_one_document(talk: Talk, tmp_path: Path) -> None:
    of_schedules(talk, file_of(tmp_path))
    assert set(talk.heard) == OF_SCHEDULES


def test_words_that_need_no_temporal_print_one_document(house: Sandbox, tmp_path: Path) -> None:
    talk = Talk(house)
    of_files(talk, file_of(tmp_path))
    assert set(talk.heard) == OFFLINE


def of_files(talk: Talk, file: str) -> None:
    assert talk.say("validate", file)["valid"]
    assert talk.say("graph", file)["lanes"] == ["onprem", "no cloud"]
    assert talk.say("schema")["title"] == "PipelineSpec"
    rights = ("quickstart", "--cloud", "aws", "--connections", "docs/env/connections.yaml.example")
    assert "aws/default" in talk.say("permissions", *rights)


def of_a_run(talk: Talk, run: str) -> None:
    assert talk.say("watch", run, code=4)["state"] == "WAITING"
    assert talk.say("pause", run, "--until", "2h")["until"]
    assert talk.say("resume", run)["run_id"] == run
    assert {edge["target"] for edge in talk.say("graph", "--run", run)["edges"]} == {"one", "two", "three"}
    assert talk.say("approve", run, "ask", "--answer", "yes")["answer"] == "yes"
    assert talk.say("retry", run, "one")["decision"] == "retry"
    assert talk.say("skip", run, "two")["message"]
    assert talk.say("abort", run, "three")["stage"] == "three"
    until(lambda: talk.say("report", run)["state"] == "FAILED", "the run is given up")
    assert talk.say("logs", run, "job")["line"] == "done"
    assert run in [found["run_id"] for found in talk.say("list")["runs"]]


def of_others(talk: Talk, run: str) -> None:
    again = talk.say("rerun", run, "--from", "ask", "--detach")["run_id"]
    assert talk.say("cancel", again)["run_id"] == again
    talk.house.starter("cancel", run, check=True)
    assert talk.say("check", "onprem")
    assert "orphans" in talk.say("sweep", "--run", run, "--on", "onprem")


def of_copies(talk: Talk) -> None:
    folder = talk.house.root / "onprem" / "documents"
    folder.mkdir(exist_ok=True)
    (folder / "big.bin").write_bytes(bytes(FILE_BYTES))
    slow = ("--limit-rate", "100kB/s", "--if-exists", "overwrite", "--detach")
    copy = talk.say("copy", "file:///documents/big.bin", "s3://causeway/documents/big.bin", *slow)["run_id"]
    told = until(lambda: talk.house.starter("status", copy, "--json").code == 0, "the copy answers")
    assert told
    assert talk.say("limit", copy, "--limit-rate", "200kB/s")["bytes_per_second"] == 200_000
    talk.house.starter("cancel", copy, check=True)


def of_schedules(talk: Talk, file: str) -> None:
    name = talk.say("schedule create", file, "--cron", "0 0 1 1 *")["schedule"]
    assert name == "documents/scheduled"
    assert talk.say("schedule pause", name)["schedule"] == name
    assert talk.say("schedule resume", name)["message"]
    assert talk.say("schedule trigger", name)["schedule"] == name
    span = ("--from", "2026-11-01", "--to", "2026-11-02")
    assert talk.say("schedule backfill", name, *span)["begin"].startswith("2026-11-01T00:00:00")
    assert name in [row["schedule"] for row in talk.say("schedule list")["schedules"]]
    assert talk.say("schedule delete", name)["schedule"] == name
    runs = talk.house.starter("list", "--pipeline", "documents", "--json", check=True).document["runs"]
    for run in (found["run_id"] for found in runs if found["ended_at"] is None):
        talk.house.starter("cancel", run, check=True)
