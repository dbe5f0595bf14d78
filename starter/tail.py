"""The last lines of the log of a job that runs, fetched now and then for the live view."""

import asyncio
from collections.abc import Callable

from temporalio.client import Client
from temporalio.service import RPCError

from contracts.errors import printable
from contracts.jobs import JobPhase
from contracts.runs import RunStatus, StagePhase, StageStatus
from starter.exits import StarterError
from starter.log_pages import LogOptions, page_of
from starter.log_sources import source_of

EVERY_SECONDS = 5.0
"""A page costs a workflow and a moment of the cloud's worker; there is never more than one on its way."""
PATIENCE_SECONDS = 20.0
LINES = 8


class Tail:
    """Keeps the last lines at hand, from when it is begun until it is ended."""

    def __init__(self, temporal: Client, identity: str, changed: Callable[[], None]) -> None:
        """Fetch nothing yet; `changed` is called when there are other lines."""
        self._temporal, self._identity, self._changed = temporal, identity, changed
        self.title = ""
        self.lines: list[str] = []

    async def follow(self, run: Callable[[], RunStatus | None]) -> None:
        """Fetch the tail of what runs, again and again; a worker that is busy or away is waited for."""
        while True:
            now = run()
            held = running_job(now) if now else None
            if now and held:
                self.title = f"log of {held.name}"
                self.lines = await self._lines(now, held)
            else:
                self.title, self.lines = "no job runs that has a log", []
            self._changed()
            await asyncio.sleep(EVERY_SECONDS)

    async def _lines(self, now: RunStatus, held: StageStatus) -> list[str]:
        options = LogOptions(self._identity, held.name, LINES)
        try:
            source = source_of(now, held, options)
            if source is None:
                return []
            asked = page_of(self._temporal, self._identity, held.name, source.request(LINES, None, 0.0))
            page = await asyncio.wait_for(asked, PATIENCE_SECONDS)
        except TimeoutError:
            return [f"the worker of {held.connection} is busy or away; trying again"]
        except StarterError as error:
            return error.message.splitlines()
        except RPCError as error:
            return [f"Temporal did not answer ({error.status.name}); trying again"]
        return [printable(line) for line in page.lines[-LINES:]]


def running_job(now: RunStatus) -> StageStatus | None:
    """The stage whose job runs, the one that began last; stages over many items are told by `logs --item`."""
    found = [
        stage
        for stage in now.stages.values()
        if stage.phase is StagePhase.RUNNING
        and stage.job is not None
        and stage.job.kind != "deploy"
        and stage.job.phase is JobPhase.RUNNING
        and stage.fanout is None
    ]
    return max(found, key=lambda stage: stage.started_at or now.started_at, default=None)
