"""Words that start something: a run or a copy. What they do is imported only when it is needed."""

from enum import StrEnum
from typing import Annotated

import typer

from starter.words.arguments import (
    JsonOption,
    ParamOption,
    PipelineArgument,
    RateOption,
    RunArgument,
    StreamsOption,
)
from starter.words.ending import end, end_plain


class OnFailure(StrEnum):
    """What happens when a stage is out of retries."""

    wait = "wait"
    fail = "fail"
    skip = "skip"


class IfExists(StrEnum):
    """What happens when other content lies at a target."""

    skip = "skip"
    overwrite = "overwrite"
    fail = "fail"


OnFailureOption = Annotated[
    OnFailure | None,
    typer.Option(help="When a stage is out of retries: wait for a person, fail, or skip it."),
]


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the pipeline, and of its folder here.")],
    as_json: JsonOption = False,
) -> None:
    """Write a first pipeline of your own.

    It is a commented file, two scripts, their data and a test.
    """
    from starter import first_steps

    end_plain(lambda: first_steps.init(name, as_json=as_json))


def run(
    pipeline: PipelineArgument = None,
    key: Annotated[
        str | None,
        typer.Option(help="Identity of the run; the same key attaches, another spec under it is refused."),
    ] = None,
    param: ParamOption = None,
    on_failure: OnFailureOption = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start it and return; come back with `watch RUN`.")
    ] = False,
    create: Annotated[bool, typer.Option("--create", help="Create containers that are missing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a pipeline and watch it to its end.

    Without PIPELINE it is the quickstart. With no Temporal address configured, the local clouds and their
    workers are brought up first.
    """
    from starter import commands

    options = commands.RunOptions(
        pipeline, key, tuple(param or ()), on_failure and on_failure.value, detach, create, as_json
    )
    end(lambda: commands.run(options))


def rerun(
    run_id: RunArgument,
    stage: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="STAGE", help="Do this stage again, and whatever needs it, changed or not."
        ),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            "--pipeline", metavar="PIPELINE", help="As this file has it now; without it, as the run had it."
        ),
    ] = None,
    param: ParamOption = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Copy sources again: they may hold something else by now.")
    ] = False,
    key: Annotated[str | None, typer.Option(help="Identity of the new run.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and return.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a pipeline again, and do only what has changed.

    A stage whose code, inputs and params are what they were takes over what the other run left; the rest is done, and
    what depends on it.
    """
    from starter import reruns

    options = reruns.RerunOptions(run_id, stage, pipeline, tuple(param or ()), fresh, key, detach, as_json)
    end(lambda: reruns.rerun(options))


def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", help="An object, or a folder that ends in /.")],
    target: Annotated[str, typer.Argument(metavar="DST", help="An object, or a folder that ends in /.")],
    include: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Of a folder only what matches; may be repeated.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Of a folder not what matches; may be repeated.")
    ] = None,
    if_exists: Annotated[
        IfExists, typer.Option(help="What to do about other content at the target; the same is always kept.")
    ] = IfExists.skip,
    limit_rate: RateOption = None,
    streams: StreamsOption = 8,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Stop before more is sent: 10GiB.")
    ] = None,
    max_cost: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Stop before egress costs more.")
    ] = None,
    max_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop after so long, without pauses: 2h.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Through a worker even where the store could read by itself.")
    ] = False,
    push: Annotated[
        bool, typer.Option("--push", help="SRC's own worker writes: nobody reaches its store from outside.")
    ] = False,
    source_on: Annotated[
        str | None, typer.Option("--from", metavar="CONNECTION", help="Such as aws/eu.")
    ] = None,
    target_on: Annotated[
        str | None, typer.Option("--to", metavar="CONNECTION", help="Such as azure/eu.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Identity of the copy; the same key attaches, or goes on after a failure."),
    ] = None,
    create: Annotated[bool, typer.Option("--create", help="Create the target's container.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List and count; move nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and return.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy between any two of s3:// az:// gs:// file:///, durably.

    It survives crashes, resumes inside an object and proves every byte. Ctrl-C leaves it running. With no Temporal
    address configured, the local clouds are brought up first.
    """
    from starter import commands
    from starter.copies import CopyOptions

    options = CopyOptions(
        source=source,
        target=target,
        source_on=source_on,
        target_on=target_on,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        if_exists=if_exists.value,
        limit_rate=limit_rate,
        streams=streams,
        max_size=max_size,
        max_cost=max_cost,
        max_duration=max_duration,
        server_side=not stream,
        push=push,
        key=key,
        create=create,
        dry_run=dry_run,
        detach=detach,
        as_json=as_json,
    )
    end(lambda: commands.copy(options))
