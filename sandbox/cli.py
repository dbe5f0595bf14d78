"""The sandbox's command line. What a command needs is imported inside it, so that `--help` stays quick."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from sandbox.layout import WORKERS, Layout, Misuse, SandboxError

app = typer.Typer(
    help="The local clouds: real servers on loopback.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")]


@app.command()
def up(
    only: Annotated[
        str | None, typer.Option(help="Comma-separated servers; the others are left alone.")
    ] = None,
    workers: Annotated[bool, typer.Option("--workers", help="The pipeline's workers too.")] = False,
    brief: Annotated[bool, typer.Option("--brief", help="Tell only of what was not up.")] = False,
    as_json: Json = False,
) -> None:
    """Start what is not up: on its old state and ports when there are any."""
    from sandbox.services.catalogue import choose
    from sandbox.supervisor import Supervisor

    with _told():
        supervisor = Supervisor(Layout.from_environment(), _teller(as_json))
        arrivals = supervisor.up(choose(only, workers=workers), brief=brief)
        if as_json:
            typer.echo(json.dumps({"servers": [vars(arrival) for arrival in arrivals]}, indent=2))


@app.command()
def down(
    erase: Annotated[
        bool, typer.Option("--erase", help="Delete all state, keys and logs; keep the tools.")
    ] = False,
) -> None:
    """Stop everything this sandbox started. State stays for the next `up`."""
    from sandbox.supervisor import Supervisor

    with _told():
        supervisor = Supervisor(Layout.from_environment(), typer.echo)
        stopped = supervisor.down()
        typer.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was up")
        if erase:
            supervisor.erase()
            typer.echo("erased all state")


@app.command()
def status(as_json: Json = False) -> None:
    """Show each server. Exit code 3 when one is dead or silent, or none is up."""
    from sandbox.report import require_well, survey

    with _told():
        statuses = survey(Layout.from_environment())
        if as_json:
            typer.echo(json.dumps({"servers": [vars(status) for status in statuses]}, indent=2))
        for one in () if as_json else statuses:
            where = one.url if one.state == "up" else (one.last_line or "")[:160]
            typer.echo(f"{one.name:<10} {one.state:<7} {one.pid or '-':>7}  {where}")
        require_well(statuses)


@app.command()
def logs(
    server: Annotated[str | None, typer.Argument(help="Default: the end of every log.")] = None,
    lines: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing what is added.")] = False,
    requests: Annotated[
        bool, typer.Option("--requests", help="The journal of requests (our own servers).")
    ] = False,
) -> None:
    """Show what the servers printed."""
    from sandbox import logs as text
    from sandbox.services.catalogue import WITH_WORKERS, named

    with _told():
        layout = Layout.from_environment()
        if follow and server is None:
            raise Misuse("--follow needs a server's name")
        for name in [named(server).name] if server else WITH_WORKERS:
            log = layout.requests_of(name) if requests else layout.log_of(name)
            for line in text.end_of(log, lines):
                typer.echo(line if server else f"{name:<10} {line}")
        if follow and server:
            for line in text.follow(layout.requests_of(server) if requests else layout.log_of(server)):
                typer.echo(line)


@app.command()
def env(worker: Annotated[str, typer.Argument(help=", ".join(WORKERS))], as_json: Json = False) -> None:
    """Print the settings of one worker: secrets of this sandbox, and nobody else's."""
    from sandbox import environment
    from sandbox.layout import Endpoints

    with _told():
        if worker not in WORKERS:
            raise Misuse(f"there is no worker {worker!r}: there are {', '.join(WORKERS)}")
        layout = Layout.from_environment()
        settings = environment.worker(worker, layout, Endpoints.load(layout))
        typer.echo(json.dumps(settings, indent=2) if as_json else environment.render(settings), nl=as_json)


@app.command()
def fault(
    server: str,
    kind: Annotated[
        str, typer.Argument(help="unavailable, throttle, slow, drop, away; fail-job, …; or clear")
    ],
    seconds: Annotated[float | None, typer.Option(min=0.1, help="For how long.")] = None,
    times: Annotated[int | None, typer.Option(min=1, help="How often.")] = None,
    match: Annotated[str | None, typer.Option(help="Only operations or job names with this text.")] = None,
    delay: Annotated[float | None, typer.Option(min=0, help="What `slow` adds to each request.")] = None,
) -> None:
    """Make a server misbehave. Third-party servers can only be `away --seconds N`."""
    from sandbox.misbehave import Wish, apply

    with _told():
        wish = Wish(kind=kind, seconds=seconds, times=times, match=match, delay=delay)
        apply(Layout.from_environment(), server, wish, typer.echo)


@app.command()
def tools() -> None:
    """Build the emulators' own environments now, so that `up` need not."""
    from sandbox import tools as environments

    with _told():
        environments.ensure(Layout.from_environment(), environments.ALL, typer.echo)


@contextmanager
def _told() -> Iterator[None]:
    """Turn an expected failure into its line and its exit code."""
    try:
        yield
    except SandboxError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(exc.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _teller(quiet: bool) -> Callable[[str], None]:
    """Progress goes to stderr when stdout belongs to a program."""
    return lambda line: typer.echo(line, err=quiet)
