"""Placeholders in texts: `{inputs.x} {outputs.x} {params.x} {stage.metrics.name} {stage.answer}`; `{{` and `}}` escape.

In a stage with `foreach` also `{item}`, `{item.field}` and `{index}`.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Literal

from contracts.model import Message

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_REFERENCE = re.compile(
    r"(inputs|outputs|params)\.([A-Za-z_][A-Za-z0-9_]*)|([a-z][a-z0-9_]*)\.metrics\.([A-Za-z0-9_.-]+)"
    r"|(item)(?:\.([A-Za-z_][A-Za-z0-9_]*))?|(index)|([a-z][a-z0-9_]*)\.answer"
)
Role = Literal["inputs", "outputs", "params", "metrics", "answer", "item", "index"]


class Reference(Message):
    """What one placeholder stands for."""

    role: Role
    name: str
    """Empty of `{index}`, of an answer, and of an item as a whole."""
    stage: str | None = None
    """Of a metric or an answer only."""

    @property
    def text(self) -> str:
        """The placeholder as its author wrote it."""
        if not self.name:
            return f"{self.stage}.{self.role}" if self.stage else self.role
        return f"{self.stage}.metrics.{self.name}" if self.stage else f"{self.role}.{self.name}"


Piece = str | Reference


def parse_template(text: str) -> tuple[Piece, ...]:
    """Split a text into literal pieces and references; escapes are resolved.

    Raises:
        ValueError: a lone brace, or braces around something that is no placeholder.
    """
    pieces: list[Piece] = []
    literal, end = "", 0
    for token in _TOKEN.finditer(text):
        literal, end = literal + text[end : token.start()], token.end()
        if token[0] in {"{{", "}}"}:
            literal += token[0][0]
            continue
        if literal:
            pieces.append(literal)
        pieces.append(_reference(token[0]))
        literal = ""
    literal += text[end:]
    return (*pieces, literal) if literal else tuple(pieces)


def split_command(command: str) -> tuple[tuple[Piece, ...], ...]:
    """Split a command as a POSIX shell would, then parse each argument; no shell ever runs.

    Raises:
        ValueError: an open quote, nothing at all, or a wrong placeholder.
    """
    arguments = shlex.split(command)
    if not arguments:
        raise ValueError("the command is empty; write a program and its arguments")
    return tuple(parse_template(argument) for argument in arguments)


def references(pieces: tuple[Piece, ...]) -> Iterator[Reference]:
    """Yield the references among the pieces."""
    return (piece for piece in pieces if isinstance(piece, Reference))


def render(pieces: tuple[Piece, ...], value: Callable[[Reference], str]) -> str:
    """Join the pieces, each reference replaced by its value."""
    return "".join(value(piece) if isinstance(piece, Reference) else piece for piece in pieces)


def _reference(token: str) -> Reference:
    found = _REFERENCE.fullmatch(token[1:-1]) if len(token) > 1 else None
    if not found:
        raise ValueError(
            f"{token!r} is not a placeholder; write {{inputs.x}}, {{outputs.x}}, {{params.x}}, {{stage.metrics.name}}"
            " or {stage.answer}, and {{ or }} for a brace"
        )
    if found[3]:
        return Reference(role="metrics", stage=found[3], name=found[4])
    if found[5]:
        return Reference(role="item", name=found[6] or "")
    if found[7]:
        return Reference(role="index", name="")
    if found[8]:
        return Reference(role="answer", stage=found[8], name="")
    role: Role = "inputs" if found[1] == "inputs" else "outputs" if found[1] == "outputs" else "params"
    return Reference(role=role, name=found[2])
