"""Words that tell a run something: limits, pauses, decisions, answers."""

from enum import StrEnum
from typing import Annotated

import typer

from starter.words.arguments import (
    JsonOption,
    ParamOption,
    RateOption,
    ReasonOption,
    RunArgument,
    StageArgument,
    StreamsOption,
)
from starter.words.ending import end


class Jobs(StrEnum):
    """What becomes of remote jobs while a run is paused."""

    CONTINUE = "continue"
    STOP = "stop"


def limit(
    run_id: RunArgument,
    limit_rate: RateOption = None,
    streams: StreamsOption = 8,
    as_json: JsonOption = False,
) -> None:
    """Change how much a running copy may take at once."""
    from starter import commands

    end(lambda: commands.limit(run_id, limit_rate, streams, as_json=as_json))


def pause(
    run_id: RunArgument,
    reason: ReasonOption = "",
    until: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="18:00 here, an ISO time, or how long, such as 2h; the run resumes by itself then.",
        ),
    ] = "",
    jobs: Annotated[
        Jobs, typer.Option(help="Whether remote jobs go on, or are stopped and begin again after the resume.")
    ] = Jobs.CONTINUE,
    as_json: JsonOption = False,
) -> None:
    """Start nothing new in a run; what is in flight lands."""
    from starter import commands

    end(lambda: commands.pause(run_id, reason, until, jobs.value, as_json=as_json))


def resume(run_id: RunArgument, as_json: JsonOption = False) -> None:
    """Let a paused run go on."""
    from starter import commands

    end(lambda: commands.resume(run_id, as_json=as_json))


def cancel(run_id: RunArgument, as_json: JsonOption = False) -> None:
    """Cancel a run.

    Its jobs are stopped and its unfinished uploads given up.
    """
    from starter import commands

    end(lambda: commands.cancel(run_id, as_json=as_json))


def retry(
    run_id: RunArgument,
    stage: StageArgument,
    reason: ReasonOption = "",
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Another limit for it, such as 2h.")] = "",
    resources: Annotated[
        str,
        typer.Option(
            metavar="JSON", help='What its machine must have instead: {"cpu": 4, "memory": "32GiB"}.'
        ),
    ] = "",
    param: ParamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a waiting stage again, as it was or changed.

    Changed params hold for everything that starts from now on.
    """
    from starter import decisions

    changes = decisions.Changes(timeout, resources, tuple(param or ()))
    end(lambda: decisions.decide("retry", run_id, stage, reason, changes, as_json=as_json))


def skip(
    run_id: RunArgument,
    stage: StageArgument,
    reason: ReasonOption = "",
    output: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URI", help="What stands for an output that others need; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Go on without a waiting stage.

    Nothing needs its outputs, or something stands for them.
    """
    from starter import decisions

    outputs = tuple(output or ())
    end(lambda: decisions.decide("skip", run_id, stage, reason, output=outputs, as_json=as_json))


def abort(
    run_id: RunArgument, stage: StageArgument, reason: ReasonOption = "", as_json: JsonOption = False
) -> None:
    """Give a run up because of a waiting stage."""
    from starter import decisions

    end(lambda: decisions.decide("abort", run_id, stage, reason, as_json=as_json))


def approve(
    run_id: RunArgument,
    answer: Annotated[str, typer.Option(metavar="ANSWER", help="A choice, a number, a text, true or false.")],
    stage: Annotated[
        str,
        typer.Argument(
            metavar="[STAGE]",
            help="The stage that asks; left out for what the run asks before its first.",
            show_default=False,
        ),
    ] = "",
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who answers; by default your name on this machine.")
    ] = None,
    comment: Annotated[str, typer.Option(help="Kept with the answer.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Answer what a stage asks, or a run before its first stage.

    `status` shows the question, what there is to see, and what is taken for an answer.
    """
    from starter import decisions

    end(lambda: decisions.approve(run_id, stage, answer, by, comment, as_json=as_json))
