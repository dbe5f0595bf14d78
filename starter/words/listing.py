"""The word that lists runs."""

from typing import Annotated

import typer

from starter.words.arguments import JsonOption
from starter.words.ending import end


def list_runs(
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="STATE", help="Such as FAILED or WAITING; repeated: any of them."),
    ] = None,
    pipeline: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Of this pipeline; `copy` for copies.")
    ] = None,
    cloud: Annotated[
        list[str] | None,
        typer.Option(metavar="CLOUD", help="aws, azure, gcp or onprem; repeated: all of them."),
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Started since: a day, a time, or how long ago, 2h.")
    ] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Started until then, the day included.")] = "",
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for a person.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    page: Annotated[int, typer.Option(min=1, max=10_000, help="What follows so many times --limit.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """List runs: those that go on, then the ones that ended last. Needs no worker."""
    from starter import lists
    from starter.selection import ListOptions

    options = ListOptions(
        state=tuple(state or ()),
        pipeline=tuple(pipeline or ()),
        cloud=tuple(cloud or ()),
        since=since,
        until=until,
        waiting=waiting,
        limit=limit,
        page=page,
        as_json=as_json,
    )
    end(lambda: lists.list_runs(options))
