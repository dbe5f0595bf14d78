"""What Temporal knows that a person may be about to write: runs, stages, schedules. Quick, and silent when it is away."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from contracts.connect import connect
from contracts.runs import PIPELINE_KEY, STATE_KEY, STATE_MEMO, RunPhase, StagePhase
from starter import local
from starter.completing import Candidate
from starter.selection import ListOptions, question

PATIENCE_SECONDS = 1.0
MOST = 50


_LIVE = tuple(phase.value for phase in RunPhase if not phase.ended)
_WAITING = ListOptions(waiting=True)
_CHOSEN = {
    "pause": ListOptions(state=("RUNNING", "WAITING")),
    "resume": ListOptions(state=("PAUSED", "PAUSING")),
    "cancel": ListOptions(state=_LIVE),
    "limit": ListOptions(state=("RUNNING",), pipeline=("copy",)),
    **dict.fromkeys(("retry", "skip", "abort", "approve"), _WAITING),
}
"""Which runs a word can do something about; the others take any."""


async def candidates(what: str, word: str, begun: str, run_id: str | None) -> list[Candidate]:
    """What a word of the command line may be given where its help says `what`."""
    if what == "STATE":
        return [Candidate(phase.value) for phase in RunPhase]
    if what == "SCHEDULE":
        return await schedules()
    if what == "RUN":
        return await runs(_CHOSEN.get(word, ListOptions()), begun)
    return await stages(run_id, waiting=_CHOSEN.get(word) is _WAITING) if run_id else []


async def runs(options: ListOptions, begun: str) -> list[Candidate]:
    """Runs whose identity begins so."""
    asked = question(options)
    if re.fullmatch(r"[A-Za-z0-9._/:-]+", begun):
        asked += f" AND WorkflowId STARTS_WITH '{begun}'"

    async def look(client: Client) -> list[Candidate]:
        return [
            Candidate(run.id, run.typed_search_attributes.get(STATE_KEY) or "")
            async for run in client.list_workflows(asked, limit=MOST)
        ]

    return await _asked(look)


async def stages(run_id: str, *, waiting: bool) -> list[Candidate]:
    """The stages of a run, or those of them that wait for a person."""

    async def look(client: Client) -> list[Candidate]:
        description = await client.get_workflow_handle(run_id).describe()
        state: dict[str, Any] = await description.memo_value(STATE_MEMO, {}, type_hint=dict)
        return [
            Candidate(name, phase)
            for name, phase in state.get("stages", {}).items()
            if not waiting or phase == StagePhase.WAITING
        ]

    return await _asked(look)


async def schedules() -> list[Candidate]:
    """Schedules of pipelines."""

    async def look(client: Client) -> list[Candidate]:
        found = await client.list_schedules()
        return [Candidate(held.id) async for held in found if held.typed_search_attributes.get(PIPELINE_KEY)]

    return await _asked(look)


async def _asked(look: Callable[[Client], Awaitable[list[Candidate]]]) -> list[Candidate]:
    """What Temporal answers within a second; nothing where it does not."""
    if not local.temporal_is_configured() and not local.adopt_environment():
        return []

    async def whole() -> list[Candidate]:
        return await look(await connect())

    try:
        return await asyncio.wait_for(whole(), PATIENCE_SECONDS)
    except (TimeoutError, RuntimeError, ValueError, RPCError):
        return []
