"""What a person sees at the terminal: the live stage table and the report. Works in 80 columns."""

import re
import sys
from datetime import UTC, datetime
from typing import IO, TextIO, cast

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.errors import page_for
from contracts.runs import RunStatus, StageStatus, workflow_id
from starter.budget_show import budget_line
from starter.clocks import moment, seconds_so_far, taken
from starter.document import speed_of
from starter.gate_show import decision_table, questions
from starter.spending_show import spending_table

PIPE_WIDTH = 240
_TRAILING = re.compile(r" +$", re.MULTILINE)
STYLES = {
    "PENDING": "dim",
    "RUNNING": "cyan",
    "PAUSING": "yellow",
    "PAUSED": "yellow",
    "WAITING": "yellow",
    "SUCCEEDED": "green",
    "SKIPPED": "dim",
    "FAILED": "red",
    "CANCELLED": "magenta",
}


def console(*, stderr: bool = False) -> Console:
    """The console everything is printed on; in a pipe lines are as long as they are."""
    found = _Console(stderr=stderr, highlight=False)
    if found.is_terminal:
        return found
    stream = cast(IO[str], _Trimmed(sys.stderr if stderr else sys.stdout))
    return _Console(file=stream, highlight=False, width=PIPE_WIDTH)


class _Console(Console):
    """Rich ends the process with 1 when its reader goes; here that is an error like any other of the output."""

    def on_broken_pipe(self) -> None:
        """Let the error through."""
        # Rich calls this where it has caught the error.
        raise


class _Trimmed:
    """A stream of lines without the blanks with which tables are padded to their width."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write whole lines, as rich does."""
        return self._stream.write(_TRAILING.sub("", text))

    def flush(self) -> None:
        """Pass it on."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether a person looks."""
        return self._stream.isatty()


def live_view(status: RunStatus) -> RenderableType:
    """The run now: its state and a row per stage."""
    line = budget_line(status)
    budget = [Text(), line] if line else []
    return Group(headline(status), stage_table(status), *budget, *questions(status), *_errors(status))


def report(status: RunStatus) -> RenderableType:
    """The run when it is over, or as far as it is: stages, transfers, metrics, errors."""
    parts: list[RenderableType] = [headline(status), stage_table(status)]
    if any(stage.job for stage in status.stages.values()):
        parts += [Text(), job_table(status)]
    if status.transfers:
        parts += [Text(), transfer_table(status)]
    for table in (
        _machines(status),
        spending_table(status),
        budget_line(status),
        _metrics(status),
        _logs(status),
        decision_table(status),
    ):
        if table:
            parts += [Text(), table]
    parts += [part for one in status.stages.values() if one.choice for part in (Text(), choice_table(one))]
    parts += _answers(status)
    return Group(*parts, *questions(status), *_errors(status))


def print_report(out: Console, status: RunStatus, page: str) -> None:
    """Print the report, and where the run is in Temporal's Web UI."""
    out.print(report(status))
    # Outside the view, so that a narrow terminal breaks the address without cutting it.
    out.print(f"\nWeb UI  {page}", soft_wrap=True)


def headline(status: RunStatus) -> Text:
    """One line: the run, its state, and who paused it."""
    text = Text.assemble(
        (workflow_id(status.run.pipeline, status.run.key), "bold"),
        " ",
        (status.phase.value, STYLES[status.phase]),
    )
    end = status.ended_at or datetime.now(UTC)
    text.append(f"  {taken((end - status.started_at).total_seconds())}", "dim")
    text.append("".join(f"  {word}" for word in origin(status)), "dim")
    if status.pause:
        who = f" by {status.pause.by}" if status.pause.by else ""
        why = f": {status.pause.reason}" if status.pause.reason else ""
        until = f" until {moment(status.pause.until)}" if status.pause.until else ""
        jobs = ", jobs are stopped" if status.pause.jobs == "stop" else ""
        text.append(f"  paused{who}{until}{jobs}{why}", "yellow")
    if status.jobs_running and status.pause:
        text.append(
            f"  {status.jobs_running} remote job{'s' if status.jobs_running > 1 else ''} running", "yellow"
        )
    return text


def origin(status: RunStatus) -> list[str]:
    """Where a run comes from that nobody just started: a schedule, another run."""
    found = [f"scheduled for {status.scheduled_for:%Y-%m-%d %H:%M:%S %Z}"] if status.scheduled_for else []
    return [*found, f"rerun of {status.rerun_of}"] if status.rerun_of else found


