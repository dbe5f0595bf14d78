"""What a sweep came to, for a person at 80 columns and as a document."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from contracts.sweeps import Orphan, SweepReport
from contracts.units import format_duration

STYLES = {"found": "yellow", "stopped": "green", "kept": "yellow", "failed": "red"}


def sweep_view(report: SweepReport) -> RenderableType:
    """The orphans, then a line for each connection."""
    parts: list[RenderableType] = []
    if report.orphans:
        parts += [_table(report), Text()]
    parts += [_line(report, number) for number in range(len(report.connections))]
    told = {orphan.message for orphan in report.orphans if orphan.message}
    parts += [Text(message, "red") for message in sorted(told)]
    if report.left and not report.stop:
        parts.append(Text("\nstop them with: python -m starter sweep --stop", "yellow"))
    return Group(*parts)


def sweep_document(report: SweepReport) -> dict[str, Any]:
    """The whole report as one JSON document."""
    return report.model_dump(mode="json", exclude={"orphans"}) | {
        "left": report.left,
        "orphans": [orphan.model_dump(mode="json") for orphan in report.orphans],
    }


def _table(report: SweepReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("where", "kind", "age"):
        table.add_column(title, no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("state", no_wrap=True)
    for orphan in report.orphans:
        table.add_row(
            orphan.connection.removesuffix("/default"),
            orphan.item.kind,
            _age(orphan),
            Text(_what(orphan)),
            Text(orphan.state, STYLES[orphan.state]),
        )
    return table


def _what(orphan: Orphan) -> str:
    """The thing, whose it was, and what it holds."""
    item = orphan.item
    run = orphan.run or (f"run {item.run_uid[:12]}" if item.run_uid else "")
    size = f"{item.size_bytes:,} bytes" if item.size_bytes else ""
    return "\n".join([item.name, *(words for words in (" ".join(filter(None, (run, size))),) if words)])


def _age(orphan: Orphan) -> str:
    if orphan.item.since is None:
        return "?"
    return _rough((datetime.now(UTC) - orphan.item.since).total_seconds())


def _rough(seconds: float) -> str:
    """An age in the two largest units that matter."""
    minutes = max(0, int(seconds)) // 60
    if minutes < 60:
        return f"{minutes}m"
    hours, days = minutes // 60, minutes // 1440
    return f"{days}d{hours % 24}h" if days else f"{hours}h{minutes % 60:02}m"


def _line(report: SweepReport, number: int) -> Text:
    swept = report.connections[number]
    name = f"{swept.connection.removesuffix('/default')}: "
    words = f"{swept.found} orphan{'s' if swept.found != 1 else ''}"
    if report.stop and swept.found:
        words += f", {swept.stopped} stopped"
    if swept.owned:
        words += f"; {swept.owned} of live runs"
    if swept.younger:
        words += f"; {swept.younger} younger than {format_duration(report.older_than)}"
    if swept.trouble:
        return Text(
            f"{name}{words if swept.found else ''}{'; ' if swept.found else ''}{swept.trouble}", "red"
        )
    return Text(f"{name}{words}")
