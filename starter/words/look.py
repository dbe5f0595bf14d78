"""Words that look and change nothing."""

from typing import Annotated, Literal

import typer

from starter.words.arguments import (
    AlwaysJsonOption,
    JsonLinesOption,
    JsonOption,
    ParamOption,
    PipelineArgument,
    RunArgument,
    StageArgument,
)
from starter.words.ending import end, end_plain


def validate(
    pipeline: PipelineArgument = None,
    param: ParamOption = None,
    policy: Annotated[
        str | None, typer.Option(metavar="FILE", help="The policy of the workers that will run it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a pipeline; every mistake with its line."""
    from starter import offline

    end_plain(lambda: offline.validate(pipeline, tuple(param or ()), policy, as_json=as_json))


def permissions(
    cloud: Annotated[str, typer.Option(metavar="CLOUD", help="aws, azure or gcp.", case_sensitive=True)],
    pipeline: PipelineArgument = None,
    param: ParamOption = None,
    connections: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="connections.yaml; without it the environment of a worker is read."
        ),
    ] = None,
    create: Annotated[bool, typer.Option("--create", help="With what `run --create` needs.")] = False,
    as_json: AlwaysJsonOption = False,
) -> None:
    """Print the smallest rights that workers need for a pipeline.

    They are written as the cloud takes them. Nothing is asked of any cloud: it is worked out from the pipeline, its code
    and the worker's settings.
    """
    from starter.permissions import permissions as print_permissions

    chosen = cloud_of(cloud)
    end_plain(lambda: print_permissions(pipeline, tuple(param or ()), chosen, connections, create=create))


def cloud_of(text: str) -> str:
    """Return the cloud; another word is a mistake of usage."""
    if text not in {"aws", "azure", "gcp"}:
        raise typer.BadParameter(f"{text!r} is none of aws, azure, gcp", param_hint="--cloud")
    return text


def schema(as_json: AlwaysJsonOption = False) -> None:
    """Print the JSON Schema of pipeline files, for editors."""
    from starter import offline

    end_plain(offline.schema)


def status(run_id: RunArgument, as_json: JsonOption = False) -> None:
    """Show how a run stands now."""
    from starter import commands

    end(lambda: commands.status(run_id, as_json=as_json))


def watch(run_id: RunArgument, as_json: JsonOption = False) -> None:
    """Watch a run to its end.

    A live view at a terminal, with keys that pause, resume, answer, retry, skip, abort and leave; plain lines in a
    pipe, where it ends with exit code 4 when the run waits for a person. With `--json` nothing
    is printed before the end.
    """
    from starter import commands

    end(lambda: commands.watch(run_id, as_json=as_json))


def graph(
    pipeline: PipelineArgument = None,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Instead of a pipeline: a run as it stands.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="FILE.svg, FILE.png or FILE.mmd; without it Mermaid is printed.",
        ),
    ] = None,
    param: ParamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a pipeline or a run.

    Clouds are lanes, transfers labelled arrows.

    Of a run it shows how each stage stands and what was moved. Markdown pages of many kinds show Mermaid as a drawing.
    """
    from starter import papers

    if run_id is None:
        end_plain(lambda: papers.graph(pipeline, tuple(param or ()), out, as_json=as_json))
    if pipeline is not None or param:
        raise typer.BadParameter("name a pipeline or a run, not both", param_hint="--run")
    end(lambda: papers.graph_of_run(run_id, out, as_json=as_json))


def report(
    run_id: RunArgument,
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write it as one page that needs nothing else, to forward or print.",
        ),
    ] = None,
    form: Annotated[
        Literal["text", "md", "json"], typer.Option("--format", help="What is printed.")
    ] = "text",
    as_json: JsonOption = False,
) -> None:
    """Show what a run came to.

    Where each stage ran, how long it took, what was moved and how it was verified, metrics, errors. `status` is the
    short form.
    """
    from starter import papers

    options = papers.ReportOptions(run_id, "json" if as_json else form, html)
    end(lambda: papers.report(options))


def logs(
    run_id: RunArgument,
    stage: StageArgument,
    tail: Annotated[int, typer.Option(min=1, max=10_000, help="The last so many lines.")] = 100,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", help="Go on with new lines until the job ends, or the endpoint is removed."
        ),
    ] = False,
    generation: Annotated[
        int | None, typer.Option(min=1, help="Of this generation of the stage; without it, the last.")
    ] = None,
    item: Annotated[
        int | None, typer.Option(min=0, help="Of a stage with foreach: the number of the item, from 0.")
    ] = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Print the log of a stage's job, or of its server.

    The worker of its cloud reads it; a deploy stage has a server.

    `--follow` waits for one that is not there yet, prints what it prints, goes on with the next generation if there
    is one, and ends when the stage has no more to say. Ctrl-C ends it at any time; the job goes on.
    """
    from starter import commands
    from starter.log_pages import LogOptions

    options = LogOptions(run_id, stage, tail, follow, generation, as_json, item)
    end(lambda: commands.logs(options))
