"""Arguments and options that several words of the command line take."""

from typing import Annotated

import typer

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
AlwaysJsonOption = Annotated[bool, typer.Option("--json", help="Changes nothing: it is JSON anyway.")]
JsonLinesOption = Annotated[
    bool, typer.Option("--json", help="Print each line as a JSON object: line, stage, generation, job.")
]
ParamOption = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Change a param; may be repeated.")
]
ReasonOption = Annotated[str, typer.Option(help="Shown in the Web UI and kept in history.")]
