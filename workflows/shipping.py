"""Has the logs of each stage kept when it ends. It never fails a stage; what could not be kept is a note of the run."""

import asyncio

from temporalio.exceptions import ActivityError

from contracts import presets
from contracts.artifacts import locate
from contracts.jobs import JobRef
from contracts.queues import CLOUD_OF_SCHEME, normalise
from contracts.runs import RunRequest, StageStatus
from contracts.shipping import LogShippingActivities, Shipped, ShipRequest, StoreLogsRequest
from contracts.spec import PipelineSpec
from workflows.book import Book
from workflows.effects import Effects
from workflows.failures import stage_error
from workflows.finishing import to_the_end


def logs_owner(spec: PipelineSpec) -> str | None:
    """The connection whose container logs go to; None where nobody asked for them."""
    return normalise(CLOUD_OF_SCHEME[locate(spec.logs_uri).scheme]) if spec.logs_uri else None


class Shipping:
    """Ships beside the stages: only the end of the run waits for it, and not for long."""

    def __init__(self, request: RunRequest, book: Book, effects: Effects) -> None:
        """Ship what this run's stages leave."""
        self._spec = request.spec
        self._book = book
        self._effects = effects
        self._owner = logs_owner(request.spec)
        self._under_way: set[asyncio.Task[None]] = set()
        self._begun: set[tuple[str, int]] = set()

    def ended(self, name: str) -> None:
        """Ship the generation of a stage that has just ended, once; for nothing that never began."""
        stage = self._book.stage(name)
        key = (name, stage.attempts)
        if self._owner is None or not stage.connection or stage.started_at is None or key in self._begun:
            return
        self._begun.add(key)
        task = asyncio.create_task(self._ship(name, stage))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def done(self) -> None:
        """Return when nothing is under way."""
        if self._under_way:
            await to_the_end(asyncio.gather(*self._under_way))

    async def _ship(self, name: str, stage: StageStatus) -> None:
        try:
            shipped = await self._shipped(name, stage)
        except ActivityError as error:
            said = stage_error(error)
            self._note(f"logs of {name}: {said.kind}: {said.message}")
            return
        if shipped.uris:
            held = self._book.stage(name).logs
            self._book.change(name, logs=(*held, *(uri for uri in shipped.uris if uri not in held)))
        if shipped.missing:
            self._note(f"logs of {name}: {shipped.missing}")

    async def _shipped(self, name: str, stage: StageStatus) -> Shipped:
        run = self._book.status.run
        generation = max(1, stage.attempts)
        target = f"{self._spec.logs_uri}{run.pipeline}/{run.key}/{name}/{generation}/"
        own = stage.connection == self._owner
        read = await self._effects.call(
            LogShippingActivities.ship,
            ShipRequest(
                run=run,
                stage=name,
                generation=generation,
                job=_ref(stage),
                since=stage.started_at or self._book.status.started_at,
                target=target if own else None,
            ),
            on=stage.connection,
            preset=presets.shipping(),
            stage=name,
            summary="keep its logs",
            gated=False,
        )
        if own or not read.carried or self._owner is None:
            return read
        stored = await self._effects.call(
            LogShippingActivities.store,
            StoreLogsRequest(target=target, owner=f"{run.run_uid}/{name}", files=read.carried),
            on=self._owner,
            preset=presets.shipping(),
            stage=name,
            summary="keep its logs",
            gated=False,
        )
        return stored.model_copy(update={"missing": read.missing})

    def _note(self, words: str) -> None:
        self._book.update(notes=(*self._book.status.notes, words[:500]))


def _ref(stage: StageStatus) -> JobRef | None:
    job = stage.job
    if job is None or not job.id:
        return None
    return JobRef(id=job.id, name=job.name, generation=job.generation, kind=job.kind, console=job.console)
