"""Where a pause takes hold: between any two effects a run passes here."""

import contextlib
from datetime import datetime, timedelta
from functools import partial
from typing import Self

from pydantic import TypeAdapter, ValidationError
from temporalio import workflow

from contracts.runs import Pause

_TIME = TypeAdapter(datetime)


class Checkpoint:
    """Keeps a run from starting anything new while it is paused, and knows how long that took."""

    def __init__(self, pause: Pause | None = None, paused_before: timedelta = timedelta(0)) -> None:
        """Begin paused if the run was."""
        self.pause = pause
        self.paused_before = paused_before

    @classmethod
    def resumed(cls, pause: Pause | None, paused_seconds: float) -> Self:
        """Go on as an execution before this one left it."""
        return cls(pause, timedelta(seconds=paused_seconds))

    async def passed(self) -> None:
        """Return at once, or when the run is resumed."""
        await workflow.wait_condition(lambda: self.pause is None)

    def hold(self, payload: tuple[object, ...]) -> None:
        """Pause, whatever came with the signal: the SDK drops one it cannot decode, and one it cannot pass on blocks."""
        first = payload[0] if payload else None
        self.pause = read_pause(first, since=self.pause.since if self.pause else workflow.now())

    def release(self) -> None:
        """Resume; without a pause it changes nothing."""
        self.paused_before = self.paused_for
        self.pause = None

    @property
    def stops_jobs(self) -> bool:
        """Whether a pause has remote jobs stopped."""
        return self.pause is not None and self.pause.jobs == "stop"

    @property
    def paused_for(self) -> timedelta:
        """How long the run has been paused in all, up to now."""
        now = workflow.now() - self.pause.since if self.pause else timedelta(0)
        return self.paused_before + now

    async def until_due(self) -> None:
        """Return when a pause that names an end has reached it; its keeper then releases it."""
        while True:
            await workflow.wait_condition(lambda: self._left() is not None)
            left, held = self._left(), self.pause
            if left is None:
                continue
            if left <= timedelta(0):
                return
            with contextlib.suppress(TimeoutError):
                until = f"paused until {held.until:%Y-%m-%d %H:%M %Z}" if held and held.until else "paused"
                await workflow.wait_condition(
                    partial(self._changed, held), timeout=left, timeout_summary=until[:100]
                )

    def _left(self) -> timedelta | None:
        return self.pause.until - workflow.now() if self.pause and self.pause.until else None

    def _changed(self, held: Pause | None) -> bool:
        return self.pause is not held


class Deadline:
    """A limit on a stage that stands still while the run is paused."""

    def __init__(self, checkpoint: Checkpoint, limit: timedelta) -> None:
        """Start counting now."""
        self._checkpoint = checkpoint
        self._limit = limit
        self._began = workflow.now()
        self._paused_at_start = checkpoint.paused_for

    @classmethod
    def began_at(cls, checkpoint: Checkpoint, limit: timedelta | None, began: datetime) -> Self | None:
        """Count from a moment in the past, in which the checkpoint's own pauses lie; None without a limit."""
        if limit is None:
            return None
        found = cls(checkpoint, limit)
        found._began = began
        found._paused_at_start = timedelta(0)
        return found

    @property
    def left(self) -> timedelta:
        """What is left of the limit; never below zero."""
        paused = self._checkpoint.paused_for - self._paused_at_start
        return max(timedelta(0), self._limit - (workflow.now() - self._began - paused))


def read_pause(payload: object, *, since: datetime) -> Pause:
    """Read `{reason?, by?, until?, jobs?}`; what cannot be read is left out, never refused."""
    fields = payload if isinstance(payload, dict) else {"reason": payload} if isinstance(payload, str) else {}
    return Pause(
        reason=_text(fields.get("reason")),
        by=_text(fields.get("by")),
        until=_moment(fields.get("until")),
        since=since,
        jobs="stop" if fields.get("jobs") == "stop" else "continue",
    )


def read_by(payload: tuple[object, ...]) -> str:
    """Who sent a signal, as far as it says so in `{by?}`."""
    first = payload[0] if payload else None
    return _text(first.get("by")) if isinstance(first, dict) else ""


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""


def _moment(value: object) -> datetime | None:
    try:
        moment = _TIME.validate_python(value) if value else None
    except ValidationError:
        return None
    return moment if moment and moment.tzinfo else None
