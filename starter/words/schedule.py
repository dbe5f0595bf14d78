"""The word that has Temporal start runs by the clock."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from starter.words.arguments import JsonOption, ParamOption, PipelineArgument, ReasonOption
from starter.words.ending import end
from starter.words.examples import epilog_of

ScheduleArgument = Annotated[
    str, typer.Argument(metavar="SCHEDULE", help="pipeline/name, as `schedule list` shows it.")
]


class Overlap(StrEnum):
    """What becomes of a run that is due while another of the schedule goes on."""

    skip = "skip"
    buffer = "buffer"
    cancel = "cancel"
    parallel = "parallel"


def create(
    cron: Annotated[
        str, typer.Option(metavar="CRON", help="Minute, hour, day, month, day of the week: '0 6 * * *'.")
    ],
    pipeline: PipelineArgument = None,
    zone: Annotated[str, typer.Option("--tz", metavar="ZONE", help="Such as Europe/Berlin.")] = "UTC",
    overlap: Annotated[
        Overlap,
        typer.Option(
            help="When a run is due while the last one goes on: skip it, start it after, cancel the old, or both."
        ),
    ] = Overlap.skip,
    name: Annotated[str, typer.Option(help="Tells several schedules of a pipeline apart.")] = "scheduled",
    param: ParamOption = None,
    make_containers: Annotated[
        bool, typer.Option("--create", help="Create containers that are missing.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Instead of the schedule of this name.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start runs of a pipeline by the clock.

    A run's key is the schedule's name and the time it is for, so nothing is ever run twice; `{schedule.time}` in a param
    is that time.
    """
    from starter import schedules

    options = schedules.ScheduleOptions(
        pipeline, cron, zone, overlap.value, name, tuple(param or ()), make_containers, replace, as_json
    )
    end(lambda: schedules.create(options))


def list_all(as_json: JsonOption = False) -> None:
    """Show when each is due next and what it started last."""
    from starter import schedules

    end(lambda: schedules.list_all(as_json=as_json))


def pause(schedule: ScheduleArgument, reason: ReasonOption = "", as_json: JsonOption = False) -> None:
    """Start no further runs; those that go on do."""
    from starter import schedules

    end(lambda: schedules.pause(schedule, reason, as_json=as_json))


def resume(schedule: ScheduleArgument, as_json: JsonOption = False) -> None:
    """Start runs again as they are due."""
    from starter import schedules

    end(lambda: schedules.resume(schedule, as_json=as_json))


def trigger(schedule: ScheduleArgument, as_json: JsonOption = False) -> None:
    """Start a run now, for now."""
    from starter import schedules

    end(lambda: schedules.trigger(schedule, as_json=as_json))


def delete(schedule: ScheduleArgument, as_json: JsonOption = False) -> None:
    """Forget a schedule; runs that it started go on."""
    from starter import schedules

    end(lambda: schedules.delete(schedule, as_json=as_json))


def backfill(
    schedule: ScheduleArgument,
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help="The first day, or moment, in the schedule's zone.")
    ],
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="The last one, included.")],
    overlap: Annotated[
        Overlap, typer.Option(help="As of `create`; by default one after the other.")
    ] = Overlap.buffer,
    as_json: JsonOption = False,
) -> None:
    """Start the runs that were due in a period of the past.

    What was run already for its time is not run again.
    """
    from starter import schedules

    end(lambda: schedules.backfill(schedule, since, until, overlap.value, as_json=as_json))


WORDS: dict[str, Callable[..., None]] = {
    "create": create,
    "list": list_all,
    "pause": pause,
    "resume": resume,
    "trigger": trigger,
    "delete": delete,
    "backfill": backfill,
}
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Have Temporal start runs by the clock.")
for _name, _word in WORDS.items():
    app.command(_name, epilog=epilog_of(f"schedule {_name}"))(_word)
