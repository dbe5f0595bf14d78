"""What may come next on the command line: words, options, and what Temporal knows of runs and stages."""

import shlex
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contracts.queues import Cloud
from starter.exits import Exit
from starter.local import CHECKOUT


@dataclass(frozen=True)
class Candidate:
    """Something that may be written."""

    word: str
    told: str = ""
    """What it is, for shells that show it."""


FILES = Candidate(":file")
"""Has the shell offer files as well."""
_FIXED = {
    "CLOUD": tuple(cloud.value for cloud in Cloud),
    "CONNECTION": tuple(cloud.value for cloud in Cloud),
    "SRC": ("s3://", "az://", "gs://", "file:///"),
    "DST": ("s3://", "az://", "gs://", "file:///"),
}


def split(line: str) -> list[str]:
    """Split what is written into words, the program left out; the last one is being written, and may be empty."""
    for end in ("", '"', "'"):
        try:
            words = shlex.split(line + end)
        except ValueError:
            continue
        return [*words[1:], ""] if not end and line[-1:].isspace() else words[1:] or [""]
    return [""]


async def complete(command: Any, words: list[str]) -> Exit:
    """Print each candidate, a tab and what it is."""
    *given, begun = words
    async for candidate in _candidates(command, given, begun):
        sys.stdout.write(f"{candidate.word}\t{candidate.told}".rstrip("\t") + "\n")
    return Exit.SUCCEEDED


async def _candidates(command: Any, given: list[str], begun: str) -> AsyncIterator[Candidate]:
    name, rest = "", list(given)
    while rest and hasattr(command, "commands"):
        name, command = f"{name} {rest[0]}".strip(), command.commands.get(rest.pop(0))
    if command is None:
        return
    if hasattr(command, "commands"):
        found: Iterable[Candidate] = (
            Candidate(word, held.get_short_help_str())
            for word, held in command.commands.items()
            if not held.hidden
        )
    else:
        found = await _of_word(command, name, rest, begun)
    for candidate in found:
        if candidate == FILES or candidate.word.startswith(begun):
            yield candidate


async def _of_word(command: Any, name: str, given: list[str], begun: str) -> list[Candidate]:
    options = {text: held for held in command.params for text in held.opts if text.startswith("-")}
    option, equals, value = begun.partition("=")
    if equals and option in options:
        found = await _values(options[option], command, name, given, value)
        return [replace(held, word=f"{option}={held.word}") for held in found if held != FILES]
    before = options.get(given[-1]) if given else None
    if before is not None and not before.is_flag:
        return await _values(before, command, name, given[:-1], begun)
    argument = None if begun.startswith("-") else _next_argument(command, given)
    if argument is not None:
        return await _values(argument, command, name, given, begun)
    again = {text for text, held in options.items() if text in given and not held.multiple}
    return [Candidate(text, held.help or "") for text, held in options.items() if text not in again]


def _next_argument(command: Any, given: list[str]) -> Any:
    """The first argument that has no value yet."""
    taken = _parsed(command, given)
    arguments = (held for held in command.params if held.param_type_name == "argument")
    return next((held for held in arguments if not taken.get(held.name)), None)


def _parsed(command: Any, given: list[str]) -> dict[str, Any]:
    params: dict[str, Any] = command.make_context(command.name, list(given), resilient_parsing=True).params
    return params


async def _values(parameter: Any, command: Any, name: str, given: list[str], begun: str) -> list[Candidate]:
    # `[STAGE]` may be left out.
    what = (parameter.metavar or "").strip("[]")
    if what in _FIXED:
        return [Candidate(word) for word in _FIXED[what]]
    if what in {"RUN", "STAGE", "SCHEDULE", "STATE"}:
        # Slow to import, so only where it is needed.
        from starter import known

        run_id = _parsed(command, given).get("run_id") if what == "STAGE" else None
        return await known.candidates(what, name, begun, run_id)
    if what:
        return _of_files(what)
    context = command.make_context(name, list(given), resilient_parsing=True)
    return [Candidate(str(item.value)) for item in parameter.shell_complete(context, begun)]


def _of_files(what: str) -> list[Candidate]:
    clouds = [Candidate(cloud.value) for cloud in Cloud] if "CONNECTION" in what else []
    shipped = sorted(Path(CHECKOUT, "pipelines").glob("*/pipeline.yaml")) if "PIPELINE" in what else []
    files = [FILES] if what == "FILE" or "PIPELINE" in what else []
    return [*clouds, *(Candidate(file.parent.name) for file in shipped), *files]
