"""When a run's history is long enough to be cut."""

from temporalio import workflow

from contracts.plan import Plan
from contracts.runs import RunProgress, StagePhase
from workflows.book import Book
from workflows.checkpoint import Checkpoint

HISTORY_LIMIT = 20_000
"""Events after which nothing new starts beside what runs; Temporal ends a workflow at 51 200."""


def rolling(book: Book) -> bool:
    """Whether nothing new starts, since this execution's history is long enough.

    As long as the history is not far too long, what runs is a reason to start what can run beside it.
    """
    info = workflow.info()
    if not info.is_continue_as_new_suggested():
        return False
    running = any(stage.phase is StagePhase.RUNNING for stage in book.status.stages.values())
    return not running or info.get_current_history_length() > HISTORY_LIMIT


def progress_of(book: Book, checkpoint: Checkpoint, plan: Plan, unfinished: tuple[str, ...]) -> RunProgress:
    """What the next execution goes on with."""
    paused = checkpoint.paused_for if checkpoint.pause is None else checkpoint.paused_before
    return RunProgress(
        status=book.status, plan=plan, paused_seconds=paused.total_seconds(), unfinished=unfinished
    )
