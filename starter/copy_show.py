"""How a copy looks at the terminal: a bar that moves, or lines in a pipe, and what it came to."""

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from contracts.errors import page_for
from contracts.transfers import TransferOutcome, TransferStatus
from starter.show import STYLES


class View:
    """Shows nothing."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *error: object) -> None:
        """End."""

    def show(self, now: TransferStatus, in_flight: int) -> None:
        """Show how far it is; `in_flight` bytes are not counted in the status yet."""


class Bar(View):
    """A bar at a terminal."""

    def __init__(self, out: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(binary_units=False),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=out,
            transient=True,
        )
        self._task = self._progress.add_task("listing", total=None)

    def __enter__(self) -> None:
        """Draw."""
        self._progress.start()

    def __exit__(self, *error: object) -> None:
        """Take it away; the report follows."""
        self._progress.stop()

    def show(self, now: TransferStatus, in_flight: int) -> None:
        """Move the bar."""
        self._progress.update(
            self._task,
            total=now.bytes_total if now.listed else None,
            completed=min(now.bytes_done + in_flight, now.bytes_total),
            description=_counted(now),
        )


class Lines(View):
    """A line per change in a pipe."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._said = ""

    def show(self, now: TransferStatus, in_flight: int) -> None:
        """Print what is new."""
        line = f"{now.phase}: {_counted(now)}, {now.bytes_done:,} of {_total(now.bytes_total, now)} bytes"
        if line != self._said and now.objects_total:
            self._out.print(line, soft_wrap=True)
        self._said = line


def report_of(
    out: Console, run_id: str, state: str, outcome: TransferOutcome, error: dict[str, str] | None
) -> None:
    """Say what a copy came to."""
    now, tally, result = outcome.status, outcome.status.tally, outcome.result
    out.print(Text.assemble((run_id, "bold"), " ", (state, STYLES.get(state, ""))), soft_wrap=True)
    found = result.result if result else None
    dry = found is not None and not found.digest
    out.print(
        f"  {found.object_count if found else tally.objects:,} objects, "
        f"{found.size_bytes if found else tally.size_bytes:,} bytes"
        f"{'' if dry else f', sent {tally.bytes_sent:,}'} in {now.seconds:.1f} s"
        + (f" ({now.mb_per_s:.1f} MB/s)" if now.mb_per_s else "")
    )
    if dry:
        out.print("  a dry run: that lies at the source, and nothing was sent")
    if tally.objects:
        out.print(f"  verified: {tally.verified}")
    if tally.retried_parts:
        out.print(f"  sent again: {tally.retried_parts} parts, {tally.bytes_sent_twice:,} bytes")
    if now.cost is not None:
        dated = f", list prices of {result.price_as_of}" if result and result.price_as_of else ""
        out.print(f"  egress: {'at most' if dry else 'about'} {now.cost:.4f} {now.currency}{dated}")
    if tally.lost:
        out.print(f"  not kept by the destination: {', '.join(tally.lost)}", style="yellow", soft_wrap=True)
    if result and result.manifest:
        out.print(f"  manifest: {result.manifest}", soft_wrap=True)
    if error:
        out.print(Text(f"  {error['kind']}: {error['message']}", "red"), soft_wrap=True)
        out.print(Text(f"  -> {error['hint']}", "yellow"), soft_wrap=True)
        out.print(Text(f"     {page_for(error['kind'])}", "dim"), soft_wrap=True)


def copy_document(
    run_id: str, state: str, outcome: TransferOutcome, error: dict[str, str] | None, web_ui: str
) -> dict[str, Any]:
    """One copy, whole."""
    now, result = outcome.status, outcome.result
    return {
        "run_id": run_id,
        "state": state,
        "objects_total": now.objects_total,
        "bytes_total": now.bytes_total,
        "listed": now.listed,
        **now.tally.model_dump(),
        "seconds": round(now.seconds, 3),
        "mb_per_s": now.mb_per_s,
        "cost": None if now.cost is None else str(now.cost),
        "currency": now.currency,
        "manifest": result.manifest if result else None,
        "result": result.result.model_dump() if result else None,
        "error": error,
        "web_ui": web_ui,
    }


def _counted(now: TransferStatus) -> str:
    return f"{now.objects_done:,} of {_total(now.objects_total, now)} objects"


def _total(count: int, now: TransferStatus) -> str:
    return f"{count:,}{'' if now.listed else ' or more'}"
