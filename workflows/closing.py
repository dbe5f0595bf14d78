"""What a stage leaves when it does not go on: no job, no table job; and how that is told."""

from temporalio import workflow

from contracts import presets
from contracts.closing import CloseRequest, ClosingActivities
from contracts.jobs import JobPhase, JobRequest, JobState
from contracts.runs import StageStatus
from contracts.tables import TableActivities, TableCancelRequest, TableJobKey
from workflows.context import RunContext
from workflows.failures import unanswered

CLOSED_BY_NAME = "jobs-closed-by-name"
TABLES_CANCELLED = "tables-cancelled"
"""Runs that began before these were there clean up as they did then, or their histories could not be replayed."""

REMOVED, NONE_MADE = "removed endpoint", "no endpoint was made"
STILL_LIVES = "its endpoint may still live or be on its way out"
WORDS_KEPT = ("stopped ", "gave up ", REMOVED, NONE_MADE, STILL_LIVES)
"""How the notes of clean-ups begin that are still told when the stage is over."""


def closes_by_name() -> bool:
    """Whether this run looks for jobs by their names too, not by their tags alone."""
    return workflow.patched(CLOSED_BY_NAME)


async def close_jobs(
    context: RunContext, request: JobRequest, error: BaseException, *, answered: bool
) -> tuple[JobState, ...]:
    """Have every job of a stage ended for certain, whether or not its submit ever answered.

    Raises:
        ActivityError: that cannot be said; a job may still live.
    """
    closed = await context.effects.call(
        ClosingActivities.close,
        CloseRequest(request=request, under_way=not answered and unanswered(error)),
        on=context.placement(request.stage).connection,
        preset=presets.stopping(context.timeout(request.stage)),
        stage=request.stage,
        summary="close its jobs",
        gated=False,
    )
    return closed.jobs


async def cancel_table_jobs(context: RunContext, key: TableJobKey, table: str | None) -> None:
    """Have a load or query that was given up ended for certain, and nothing staged left of it.

    Raises:
        ActivityError: that cannot be said.
    """
    if not workflow.patched(TABLES_CANCELLED):
        return
    context.book.note(key.stage, "stopping its table job")
    left = await context.effects.call(
        TableActivities.cancel,
        TableCancelRequest(key=key, table=table),
        on=context.placement(key.stage).connection,
        preset=presets.stopping(context.timeout(key.stage)),
        stage=key.stage,
        summary="stop its table job",
        gated=False,
    )
    if left.stopped:
        context.book.note(key.stage, f"stopped {', '.join(left.stopped)}")


def cancelled_note(stage: StageStatus) -> str:
    """Say of a cancelled stage what became of its job or endpoint, where it had one that had not ended by itself."""
    if stage.job is not None and stage.job.phase is JobPhase.STOPPED:
        return f"cancelled; job {stage.job.name} was stopped"
    return f"cancelled; {stage.note}" if stage.note.startswith(WORDS_KEPT) else "cancelled"
