"""Keeps what Temporal shows of a run in step with the book."""

from temporalio import workflow

from contracts.runs import RunPhase, RunStatus
from workflows.book import Book
from workflows.checkpoint import Checkpoint
from workflows.children import Children
from workflows.effects import Effects


class Mirror:
    """Adds to the book what follows from elsewhere: the pause, what drains, which jobs go on."""

    def __init__(self, book: Book, checkpoint: Checkpoint, effects: Effects) -> None:
        """Show this run."""
        self._book = book
        self._checkpoint = checkpoint
        self._effects = effects
        self.children: Children | None = None
        """Set once the plan is made."""

    async def keep(self) -> None:
        """Show every change until cancelled."""
        while True:
            self.refresh()
            self._book.mirror()
            await workflow.wait_condition(self._changed)

    def refresh(self) -> None:
        """Bring the book up to date."""
        self._book.status = self.current()

    def current(self) -> RunStatus:
        """The status as it is now."""
        status = self._book.status
        if status.phase.ended:
            return status
        fields = {
            "phase": self._phase(),
            "pause": self._checkpoint.pause,
            "jobs_running": self._book.live_jobs,
        }
        if all(getattr(status, name) == value for name, value in fields.items()):
            return status
        return status.model_copy(update=fields)

    def _changed(self) -> bool:
        return self.current() is not self._book.shown

    def _phase(self) -> RunPhase:
        if self._checkpoint.pause:
            draining = self._effects.draining or bool(self.children and self.children.draining)
            return RunPhase.PAUSING if draining else RunPhase.PAUSED
        return RunPhase.WAITING if self._book.status.waiting_for else RunPhase.RUNNING
