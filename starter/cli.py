"""The command line: what there is to say. What it does lies in `starter.commands`, imported only when it is needed."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer

from starter.exits import Exit, StarterError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=(
        "Durable AI pipelines across AWS, Azure, Google Cloud and on-prem. `run` alone brings the local clouds up and "
        "runs the quickstart. Exit codes: 0 succeeded, 1 failed or cancelled, 2 wrong usage or spec, 3 unreachable, "
        "4 waits for a person, 130 interrupted."
    ),
)


class OnFailure(StrEnum):
    """What happens when a stage is out of retries."""

    wait = "wait"
    fail = "fail"


class IfExists(StrEnum):
    """What happens when other content lies at a target."""

    skip = "skip"
    overwrite = "overwrite"
    fail = "fail"


RateOption = Annotated[
    str | None,
    typer.Option(metavar="RATE", help="Bytes per second at most: 50MB/s. Without it there is no limit."),
]
StreamsOption = Annotated[int, typer.Option(min=1, max=64, help="Parts or small objects in flight at once.")]
PipelineArgument = Annotated[
    str | None, typer.Argument(metavar="PIPELINE", help="A file, a folder, or a name under pipelines/.")
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="pipeline/key, as `list` shows it.")]
StageArgument = Annotated[str, typer.Argument(metavar="STAGE", help="The stage's name in the pipeline.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")
]
ParamOption = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Change a param; may be repeated.")
]
OnFailureOption = Annotated[
    OnFailure | None, typer.Option(help="When a stage is out of retries: wait for a person, or fail.")
]
ReasonOption = Annotated[str, typer.Option(help="Shown in the Web UI and kept in history.")]


@app.command()
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
    _end(lambda: commands.run(options))


@app.command()
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

    python -m starter copy s3://bucket/data/ az://container/data/ --include "*.csv"
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
    _end(lambda: commands.copy(options))


@app.command()
def limit(run_id: RunArgument, limit_rate: RateOption = None, streams: StreamsOption = 8) -> None:
    """Change how much a running copy may take at once."""
    from starter import commands

    _end(lambda: commands.limit(run_id, limit_rate, streams))


@app.command()
def validate(
    pipeline: PipelineArgument = None, param: ParamOption = None, as_json: JsonOption = False
) -> None:
    """Check a pipeline; every mistake with its line."""
    from starter import offline

    _end_plain(lambda: offline.validate(pipeline, tuple(param or ()), as_json=as_json))


@app.command()
def schema() -> None:
    """Print the JSON Schema of pipeline files, for editors."""
    from starter import offline

    _end_plain(offline.schema)


@app.command()
def status(run_id: RunArgument, as_json: JsonOption = False) -> None:
    """Show how a run stands now."""
    from starter import commands

    _end(lambda: commands.status(run_id, as_json=as_json))


@app.command()
def watch(run_id: RunArgument) -> None:
    """Watch a run to its end.

    A live table at a terminal, where it also asks when the run waits for a decision; plain lines in a pipe, where it
    then ends with exit code 4.
    """
    from starter import commands

    _end(lambda: commands.watch(run_id))


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many, newest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first. Needs no worker."""
    from starter import commands

    _end(lambda: commands.list_runs(limit, as_json=as_json))


@app.command()
def pause(
    run_id: RunArgument,
    reason: ReasonOption = "",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="ISO time with a zone; the run resumes by itself then.")
    ] = "",
) -> None:
    """Start nothing new in a run; what is in flight lands."""
    from starter import commands

    _end(lambda: commands.pause(run_id, reason, until))


@app.command()
def resume(run_id: RunArgument) -> None:
    """Let a paused run go on."""
    from starter import commands

    _end(lambda: commands.resume(run_id))


@app.command()
def cancel(run_id: RunArgument) -> None:
    """Cancel a run.

    Its jobs are stopped and its unfinished uploads given up.
    """
    from starter import commands

    _end(lambda: commands.cancel(run_id))


@app.command()
def retry(run_id: RunArgument, stage: StageArgument, reason: ReasonOption = "") -> None:
    """Try a waiting stage again."""
    from starter import commands

    _end(lambda: commands.decide("retry", run_id, stage, reason))


@app.command()
def skip(run_id: RunArgument, stage: StageArgument, reason: ReasonOption = "") -> None:
    """Go on without a waiting stage whose outputs nothing uses."""
    from starter import commands

    _end(lambda: commands.decide("skip", run_id, stage, reason))


@app.command()
def abort(run_id: RunArgument, stage: StageArgument, reason: ReasonOption = "") -> None:
    """Give a run up because of a waiting stage."""
    from starter import commands

    _end(lambda: commands.decide("abort", run_id, stage, reason))


@app.command()
def report(run_id: RunArgument, as_json: JsonOption = False) -> None:
    """Show what a run came to.

    Where each stage ran, how long it took, what was moved and how it was verified, metrics, errors. `status` is the
    short form.
    """
    from starter import commands

    _end(lambda: commands.report(run_id, as_json=as_json))


@app.command()
def logs(
    run_id: RunArgument,
    stage: StageArgument,
    tail: Annotated[int, typer.Option(min=1, max=10_000, help="The last so many lines.")] = 100,
) -> None:
    """Print the log of a stage's job, read by that cloud's worker."""
    from starter import commands

    _end(lambda: commands.logs(run_id, stage, tail))


def main() -> NoReturn:
    """Run the command line; every expected error is a clear line and an exit code."""
    try:
        code = app(standalone_mode=False)
    except typer.Exit as end:
        code = end.exit_code
    except typer.Abort:
        code = Exit.INTERRUPTED
    except Exception as error:
        code = _usage(error)
    sys.stdout.flush()
    sys.exit(code or 0)


def _usage(error: Exception) -> int:
    """Typer's own errors know how to print themselves; anything else is a bug and shows as one."""
    show = getattr(error, "show", None)
    if show is None:
        raise error
    show()
    return int(getattr(error, "exit_code", Exit.USAGE))


def _end(command: Callable[[], Coroutine[Any, Any, Exit]]) -> NoReturn:
    from starter.leave import leave

    def whole() -> Exit:
        return asyncio.run(command())

    leave(_outcome(whole))


def _end_plain(command: Callable[[], Exit]) -> NoReturn:
    raise typer.Exit(_outcome(command))


def _outcome(command: Callable[[], Exit]) -> Exit:
    try:
        return command()
    except StarterError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.SUCCEEDED
