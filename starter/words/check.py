"""The word that has connections look at themselves."""

from typing import Annotated

import typer

from starter.words.arguments import JsonOption, ParamOption
from starter.words.ending import end


def check(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="CONNECTION|PIPELINE",
            help="Such as aws or azure/eu; or a pipeline, for exactly what it needs. Without it, each cloud's default.",
        ),
    ] = None,
    param: ParamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look whether each connection is ready: reach, rights, data.

    Its own worker looks at what it reaches, what it may do, and how its data are kept.

    Every finding says why it matters and which command mends it. Nothing is changed; a probe object is written and
    removed. Exit code 1 says that something failed, 3 that a worker or an endpoint cannot be reached; warnings are 0.
    """
    from starter import checks

    end(lambda: checks.check(what, tuple(param or ()), as_json=as_json))
