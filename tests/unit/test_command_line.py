"""The command line before it speaks to anybody: help, wrong words, wrong names."""

import asyncio
import os
import subprocess
import sys

import pytest

from starter.commands import logs
from starter.exits import StarterError
from starter.log_pages import LogOptions
from starter.reruns import RerunOptions, rerun


def said(*words: str) -> subprocess.CompletedProcess[str]:
    narrow = os.environ | {"COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "starter", *words], capture_output=True, text=True, env=narrow, check=False
    )


@pytest.mark.parametrize("words", [(), ("schedule",)], ids=["all", "schedule"])
def test_a_list_of_commands_says_whole_sentences_at_80_columns(words: tuple[str, ...]) -> None:
    answer = said(*words, "--help")
    commands = answer.stdout.partition("Commands:\n")[2].splitlines()
    assert len(commands) > 5
    assert [line for line in commands if not line.endswith(".") or line.endswith("...")] == []


def test_a_wrong_choice_is_told_in_words_for_people() -> None:
    answer = said("run", "--on-failure", "perhaps")
    assert answer.returncode == 2
    assert "'--on-failure': 'perhaps' is not one of 'wait', 'fail', 'skip'" in answer.stderr


def test_a_copy_has_no_log_of_a_stage() -> None:
    options = LogOptions(run_id="copy/k", stage="any", follow=False, tail=1, as_json=False)
    with pytest.raises(StarterError, match="copy/k is a copy, which has no stages"):
        asyncio.run(logs(options))


def test_a_rerun_under_the_key_of_its_own_run_is_refused() -> None:
    options = RerunOptions("churn/k", None, None, (), fresh=False, key="k", detach=False, as_json=False)
    with pytest.raises(StarterError, match="is that of churn/k itself"):
        asyncio.run(rerun(options))
