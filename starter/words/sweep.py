"""The word that looks for what runs left behind."""

from typing import Annotated

import typer

from starter.words.arguments import JsonOption
from starter.words.ending import end


def sweep(
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Only what this run left: pipeline/key.")
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONNECTION", help="Such as aws/eu; may be repeated. Without it, each cloud's default."
        ),
    ] = None,
    older_than: Annotated[
        str, typer.Option(metavar="TIME", help="What is younger is left alone, whoever owns it.")
    ] = "2h",
    stop: Annotated[bool, typer.Option("--stop", help="Stop and remove what is found.")] = False,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Have Temporal sweep so often from now on, such as 6h; replaces the schedule.",
        ),
    ] = None,
    unschedule: Annotated[bool, typer.Option("--no-schedule", help="End the schedule.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find what runs left behind and no live run owns.

    Such as jobs, uploads and claims.

    It lists; `--stop` ends what it found. Exit code 1 says that something is left, or could not be looked at.
    """
    from starter import sweeps

    options = sweeps.SweepOptions(run_id, tuple(on or ()), older_than, stop, every, unschedule, as_json)
    end(lambda: sweeps.sweep(options))
