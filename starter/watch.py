"""Watching a run to its end: a live table at a terminal, plain lines in a pipe, a question when it waits."""

import asyncio
import getpass
import sys

from rich.console import Console
from rich.live import Live
from rich.prompt import Prompt
from temporalio.client import Client

from contracts.approvals import Approval
from contracts.decisions import StageDecision
from contracts.runs import RunPhase, RunStatus, StagePhase, StageStatus, workflow_id
from starter.exits import StarterError
from starter.gate_show import question
from starter.show import error_of, live_view, plain_line
from starter.temporal import decide, status
from workflows.pipeline import PipelineWorkflow

POLL_SECONDS = 0.5
PATIENCE = 6
"""Answers in a row that may be missing, since a worker or the server may be on its way back."""
UPDATES = {
    "retry": PipelineWorkflow.retry_stage,
    "skip": PipelineWorkflow.skip_stage,
    "abort": PipelineWorkflow.abort,
}


async def watch(temporal: Client, identity: str, out: Console, *, quiet: bool = False) -> RunStatus:
    """Return when the run has ended, or when it waits for a person and nobody is there to ask."""
    view = _Quiet() if quiet else _Table(out) if out.is_terminal else _Lines(out)
    with view:
        while True:
            now = await _status(temporal, identity)
            view.show(now)
            if now.phase.ended:
                return now
            if _stuck(now):
                if quiet or not (out.is_terminal and sys.stdin.isatty()):
                    return now
                view.rest()
                await _ask(temporal, identity, now, out)
                view.go_on()
            await asyncio.sleep(POLL_SECONDS)


def user() -> str:
    """Who decides, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


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


async def _ask(temporal: Client, identity: str, now: RunStatus, out: Console) -> None:
    for name, stage in now.stages.items():
        if stage.phase is not StagePhase.WAITING:
            continue
        # The live table that showed it has made room for the question.
        if stage.asks:
            await _ask_gate(temporal, identity, stage, out)
            continue
        out.print(error_of(stage))
        choice = await asyncio.to_thread(
            Prompt.ask,
            f"{name} waits",
            choices=["retry", "skip", "abort", "leave"],
            default="leave",
            console=out,
        )
        if choice == "leave":
            raise StarterError(
                f"{identity} waits; decide with: python -m starter retry|skip|abort {identity} {name}"
            )
        try:
            out.print(await decide(temporal, identity, UPDATES[choice], StageDecision(stage=name, by=user())))
        except StarterError as refusal:
            out.print(refusal.message, style="red")


async def _ask_gate(temporal: Client, identity: str, stage: StageStatus, out: Console) -> None:
    out.print(question(stage, identity))
    said = await asyncio.to_thread(Prompt.ask, f"{stage.name}, or leave", default="leave", console=out)
    if said == "leave":
        raise StarterError(
            f"{identity} waits; answer with: python -m starter approve {identity} {stage.name}"
        )
    approval = Approval(stage=stage.name, answer=said, by=user())
    try:
        out.print(await decide(temporal, identity, PipelineWorkflow.approve, approval), markup=False)
    except StarterError as refusal:
        out.print(refusal.message, style="red", markup=False)


class _Quiet:
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...

    def show(self, now: RunStatus) -> None:
        """Show nothing."""

    def rest(self) -> None:
        """Make room for a question."""

    def go_on(self) -> None:
        """Take the screen back."""


class _Table(_Quiet):
    """A live table that redraws in place."""

    def __init__(self, out: Console) -> None:
        self._live = Live(console=out, auto_refresh=False, transient=True)

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def show(self, now: RunStatus) -> None:
        """Redraw."""
        self._live.update(live_view(now), refresh=True)

    def rest(self) -> None:
        """Make room for a question."""
        self._live.stop()

    def go_on(self) -> None:
        """Take the screen back."""
        self._live.start()


class _Lines(_Quiet):
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
