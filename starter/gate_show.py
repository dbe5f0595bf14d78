"""What people are asked and have decided, at the terminal: questions with what there is to see, and who said what when."""

from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.approvals import Gate
from contracts.foreach import as_text
from contracts.runs import RunStatus, workflow_id


def questions(status: RunStatus) -> list[RenderableType]:
    """Every question that waits for its answer."""
    run_id = workflow_id(status.run.pipeline, status.run.key)
    return [question(name, gate, run_id) for name, gate in status.asking.items()]


def question(stage: str, gate: Gate, run_id: str) -> RenderableType:
    """What a stage asks, or without its name the run, and the command that answers."""
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for name, text in gate.shown.items():
        shown.add_row(Text(name, "dim"), Text(text))
    answer = gate.choices[0] if gate.choices else "..."
    named = f"{run_id} {stage}" if stage else run_id
    command = f"python -m starter approve {named} --answer {_quoted(answer)}"
    return Group(
        Text(f"\n{stage or 'the run'} asks: {gate.question}", "yellow"),
        *([Padding(shown, (0, 0, 0, 2))] if gate.shown else []),
        Padding(Text("; ".join(_terms(gate))), (0, 0, 0, 2)),
        Padding(Text(f"-> {command}", "yellow"), (0, 0, 0, 2)),
    )


def decision_table(status: RunStatus) -> Table | None:
    """A row per decision; None where nobody decided anything."""
    if not status.decisions:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("decided", "stage", "by"):
        table.add_column(title, no_wrap=True)
    table.add_column("what", overflow="fold")
    for decided in status.decisions:
        why = f": {decided.reason}" if decided.reason else ""
        moment = f"{decided.at:%Y-%m-%d %H:%M:%S}"
        table.add_row(moment, decided.stage, Text(decided.by), Text(f"{decided.words}{why}"))
    return table


def _terms(gate: Gate) -> list[str]:
    said = [f"answer with {gate.takes}"]
    if gate.approvers:
        said.append(f"{', '.join(gate.approvers)} may answer")
    if gate.due_at:
        left = max(0, round((gate.due_at - datetime.now(UTC)).total_seconds()))
        then = "the stage fails" if gate.default is None else f"the answer is {as_text(gate.default)}"
        said.append(f"in {left // 3600}h{left % 3600 // 60:02}m {then}")
    return said


def _quoted(text: str) -> str:
    return f'"{text}"' if not text.isalnum() and text != "..." else text
