"""What a person may send to a run from Temporal's Web UI: the name, and the data to paste."""

import json

from contracts.approvals import Gate
from contracts.runs import RunStatus, StageStatus
from contracts.tables import Scalar
from workflows.marked import code, fence

YOU = "your name"


def ways_on(status: RunStatus) -> list[str]:
    """How the run is paused, or resumed; nothing once it has ended."""
    if status.phase.ended:
        return []
    if status.pause:
        return ["", "To go on, send the signal `resume` with:", *_data(by=YOU)]
    return ["", "To start nothing new, send the signal `pause` with:", *_data(by=YOU, reason="")]


def ways_to_decide(stage: StageStatus) -> list[str]:
    """How somebody decides on a stage that failed and waits."""
    how = f"To decide on `{stage.name}`, send the update `retry_stage`, `skip_stage` or `abort` with:"
    return ["", how, *_data(stage=stage.name, by=YOU, reason="")]


def ways_to_answer(name: str, gate: Gate) -> list[str]:
    """What is asked, until when, of whom, and how it is answered."""
    asked = "\n".join((gate.question, *(f"{label}: {text}" for label, text in gate.shown.items())))
    answer: Scalar = gate.choices[0] if gate.choices else "..."
    by = gate.approvers[0] if gate.approvers else YOU
    who, what = (f"`{name}`", f"`{name}`") if name else ("The run", "the run")
    how = f"To answer {what}, send the update `approve` with {code(gate.takes)} as the answer:"
    return [
        "",
        f"{who} asks{_terms(gate)}:",
        *fence(asked),
        "",
        how,
        *_data(stage=name, answer=answer, by=by, comment=""),
    ]


def _terms(gate: Gate) -> str:
    """Who may answer, until when, and what holds then."""
    who = f" {code(', '.join(gate.approvers))}" if gate.approvers else ""
    if gate.due_at is None:
        return who
    late = "it has failed" if gate.default is None else f"the answer is {code(json.dumps(gate.default))}"
    return f"{who} until {gate.due_at:%Y-%m-%d %H:%M %Z}, then {late}"


def _data(**fields: Scalar) -> list[str]:
    return fence(json.dumps(fields), language="json", limit=2000)
