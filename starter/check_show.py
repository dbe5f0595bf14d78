"""What a check came to, for a person and as a document."""

from collections import Counter
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from contracts.checks import Checked, CheckLine, CheckReport, Verdict
from starter.exits import Exit

ORDER: tuple[Verdict, ...] = ("failed", "unreachable", "warning", "unknown", "passed")
"""What needs a hand comes first."""
STYLES: dict[Verdict, str] = {
    "failed": "bold red",
    "unreachable": "bold red",
    "warning": "yellow",
    "unknown": "cyan",
    "passed": "green",
}


def exit_of(checked: Checked) -> Exit:
    """Return 0 where nothing failed, 1 where something did, 3 where a worker or an endpoint cannot be reached."""
    verdicts = {line.verdict for report in checked.reports for line in report.lines}
    if "unreachable" in verdicts:
        return Exit.UNREACHABLE
    return Exit.FAILED if "failed" in verdicts else Exit.SUCCEEDED


def check_view(checked: Checked) -> RenderableType:
    """Every connection with its lines, findings first, each with why it matters and what mends it.

    A command stays on one line, whatever the width: broken in the middle of an argument it could not be pasted. Print
    it with `crop=False`.
    """
    shown: list[RenderableType] = []
    for report in checked.reports:
        shown += _of_report(report)
    return Group(*shown, Text(_summary(checked)))


def check_document(checked: Checked) -> dict[str, Any]:
    """The same as one JSON document."""
    return {
        "green": exit_of(checked) is Exit.SUCCEEDED,
        "connections": [
            {
                "connection": report.connection,
                "identity": report.identity,
                "lines": [line.model_dump() for line in _sorted(report)],
            }
            for report in checked.reports
        ],
    }


def _of_report(report: CheckReport) -> list[RenderableType]:
    who = f"  {report.identity}" if report.identity else ""
    lines: list[RenderableType] = [Text.assemble((report.connection, "bold"), who)]
    for line in _sorted(report):
        lines.append(Padding(_words(line), (0, 0, 0, 2)))
        if line.verdict != "passed":
            lines.append(Padding(Text(line.why), (0, 0, 0, 6)))
        if line.fix and line.verdict != "passed":
            lines.append(Text(f"      -> {line.fix}", style="bold", no_wrap=True, overflow="ignore"))
    return [*lines, Text("")]


def _words(line: CheckLine) -> Text:
    return Text.assemble(
        (f"{line.verdict:<11} ", STYLES[line.verdict]), f"{line.check:<13} {line.subject}: {line.found}"
    )


def _sorted(report: CheckReport) -> list[CheckLine]:
    return sorted(report.lines, key=lambda line: ORDER.index(line.verdict))


def _summary(checked: Checked) -> str:
    counts = Counter(line.verdict for report in checked.reports for line in report.lines)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict])
    return f"{told} on {len(checked.reports)} connection{'s' if len(checked.reports) != 1 else ''}"
