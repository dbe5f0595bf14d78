"""Has it written down what each stage made of which data. It never delays or fails the run."""

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.lineage import (
    LINEAGE_WORKFLOW,
    LineageActivities,
    LineageBatch,
    LineageEvent,
    LineageKind,
    LineageProgress,
    LineageReceipt,
)
from contracts.plan import Plan
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import RunPhase, RunRequest, StageError, StagePhase, StageStatus
from contracts.stages import CopyStage, LoadTableStage
from workflows.book import Book
from workflows.detached import Detached
from workflows.failures import stage_error

_RUN_ENDS: dict[RunPhase, LineageKind] = {
    RunPhase.SUCCEEDED: "COMPLETE",
    RunPhase.FAILED: "FAIL",
    RunPhase.CANCELLED: "ABORT",
}


@workflow.defn(name=LINEAGE_WORKFLOW)
class LineageWorkflow:
    """Delivers events, for as long as that takes within a day. Whoever began it has gone on."""

    @workflow.run
    async def run(self, batch: LineageBatch) -> LineageReceipt:
        """Return what became of them; that nobody took them is an answer, not a failure."""
        try:
            return await workflow.execute_activity_method(
                LineageActivities.emit,
                batch,
                task_queue=WORKFLOW_QUEUE,
                summary=f"{len(batch.events)} events",
                **presets.alerting(),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            why = stage_error(error)
            return LineageReceipt(sent=0, why=f"{why.kind}: {why.message}")


class Lineage:
    """Compares the stages as they stand with what was told."""

    def __init__(self, request: RunRequest, book: Book) -> None:
        """Watch this run, from where the execution before this one left off."""
        held = request.progress.lineage if request.progress else LineageProgress()
        self._spec = request.spec
        self._book = book
        self._plan: Plan | None = None
        """None unless somebody wants to know."""
        self._begun = held.begun
        self._attempts = dict(held.attempts)
        self._open = set(held.open)
        self._batches = held.batches
        self._seen: tuple[StagePhase, ...] = ()
        self._detached = Detached()

    def planned(self, plan: Plan) -> None:
        """Take down what is planned; from now on everything is told, if anybody wants to know."""
        self._plan = plan if plan.observed.lineage else None

    async def keep(self) -> None:
        """Tell whatever changes until cancelled."""
        while True:
            await workflow.wait_condition(self._changed)
            self._tell()

    async def finish(self, error: StageError | None) -> None:
        """Tell how the run ended, and return when everything that was told will be delivered without it."""
        self._tell(_RUN_ENDS[self._book.status.phase], error)
        await self._detached.begun()

    async def carried(self) -> LineageProgress:
        """What the next execution must know; everything told so far will be delivered without this one."""
        self._tell()
        await self._detached.begun()
        return LineageProgress(
            begun=self._begun,
            attempts=self._attempts,
            open=tuple(sorted(self._open)),
            batches=self._batches,
        )

    def _changed(self) -> bool:
        return self._plan is not None and self._phases() != self._seen

    def _phases(self) -> tuple[StagePhase, ...]:
        return tuple(stage.phase for stage in self._book.status.stages.values())

    def _tell(self, end: LineageKind | None = None, error: StageError | None = None) -> None:
        if self._plan is None:
            return
        self._seen = self._phases()
        status, events = self._book.status, list[LineageEvent]()
        if not self._begun:
            self._begun = True
            events.append(LineageEvent(kind="START", at=status.started_at))
        for stage in status.stages.values():
            events += self._of_stage(self._plan, stage)
        if end is not None:
            said = error.message if error else ""
            events.append(LineageEvent(kind=end, at=status.ended_at or workflow.now(), error=said))
        if not events:
            return
        self._batches += 1
        run = status.run
        batch = LineageBatch(run=run, events=tuple(events))
        identity = f"{run.pipeline}/{run.key}/lineage/{run.run_uid}/{self._batches}"
        self._detached.begin(LINEAGE_WORKFLOW, batch, id=identity, summary="tells of lineage")

    def _of_stage(self, plan: Plan, stage: StageStatus) -> list[LineageEvent]:
        """What of a stage was not told yet: that it began, that it ended, or both at once."""
        name, found = stage.name, list[LineageEvent]()
        begun = name in self._open
        unseen = name not in self._attempts and stage.phase.ended and stage.started_at is not None
        if not begun and (stage.phase is StagePhase.RUNNING or unseen):
            begun = True
            self._open.add(name)
            self._attempts[name] = self._attempts.get(name, 0) + 1
            first = self._attempts[name] == 1
            at = stage.started_at if first and stage.started_at else workflow.now()
            found.append(self._event(plan, stage, "START", at=at))
        kind = _end_of(stage)
        if begun and kind is not None:
            self._open.discard(name)
            outputs = self._outputs(stage) if kind == "COMPLETE" else ()
            said = stage.error.message if kind == "FAIL" and stage.error else ""
            at = stage.ended_at or workflow.now()
            found.append(self._event(plan, stage, kind, at=at, outputs=outputs, error=said))
        return found

    def _event(self, plan: Plan, stage: StageStatus, kind: LineageKind, **fields: Any) -> LineageEvent:
        return LineageEvent(
            kind=kind,
            stage=stage.name,
            stage_kind=stage.kind,
            attempt=self._attempts[stage.name],
            inputs=self._inputs(plan, stage.name),
            **fields,
        )

    def _inputs(self, plan: Plan, name: str) -> tuple[str, ...]:
        """Where what a stage reads was made: copies that were brought to it are the same data."""
        stage = self._spec.stages[name]
        if isinstance(stage, CopyStage) and stage.source:
            return (stage.source,)
        found = []
        for written in plan.placements[name].inputs.values():
            producer, _, output = written.partition(".")
            held = self._book.stage(producer).outputs.get(output)
            found += [held.uri] if held else []
        return tuple(dict.fromkeys(found))

    def _outputs(self, stage: StageStatus) -> tuple[str, ...]:
        asked = self._spec.stages[stage.name]
        if isinstance(asked, LoadTableStage):
            return (f"bigquery:{asked.table}",)
        return tuple(artifact.uri for artifact in stage.outputs.values())


def _end_of(stage: StageStatus) -> LineageKind | None:
    if stage.phase is StagePhase.SUCCEEDED:
        return "COMPLETE"
    if stage.phase is StagePhase.CANCELLED:
        return "ABORT"
    if stage.asks:
        return None
    return "FAIL" if stage.phase is StagePhase.WAITING or stage.phase.ended else None
