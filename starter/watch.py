"""Watching a run to its end: a live view with keys at a terminal, plain lines in a pipe."""

import asyncio

from rich.console import Console
from temporalio.client import Client

from contracts.runs import RunPhase, RunStatus, StagePhase, workflow_id
from starter.desk import POLL_SECONDS, Desk
from starter.exits import StarterError
from starter.show import plain_line
from starter.temporal import status
from starter.terminal import has_a_person

PATIENCE = 6
"""Answers in a row that may be missing, since a worker or the server may be on its way back."""


async def watch(temporal: Client, identity: str, out: Console, *, quiet: bool = False) -> RunStatus:
    """Return when the run has ended, or when it waits for a person and nobody is there to ask.

    Raises:
        StarterError: there is no such run, nobody answers for it, or the person at the terminal left.
    """
    if not quiet and has_a_person(out):
        return await Desk(temporal, identity, out, lambda: _status(temporal, identity)).watch()
    lines = None if quiet else _Lines(out)
    while True:
        now = await _status(temporal, identity)
        if lines:
            lines.show(now)
        if now.phase.ended or _stuck(now):
            return now
        await asyncio.sleep(POLL_SECONDS)


def _stuck(now: RunStatus) -> bool:
    """Whether nothing moves until a person decides."""
    running = any(stage.phase is StagePhase.RUNNING for stage in now.stages.values())
    return now.phase is RunPhase.WAITING and not running


async def _status(temporal: Client, identity: str) -> RunStatus:
    for attempt in range(PATIENCE):
        try:
            return await status(temporal, identity)
        except StarterError:
            if attempt == PATIENCE - 1:
                raise
            await asyncio.sleep(POLL_SECONDS)
    raise AssertionError("unreachable: the last attempt returns or raises")


class _Lines:
    """A line per change."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._said: dict[str, str] = {}

    def show(self, now: RunStatus) -> None:
        """Print what is new."""
        lines = {
            name: plain_line(stage)
            for name, stage in now.stages.items()
            if stage.phase is not StagePhase.PENDING
        }
        lines[""] = f"{workflow_id(now.run.pipeline, now.run.key)} {now.phase.value}"
        for key, line in lines.items():
            if self._said.get(key) != line:
                self._out.print(line, markup=False, soft_wrap=True)
        self._said |= lines
