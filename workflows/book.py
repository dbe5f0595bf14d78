"""The book of a run: its one mutable state, and the mirror of it that Temporal shows without asking a worker."""

from typing import Any

from temporalio import workflow

from contracts.accounts import add_up
from contracts.artifacts import Artifact
from contracts.decisions import DECISIONS_KEPT, Decided
from contracts.graph import OutputName
from contracts.ledger import Spent
from contracts.runs import (
    CLOUDS_KEY,
    RUN_UID_KEY,
    STATE_KEY,
    STATE_MEMO,
    STATUS_MEMO,
    WAITING_KEY,
    RunPhase,
    RunStatus,
    StagePhase,
    StageStatus,
    TransferResult,
)
from workflows.details import stage_table
from workflows.measured import generation_began, run_ended, stage_ended, transferred


class Book:
    """Holds what has happened; every change is mirrored at once."""

    def __init__(self, status: RunStatus) -> None:
        """Go on from this status."""
        self.status = status
        self.shown: RunStatus | None = None
        """What was mirrored last."""
        self._mirrored: tuple[Any, ...] = ()
        self._failed_by = {name: stage.error.kind for name, stage in status.stages.items() if stage.error}

    def stage(self, name: str) -> StageStatus:
        """The stage as it stands."""
        return self.status.stages[name]

    def change(self, name: str, **fields: Any) -> None:
        """Change fields of a stage; times follow from the phase."""
        phase = fields.get("phase")
        held = self.stage(name)
        if phase is StagePhase.RUNNING and held.started_at is None:
            fields["started_at"] = workflow.now()
        if phase is not None and phase.ended:
            fields["ended_at"] = workflow.now()
        stages = {**self.status.stages, name: held.model_copy(update=fields)}
        self.status = self.status.model_copy(update={"stages": stages})
        if phase is not None and phase.ended and not held.phase.ended:
            stage_ended(stages[name])
        if fields.get("attempts", held.attempts) > held.attempts:
            generation_began(stages[name], self._failed_by.get(name))
        if error := fields.get("error"):
            self.failed_by(name, error.kind)

    def failed_by(self, name: str, kind: str) -> None:
        """Keep the kind of error that the next generation of a stage makes good."""
        self._failed_by[name] = kind

    def note(self, name: str, note: str) -> None:
        """Say what a stage does now."""
        if self.stage(name).note != note:
            self.change(name, note=note)

    def record(self, result: TransferResult) -> None:
        """Add a finished transfer."""
        transferred(result)
        self.status = self.status.model_copy(update={"transfers": (*self.status.transfers, result)})

    def charged(self, spent: tuple[Spent, ...]) -> None:
        """Add what was spent."""
        self.update(charges=add_up((*self.status.charges, *spent)))

    def remark(self, words: str) -> None:
        """Add a note about the run."""
        self.update(notes=(*self.status.notes, words[:500]))

    def update(self, **fields: Any) -> None:
        """Change fields of the run."""
        self.status = self.status.model_copy(update=fields)

    def decided(self, decided: Decided) -> None:
        """Add what a person decided; of very many the latest are kept."""
        self.update(decisions=(*self.status.decisions, decided)[-DECISIONS_KEPT:])

    def output(self, name: OutputName) -> Artifact:
        """The artifact that a stage left; it has succeeded."""
        return self.stage(name.stage).outputs[name.output]

    @property
    def all_ended(self) -> bool:
        """Whether no stage has anything left to do."""
        return all(stage.phase.ended for stage in self.status.stages.values())

    def cancel_unended(self) -> None:
        """Say of each stage that has not ended that it was cancelled."""
        for name, stage in self.status.stages.items():
            if not stage.phase.ended:
                self.change(name, phase=StagePhase.CANCELLED)

    @property
    def live_jobs(self) -> int:
        """How many remote jobs go on, whatever the run does."""
        running = [stage for stage in self.status.stages.values() if stage.phase is StagePhase.RUNNING]
        single = sum(1 for stage in running if stage.job and not stage.job.phase.terminal)
        return single + sum(stage.fanout.jobs for stage in running if stage.fanout)

    def lies_at(self, artifact: Artifact, connection: str) -> Artifact | None:
        """Find the same content on a connection: an output of a stage there, or what a transfer brought."""
        for stage in self.status.stages.values():
            for held in stage.outputs.values():
                if stage.connection == connection and _same(held, artifact):
                    return held
        for moved in self.status.transfers:
            if moved.destination == connection and _same(moved.result, artifact):
                return moved.result
        return None

    def mirror(self) -> None:
        """Show the state in search attributes, memo and details; only what changed makes an event."""
        self.shown = self.status
        workflow.set_current_details(stage_table(self.status))
        clouds = sorted({stage.connection.split("/")[0] for stage in self.status.stages.values()} - {""})
        shown = (self.status.phase, self.status.waiting_for, clouds, brief_state(self.status))
        if shown == self._mirrored:
            return
        if shown[:3] != self._mirrored[:3]:
            workflow.upsert_search_attributes(
                [
                    STATE_KEY.value_set(self.status.phase.value),
                    WAITING_KEY.value_set(self.status.waiting_for[:200] or "-"),
                    CLOUDS_KEY.value_set(clouds),
                    RUN_UID_KEY.value_set(self.status.run.run_uid),
                ]
            )
        workflow.upsert_memo({STATE_MEMO: brief_state(self.status)})
        self._mirrored = shown

    def close(self, phase: RunPhase) -> RunStatus:
        """End the run in this phase; the whole status goes into the memo, so no worker is needed to read it."""
        self.update(phase=phase, ended_at=workflow.now(), jobs_running=0)
        run_ended(self.status)
        self.mirror()
        workflow.upsert_memo({STATUS_MEMO: self.status})
        return self.status

    def repeat(self, earlier: RunStatus) -> RunStatus:
        """End with what the run came to that did the same before."""
        told = f"it was run already, and ended {earlier.ended_at}; nothing was done again"
        self.status = earlier.model_copy(update={"notes": (told,)})
        self.mirror()
        workflow.upsert_memo({STATUS_MEMO: self.status})
        return self.status


def brief_state(status: RunStatus) -> dict[str, Any]:
    """The state in brief: phases of the run and of its stages, and who paused it."""
    return {
        "phase": status.phase.value,
        "stages": {name: stage.phase.value for name, stage in status.stages.items()},
        "pause": status.pause.model_dump(mode="json") if status.pause else None,
    }


def _same(held: Artifact, wanted: Artifact) -> bool:
    return held.kind == wanted.kind and held.digest == wanted.digest