def stage_table(status: RunStatus) -> Table:
    """A row per stage."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("stage", "kind", "where", "state"):
        table.add_column(title, no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for stage in status.stages.values():
        table.add_row(
            stage.name,
            stage.kind,
            stage.where,
            Text(stage.phase.value, STYLES[stage.phase]),
            taken(seconds_so_far(stage)),
            Text(note_of(stage)),
        )
    return table


def job_table(status: RunStatus) -> Table:
    """A row per job: how long it waited for its machine, how long it had it, and what of that is billed."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("job of", "generation", "state"):
        table.add_column(title, no_wrap=True)
    for title in ("queued", "ran", "billed"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("last seen", no_wrap=True)
    for stage in status.stages.values():
        if stage.job is None:
            continue
        times = (stage.job.queued_seconds, stage.job.run_seconds, stage.job.billed_seconds)
        seen = f"{stage.job.last_seen:%H:%M:%S %Z}" if stage.job.last_seen else ""
        table.add_row(stage.name, str(stage.job.generation), stage.job.phase.value, *map(taken, times), seen)
    return table


def choice_table(stage: StageStatus) -> Table:
    """What a pick chose among: a row per candidate."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    choice = stage.choice
    table.add_column(f"picked by {stage.name}", no_wrap=True)
    table.add_column(choice.by if choice else "", justify="right")
    table.add_column("", overflow="fold")
    for candidate in choice.candidates if choice else ():
        score = "-" if candidate.score is None else f"{candidate.score:.6g}"
        item = "" if candidate.item is None else f" item {candidate.item}"
        mark = "picked" if candidate.picked else Text(candidate.why)
        table.add_row(candidate.stage + item, score, mark)
    return table


def transfer_table(status: RunStatus) -> Table:
    """A row per transfer."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("transfer", "from", "to"):
        table.add_column(title)
    for title in ("bytes", "time", "MB/s"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verified", no_wrap=True)
    for item in status.transfers:
        speed = speed_of(item)
        table.add_row(
            item.artifact,
            item.source.removesuffix("/default"),
            item.destination.removesuffix("/default"),
            f"{item.size_bytes:,}",
            f"{item.seconds:.1f}s",
            "-" if speed is None else f"{speed:.2f}",
            item.verified,
        )
    return table


def plain_line(stage: StageStatus) -> str:
    """One change of a stage, for a pipe."""
    note = note_of(stage)
    return f"{stage.name} {stage.phase.value}{f': {note}' if note else ''}"


def note_of(stage: StageStatus) -> str:
    """What a stage does, waits for or has left, in a few words."""
    if stage.note:
        return stage.note
    if stage.endpoint:
        kept = "removed" if stage.endpoint.retired else "" if stage.endpoint.temporary else "it stays"
        return f"endpoint {stage.endpoint.ref.name}{f', {kept}' if kept else ''}"
    if stage.rows is not None:
        return f"{stage.rows:,} row{'s' if stage.rows != 1 else ''}"
    if stage.outputs:
        size = sum(artifact.size_bytes for artifact in stage.outputs.values())
        return f"{', '.join(stage.outputs)} ({size:,} bytes)"
    return ""


def _machines(status: RunStatus) -> Table | None:
    return _pairs(
        "machine of", [(held.name, held.machine) for held in status.stages.values() if held.machine]
    )


def _logs(status: RunStatus) -> Table | None:
    return _pairs("logs of", [(held.name, uri) for held in status.stages.values() for uri in held.logs])


def _pairs(title: str, rows: list[tuple[str, str]]) -> Table | None:
    if not rows:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(title)
    table.add_column("", overflow="fold")
    for name, text in rows:
        table.add_row(name, Text(text))
    return table


def _metrics(status: RunStatus) -> Table | None:
    rows = [(stage.name, stage.metrics) for stage in status.stages.values() if stage.metrics]
    if not rows:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("metrics of")
    table.add_column("", overflow="fold")
    for name, metrics in rows:
        table.add_row(name, "  ".join(f"{key}={value:.6g}" for key, value in metrics.items()))
    return table


def _answers(status: RunStatus) -> list[RenderableType]:
    """The first rows of each query that answered with more than one."""
    parts: list[RenderableType] = []
    for stage in status.stages.values():
        if len(stage.shown) < 2:
            continue
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for column in stage.shown[0]:
            table.add_column(Text(column), overflow="fold")
        for row in stage.shown:
            table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
        count = (
            ""
            if stage.rows == len(stage.shown)
            else f" (the first {len(stage.shown)} of {stage.rows:,} rows)"
        )
        parts += [Text(), Text(f"{stage.name} answered{count}"), table]
    return parts


def _errors(status: RunStatus) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(note, "red") for note in status.notes]
    return parts + [error_of(stage) for stage in status.stages.values() if stage.error]


def error_of(stage: StageStatus) -> RenderableType:
    """What went wrong with a stage and what to do about it; nothing for one that is well."""
    if stage.error is None:
        return Group()
    return Group(
        Text(f"\n{stage.name}: {stage.error.kind}", "red"),
        Padding(Text(stage.error.message), (0, 0, 0, 2)),
        Padding(Text(f"-> {stage.error.hint}\n   {page_for(stage.error.kind)}", "yellow"), (0, 0, 0, 2)),
    )
