"""The run as a table for Temporal's Web UI. Untrusted text goes into a fence."""

import json

from contracts.approvals import Gate
from contracts.runs import RunStatus, StageStatus
from contracts.tables import Scalar
from workflows.told import spent

_MARKS = {
    "PENDING": "·",
    "RUNNING": "▶",
    "WAITING": "✋",
    "SUCCEEDED": "✓",
    "SKIPPED": "↷",
    "FAILED": "✗",
    "CANCELLED": "■",
}
_ERROR_LIMIT = 600


def stage_table(status: RunStatus) -> str:
    """Return markdown: the state, who paused it, a row per stage, and the errors people must see."""
    lines = [
        f"**{status.phase}**{_reason(status)}",
        "",
        "| | stage | where | state | note |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(stage) for stage in status.stages.values()]
    for stage in status.stages.values():
        lines += ["", *(f"`{stage.name}` logs: `{uri}`  " for uri in stage.logs)] if stage.logs else []
        if stage.gate and stage.asks:
            lines += _question(stage.name, stage.gate)
        if stage.error:
            lines += [
                "",
                f"`{stage.name}` {stage.error.kind}: {stage.error.hint}",
                *_fence(stage.error.message),
            ]
    return "\n".join(lines)


def _question(name: str, gate: Gate) -> list[str]:
    """What is asked, and the update that answers it from this page."""
    asked = "\n".join((gate.question, *(f"{label}: {text}" for label, text in gate.shown.items())))
    answer: Scalar = gate.choices[0] if gate.choices else "..."
    payload = json.dumps({"stage": name, "answer": answer, "by": "your name", "comment": ""})
    how = f"`{name}` asks; send the update `approve` with {_quoted(gate.takes)} as the answer:"
    return ["", how, *_fence(payload), *_fence(asked)]


def _row(stage: StageStatus) -> str:
    words = "; ".join(filter(None, (stage.note, spent(stage.job))))
    note = words.replace("|", "\\|").replace("\n", " ")[:160]
    return f"| {_MARKS[stage.phase]} | {stage.name} | {stage.connection} | {stage.phase} | {note} |"


def _reason(status: RunStatus) -> str:
    if status.pause is None:
        return f" — waiting for {status.waiting_for}" if status.waiting_for else ""
    words = [f"by {_quoted(status.pause.by)}" if status.pause.by else "", _quoted(status.pause.reason)]
    words.append("jobs are stopped" if status.pause.jobs == "stop" else "")
    words.append(f"until {status.pause.until:%Y-%m-%d %H:%M %Z}" if status.pause.until else "")
    jobs = (
        f"{status.jobs_running} remote job{'s' if status.jobs_running != 1 else ''} running"
        if status.jobs_running
        else ""
    )
    said = "; ".join(word for word in [*words, jobs] if word)
    return f" — {said}" if said else ""


def _quoted(text: str) -> str:
    """A person's words as code on one line, so that they cannot write into the page."""
    words = " ".join(text.split()).replace("`", "'")
    return f"`{words}`" if words else ""


def _fence(text: str) -> list[str]:
    return ["```text", text[:_ERROR_LIMIT].replace("```", "'''"), "```"]
