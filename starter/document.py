"""The JSON documents that `--json` prints; scripts rely on their shape."""

from dataclasses import asdict
from typing import Any

from contracts.approvals import Gate
from contracts.decisions import Decided
from contracts.runs import RunStatus, StagePhase, StageStatus, TransferResult, workflow_id
from contracts.stage_records import StageJob
from starter.budget_show import budget_document
from starter.pages.flow import Flow
from starter.spending import spending_document


def run_document(status: RunStatus, web_ui: str) -> dict[str, Any]:
    """One run, whole."""
    return {
        "run_id": workflow_id(status.run.pipeline, status.run.key),
        "pipeline": status.run.pipeline,
        "key": status.run.key,
        "state": status.phase.value,
        "waiting_for": status.waiting_for or None,
        **({"scheduled_for": status.scheduled_for.isoformat()} if status.scheduled_for else {}),
        **({"rerun_of": status.rerun_of} if status.rerun_of else {}),
        "stages": [_stage(stage) for stage in status.stages.values()],
        "transfers": [_transfer(transfer) for transfer in status.transfers],
        **_costs(status),
        "decisions": [_decided(decided) for decided in status.decisions],
        **({"notes": list(status.notes)} if status.notes else {}),
        **({"gate": _gate(status.gate)} if status.gate else {}),
        "web_ui": web_ui,
    }


def _costs(status: RunStatus) -> dict[str, Any]:
    """The quote beside what was spent, of a run that has either."""
    costs = {"costs": spending_document(status)} if status.quote or status.charges else {}
    return costs | ({"budget": budget_document(status.spending)} if status.spending else {})


def flow_document(flow: Flow) -> dict[str, Any]:
    """What a drawing shows: lanes, what lies in them, and what passes between."""
    return {
        "title": flow.title,
        "lanes": list(flow.lanes),
        "nodes": [{**asdict(node), "lane": node.lane} for node in flow.nodes],
        "edges": [asdict(edge) for edge in flow.edges],
    }


def seconds_of(stage: StageStatus) -> float | None:
    """How long a stage took, once it has ended."""
    if stage.started_at is None or stage.ended_at is None:
        return None
    return round((stage.ended_at - stage.started_at).total_seconds(), 3)


def speed_of(transfer: TransferResult) -> float | None:
    """Megabytes (10^6 bytes) a second; None when nothing had to be sent."""
    if transfer.size_bytes == 0 or transfer.seconds <= 0:
        return None
    return round(transfer.size_bytes / 1e6 / transfer.seconds, 3)


def _stage(stage: StageStatus) -> dict[str, Any]:
    fields = {"uri", "kind", "size_bytes", "object_count", "digest"}
    endpoint = stage.endpoint and {
        "endpoint": {"name": stage.endpoint.ref.name, "retired": stage.endpoint.retired}
    }
    return {
        "name": stage.name,
        "kind": stage.kind,
        "cloud": stage.connection.partition("/")[0],
        "connection": stage.connection,
        "state": stage.phase.value,
        "note": stage.note,
        "seconds": seconds_of(stage),
        "attempts": stage.attempts,
        "job": _job(stage.job) if stage.job else None,
        "machine": stage.machine or None,
        **(
            {"candidates": [one.model_dump(mode="json") for one in stage.candidates]}
            if stage.candidates
            else {}
        ),
        "outputs": {name: artifact.model_dump(include=fields) for name, artifact in stage.outputs.items()},
        "metrics": stage.metrics,
        "rows": stage.rows,
        "error": stage.error.model_dump() if stage.error else None,
        **({"logs": list(stage.logs)} if stage.logs else {}),
        **({"taken_from": stage.taken_from} if stage.taken_from else {}),
        **(endpoint or {}),
        **_chosen(stage),
    }


def _decided(decided: Decided) -> dict[str, Any]:
    """One decision; what it does not have is left out."""
    said = decided.model_dump(mode="json")
    return {name: value for name, value in said.items() if value not in ("", [], None)}


def _chosen(stage: StageStatus) -> dict[str, Any]:
    """What only a stage that was skipped, a pick, a question, or one that runs over items has to tell."""
    said: dict[str, Any] = {"reason": stage.note} if stage.phase is StagePhase.SKIPPED else {}
    if stage.choice:
        said["choice"] = stage.choice.model_dump()
    if stage.fanout:
        shown = {"total", "succeeded", "failed", "running", "failures"}
        said["items"] = stage.fanout.model_dump(include=shown)
    if stage.gate:
        said["gate"] = _gate(stage.gate)
    return said


def _gate(gate: Gate) -> dict[str, Any]:
    held = {"rule", "about"} if not gate.rule else set()
    return gate.model_dump(mode="json", exclude={"paused_seconds", "taken", *held})


def _job(job: StageJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "generation": job.generation,
        "state": job.phase.value,
        "last_seen": job.last_seen.isoformat() if job.last_seen else None,
        "queued_seconds": _rounded(job.queued_seconds),
        "run_seconds": _rounded(job.run_seconds),
        "billed_seconds": _rounded(job.billed_seconds),
        "console": job.console,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _transfer(transfer: TransferResult) -> dict[str, Any]:
    return {
        "artifact": transfer.artifact,
        "from": transfer.source,
        "to": transfer.destination,
        "bytes": transfer.size_bytes,
        "seconds": round(transfer.seconds, 3),
        "mb_per_s": speed_of(transfer),
        "verified": transfer.verified,
    }
