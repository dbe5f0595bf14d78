"""The command line: what there is to say. What it does lies in `starter.commands`, imported only when it is needed."""

import sys
from collections.abc import Callable
from typing import NoReturn

import typer

from starter.exits import Exit
from starter.leave import flushed, unwritten
from starter.words import look, schedule, start, steer
from starter.words.check import check
from starter.words.completion import complete, completion
from starter.words.costs import costs
from starter.words.examples import epilog_of
from starter.words.listing import list_runs
from starter.words.plan import plan
from starter.words.sweep import sweep

app = typer.Typer(
    no_args_is_help=True,
    # A shell completes a command by its first word, which is Python's here; see `starter.words.completion`.
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=(
        "Durable AI pipelines across AWS, Azure, Google Cloud and on-prem. `run` alone brings the local clouds up and "
        "runs the quickstart. Exit codes: 0 succeeded, 1 failed or cancelled, 2 wrong usage or spec, 3 unreachable, "
        "4 waits for a person, 130 interrupted."
    ),
)

WORDS: dict[str, Callable[..., None]] = {
    "init": start.init,
    "run": start.run,
    "rerun": start.rerun,
    "copy": start.copy,
    "limit": steer.limit,
    "validate": look.validate,
    "plan": plan,
    "check": check,
    "schema": look.schema,
    "permissions": look.permissions,
    "status": look.status,
    "watch": look.watch,
    "list": list_runs,
    "pause": steer.pause,
    "resume": steer.resume,
    "cancel": steer.cancel,
    "retry": steer.retry,
    "skip": steer.skip,
    "abort": steer.abort,
    "approve": steer.approve,
    "report": look.report,
    "graph": look.graph,
    "logs": look.logs,
    "costs": costs,
    "sweep": sweep,
    "completion": completion,
}
for _name, _word in WORDS.items():
    app.command(_name, epilog=epilog_of(_name))(_word)
app.command("complete", hidden=True)(complete)
app.add_typer(schedule.app, name="schedule")


def main() -> NoReturn:
    """Run the command line; every expected error is a clear line and an exit code."""
    try:
        code = app(standalone_mode=False)
    except typer.Exit as end:
        code = end.exit_code
    except typer.Abort:
        code = Exit.INTERRUPTED
    except OSError as error:
        code = unwritten(error)
    except Exception as error:
        code = _usage(error)
    sys.exit(flushed(code or 0))


def _usage(error: Exception) -> int:
    """Typer's own errors know how to print themselves; anything else is a bug and shows as one."""
    show = getattr(error, "show", None)
    if show is None:
        raise error
    # How a library says that a value was wrong is no word for people.
    setattr(error, "message", str(getattr(error, "message", "")).replace("Value error, ", ""))  # noqa: B010
    show()
    return int(getattr(error, "exit_code", Exit.USAGE))
