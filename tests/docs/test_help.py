"""The help of every word: it has examples that are sound, fits 80 columns, and `--json` is there."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from starter import cli
from starter.words.examples import EXAMPLES, PROGRAM, epilog_of

NO_DOCUMENT = {"completion"}
"""Words whose output is for a shell alone."""


def words(group: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    group = group or typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from words(command, f"{before}{name} ")
        elif not command.hidden:
            yield before + name, command


WORDS = dict(words())
each_word = pytest.mark.parametrize("word", WORDS)


def help_of(word: str) -> str:
    command = WORDS[word]
    context = command.make_context(f"{PROGRAM} {word}", [], resilient_parsing=True)
    return str(command.get_help(context))


@each_word
def test_a_word_has_examples_that_are_taken(word: str) -> None:
    assert EXAMPLES[word]
    for example in EXAMPLES[word]:
        given = shlex.split(re.split(" [>|] ", example)[0])
        assert given[: len(word.split())] == word.split()
        # Parses, and refuses what is wrong, without doing anything.
        WORDS[word].make_context(word, given[len(word.split()) :])


def test_examples_are_of_words_that_there_are() -> None:
    assert set(EXAMPLES) == set(WORDS)


@each_word
def test_help_shows_the_examples_as_they_can_be_pasted(word: str) -> None:
    shown = help_of(word)
    assert all(f"  {line}" in shown for line in epilog_of(word).splitlines()[1:])
    pasted = shown.partition("Examples:\n")[2].replace("\\\n", "")
    assert [shlex.split(line, comments=True) for line in pasted.splitlines()] == [
        shlex.split(f"{PROGRAM} {example}", comments=True) for example in EXAMPLES[word]
    ]


@each_word
def test_help_fits_80_columns(word: str) -> None:
    assert [line for line in help_of(word).splitlines() if len(line) > 80] == []


@each_word
def test_every_word_but_those_for_a_shell_prints_json_when_asked(word: str) -> None:
    options = {option for parameter in WORDS[word].params for option in parameter.opts}
    assert ("--json" in options) != (word in NO_DOCUMENT)
