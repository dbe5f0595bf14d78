"""The words of the command line, as the code declares them: arguments, options, defaults and examples."""

import inspect
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import typer

from starter.cli import app
from starter.words.examples import EXAMPLES

COMMAND = "python -m starter "


def words() -> Iterator[str]:
    """Yield a section for each command, and for each below one."""
    yield "## Commands"
    yield f"Each begins with `.venv/bin/{COMMAND.strip()}`. Exit codes: [the README](../README.md#working-with-runs)."
    yield from _of(typer.main.get_command(app), "")


def _of(group: Any, before: str) -> Iterator[str]:
    for name, command in group.commands.items():
        called = f"{before}{name}"
        if hasattr(command, "commands"):
            yield from _of(command, f"{called} ")
        elif not command.hidden:
            yield f"### starter {called}"
            yield from _told(inspect.cleandoc(command.help or ""))
            yield _shown(called)
            rows = [_row(part) for part in command.params if part.name != "help"]
            if rows:
                yield "\n".join(["| takes | default | meaning |", "|---|---|---|", *rows])


def _told(text: str) -> Iterator[str]:
    """Yield the prose of a command, a paragraph each."""
    for paragraph in text.split("\n\n"):
        yield " ".join(paragraph.split()).replace("|", "\\|")


def _shown(word: str) -> str:
    return "```sh\n" + "\n".join(COMMAND + example for example in EXAMPLES[word]) + "\n```"


def _row(part: Any) -> str:
    option = part.param_type_name == "option"
    named = ", ".join(f"`{name}`" for name in part.opts) if option else ""
    values = "" if option and part.is_flag else _values(part)
    takes = " ".join(word for word in (named, values) if word)
    meaning = " ".join((part.help or "").split()).replace("|", "\\|")
    return f"| {takes} | {_default(part)} | {meaning} |"


def _values(part: Any) -> str:
    """Return what it takes: the words there are, what the command line calls it, or its type."""
    declared = part.type_descriptor.annotation
    if get_origin(declared) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(declared))
    if isinstance(declared, type) and issubclass(declared, Enum):
        return ", ".join(f"`{word.value}`" for word in declared)
    return f"`{part.metavar or {int: 'NUMBER'}.get(declared, 'TEXT')}`"


def _default(part: Any) -> str:
    if part.required:
        return "needed"
    value = getattr(part.default, "value", part.default)
    return "" if value in (None, False, (), [], "") else f"`{value}`"
