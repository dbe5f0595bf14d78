"""The words that shells complete `causeway` by: one prints a script for the shell, the other answers that script."""

from enum import StrEnum
from typing import Annotated

import typer

from starter.words.ending import end, end_plain


class Shell(StrEnum):
    """Shells that there is a script for."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print what makes `causeway` a command of your shell.

    Tab then completes words, options, pipelines, runs and stages; Temporal is asked for a second at most. What is
    printed goes into your shell's own file; `causeway` is then `python -m starter`, from any folder.
    """
    from starter import scripts

    end_plain(lambda: scripts.script(shell.value))


def complete(
    words: Annotated[
        list[str] | None, typer.Argument(help="What was written, with what is being written.")
    ] = None,
    line: Annotated[str | None, typer.Option(help="The same as one line, the program before it.")] = None,
) -> None:
    """Print what may come next, one a line: for the scripts that `completion` prints."""
    from starter import completing
    from starter.cli import app

    given = completing.split(line) if line is not None else list(words or [""])
    end(lambda: completing.complete(typer.main.get_command(app), given))
