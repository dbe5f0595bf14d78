"""The run as a page for Temporal's Web UI: how it stands, why it waits, where to look, and what may be sent to it."""

from contracts.runs import RunStatus, StagePhase, StageStatus, workflow_id
from workflows.marked import cell, code, fence, link, plain
from workflows.told import spent, standing
from workflows.ways import ways_on, ways_to_answer, ways_to_decide

_MARKS = {
    "PENDING": "·",
    "RUNNING": "▶",
    "WAITING": "⚑",
    "SUCCEEDED": "✓",
    "SKIPPED": "↷",
    "FAILED": "✗",
    "CANCELLED": "■",
}
NOTE_LIMIT = 160


def stage_table(status: RunStatus) -> str:
    """Return markdown: the state, who paused it, a row per stage, what people must see, and how they answer."""
    lines = [
        f"**{status.phase}**{_reason(status)}",
        *(line for note in status.notes for line in ("", plain(note))),
        "",
        "| | stage | where | state | note |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(stage) for stage in status.stages.values()]
    lines += ["", plain(standing(status.spending))] if status.spending else []
    for name, gate in status.asking.items():
        lines += [] if name else ways_to_answer(name, gate)
    for stage in status.stages.values():
        lines += _of_stage(stage)
    word = "report" if status.phase.ended else "watch"
    terminal = code(f"python -m starter {word} {workflow_id(status.run.pipeline, status.run.key)}")
    return "\n".join([*lines, *ways_on(status), "", f"At a terminal: {terminal}"])


def _of_stage(stage: StageStatus) -> list[str]:
    lines = [*_why_here(stage), *_places(stage)]
    if stage.gate and stage.asks:
        lines += ways_to_answer(stage.name, stage.gate)
    if stage.error:
        lines += ["", f"`{stage.name}` {plain(stage.error.kind)}:", *fence(stage.error.message)]
        lines += ["", plain(stage.error.hint)] if stage.error.hint else []
    if stage.phase is StagePhase.WAITING and not stage.asks:
        lines += ways_to_decide(stage)
    return lines


def _why_here(stage: StageStatus) -> list[str]:
    """Where a stage that had a choice runs, why, and where it does not, in a line."""
    chosen = [one for one in stage.candidates if one.chosen]
    lost = [f"not {code(one.connection)} ({plain(one.why)})" for one in stage.candidates if not one.chosen]
    told = [f"`{stage.name}` runs on {code(one.connection)}: {plain(one.why)}" for one in chosen]
    return ["", "; ".join((*told, *lost)) + "  "] if told else []


def _places(stage: StageStatus) -> list[str]:
    """Where to look: the vendor's page of its job or endpoint, and the logs that were kept."""
    job, endpoint = stage.job, stage.endpoint
    found = [f"job: {link(job.console)}"] if job and job.console else []
    if endpoint and endpoint.ref.console and not endpoint.retired:
        found.append(f"endpoint: {link(endpoint.ref.console)}")
    found += [f"log: {link(uri)}" for uri in stage.logs]
    return ["", *(f"`{stage.name}` {place}  " for place in found)] if found else []


def _row(stage: StageStatus) -> str:
    words = "; ".join(filter(None, (stage.note, spent(stage.job))))
    note = cell(plain(words[:NOTE_LIMIT]))
    mark, state = _MARKS[stage.phase], code(stage.phase)
    return f"| {mark} | `{stage.name}` | {code(stage.connection or stage.where)} | {state} | {note} |"


def _reason(status: RunStatus) -> str:
    if status.pause is None:
        return f" — waiting for {status.waiting_for}" if status.waiting_for else ""
    words = [f"by {code(status.pause.by)}" if status.pause.by else "", code(status.pause.reason)]
    words.append("jobs are stopped" if status.pause.jobs == "stop" else "")
    words.append(f"until {status.pause.until:%Y-%m-%d %H:%M %Z}" if status.pause.until else "")
    jobs = (
        f"{status.jobs_running} remote job{'s' if status.jobs_running != 1 else ''} running"
        if status.jobs_running
        else ""
    )
    waits = f"then for {status.waiting_for}" if status.waiting_for else ""
    said = "; ".join(word for word in [*words, jobs, waits] if word)
    return f" — {said}" if said else ""
