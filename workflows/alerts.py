"""Notices what of a run somebody wants to hear of, and has it told once. It never delays or fails the run."""

import contextlib
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import presets
from contracts.alerts import ALERT_WORKFLOW, Alert, AlertProgress, ObserverActivities
from contracts.approvals import Gate
from contracts.errors import ErrorKind, hint_for
from contracts.observed import AlertEvent, Observed
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import RunPhase, RunRequest, RunStatus, StageError, StagePhase, StageStatus
from contracts.units import format_duration
from workflows.absent import NOTE
from workflows.book import Book
from workflows.detached import Detached
from workflows.mirror import Mirror

ASKED_AT_THE_END = "observers-asked-at-the-end"
"""Runs that began before this was there end as they did then, or their histories could not be replayed."""
MOST = 20
"""Alerts of one kind about one thing: a worker that comes and goes all night is no news."""


class Alerts:
    """Compares what holds now with what was told."""

    def __init__(self, request: RunRequest, book: Book, mirror: Mirror) -> None:
        """Watch this run, from where the execution before this one left off."""
        held = request.progress.alerts if request.progress else AlertProgress()
        self._spec = request.spec
        self._book = book
        self._mirror = mirror
        self._active = set(held.active)
        self._counts = dict(held.counts)
        self._wanted: frozenset[AlertEvent] | None = None
        """None until anybody has said."""
        self._error: StageError | None = None
        """Why the run failed."""
        self._detached = Detached()
        self._armed: datetime | None = None
        """When the next stage will be slow, as far as a timer is set for it."""

    def heard(self, observed: Observed) -> None:
        """Take down what is wanted."""
        self._wanted = frozenset(observed.alerts)

    async def keep(self) -> None:
        """Tell whatever comes up until cancelled."""
        while True:
            self._armed = self._next_due()
            left = self._armed - workflow.now() if self._armed else None
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(self._changed, timeout=left, timeout_summary="is a stage slow?")
            self._tell()

    async def finish(self, error: StageError | None) -> None:
        """Tell how the run ended and why, and return when everything that was told will be delivered without it."""
        self._error = error
        if self._wanted is None and workflow.patched(ASKED_AT_THE_END):
            with contextlib.suppress(ActivityError):
                self.heard(await _asked())
        self._tell()
        await self._detached.begun()

    async def carried(self) -> AlertProgress:
        """What the next execution must know; everything told so far will be delivered without this one."""
        self._tell()
        await self._detached.begun()
        return AlertProgress(active=tuple(sorted(self._active)), counts=self._counts)

    def _changed(self) -> bool:
        if not self._wanted:
            return False
        return self._holding().keys() != self._active or self._next_due() != self._armed

    def _tell(self) -> None:
        if not self._wanted:
            return
        holding = self._holding()
        news = [key for key in holding if key not in self._active]
        self._active = set(holding)
        for key in news:
            count = self._counts.get(key, 0) + 1
            self._counts[key] = count
            if count <= MOST:
                self._send(f"{key}/{count}", holding[key])

    def _send(self, key: str, fields: dict[str, Any]) -> None:
        run = self._book.status.run
        alert = Alert(id=f"{run.run_uid}/{key}", run=run, at=workflow.now(), **fields)
        identity = f"{run.pipeline}/{run.key}/alert/{alert.id}"
        self._detached.begin(ALERT_WORKFLOW, alert, id=identity, summary=f"tells of {alert.event}")

    def _holding(self) -> dict[str, dict[str, Any]]:
        """What holds now of what is wanted, by its key: everything an alert of it says."""
        status = self._mirror.current()
        found = self._of_run(status)
        if own := status.asking.get(""):
            found["waiting"] = {"event": "waiting", **_question("", own)}
        for name, stage in status.stages.items():
            if stage.phase is StagePhase.WAITING:
                found[f"waiting/{name}"] = {"event": "waiting", "stage": name, **_wants(stage)}
            if self._slow(name, stage):
                usual = format_duration(self._spec.slow_after_of(name) or timedelta(0))
                told = f"it has run for more than {usual}: {stage.note}".rstrip(": ")
                found[f"slow/{name}"] = {"event": "slow", "stage": name, "message": told}
        found |= _absent(status)
        wanted = self._wanted or frozenset()
        return {key: fields for key, fields in found.items() if fields["event"] in wanted}

    def _of_run(self, status: RunStatus) -> dict[str, dict[str, Any]]:
        if status.phase.ended:
            event = status.phase.value.lower()
            return {event: {"event": event, **_told(self._error)}}
        # A paused run that cleans up drains again: it is the same pause.
        paused = status.phase is RunPhase.PAUSED or "paused" in self._active
        if status.pause is None or not paused:
            return {}
        said = (status.pause.by and f"by {status.pause.by}", status.pause.reason)
        return {"paused": {"event": "paused", "message": "; ".join(filter(None, said))}}

    def _slow(self, name: str, stage: StageStatus) -> bool:
        """Whether a stage takes long; once it was called so, that is told and stays true."""
        if f"slow/{name}" in self._counts:
            return True
        due = self._due(name, stage)
        return due is not None and due <= workflow.now()

    def _due(self, name: str, stage: StageStatus) -> datetime | None:
        limit = self._spec.slow_after_of(name)
        if limit is None or stage.started_at is None or stage.phase is not StagePhase.RUNNING:
            return None
        return stage.started_at + limit

    def _next_due(self) -> datetime | None:
        """When the next stage will be slow, as things stand."""
        if "slow" not in (self._wanted or ()):
            return None
        stages = self._book.status.stages.items()
        dues = [self._due(name, stage) for name, stage in stages if f"slow/{name}" not in self._counts]
        return min((due for due in dues if due), default=None)


async def _asked() -> Observed:
    observed: Observed = await workflow.execute_activity_method(
        ObserverActivities.describe,
        task_queue=WORKFLOW_QUEUE,
        summary="does anybody want to hear of it?",
        **presets.local(timedelta(seconds=30)),
    )
    return observed


def _absent(status: RunStatus) -> dict[str, dict[str, Any]]:
    """Of each queue without a worker, the stages that wait for it."""
    waiting: dict[str, list[str]] = {}
    for name, stage in status.stages.items():
        if stage.note.startswith(NOTE) and not stage.phase.ended:
            waiting.setdefault(stage.note.removeprefix(NOTE), []).append(name)
    return {
        f"absent/{queue}": {
            "event": "absent",
            "stage": ",".join(names),
            "message": f"no worker serves {queue}",
            "hint": hint_for(ErrorKind.WORKER_ABSENT),
        }
        for queue, names in waiting.items()
    }


def _wants(stage: StageStatus) -> dict[str, Any]:
    """What a stage that waits wants of a person: an answer, or a decision on its error."""
    if stage.gate is None or not stage.asks:
        return _told(stage.error)
    return _question(stage.name, stage.gate)


def _question(name: str, gate: Gate) -> dict[str, Any]:
    asked = "; ".join((gate.question, *(f"{label}: {text}" for label, text in gate.shown.items())))
    command = " ".join(filter(None, ("python -m starter approve RUN", name, f"--answer ({gate.takes})")))
    return {"message": asked[:1000], "hint": f"answer with: {command}"}


def _told(error: StageError | None) -> dict[str, Any]:
    return error.model_dump() if error else {}
