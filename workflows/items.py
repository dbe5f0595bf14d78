"""The items of a stage: where they come from, and the job of each."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import presets
from contracts.artifacts import Artifact
from contracts.errors import ErrorKind, failure
from contracts.fanout import EnumerateRequest, FanoutRequest, GatherActivities, ItemPhase, ItemState
from contracts.foreach import ITEMS_LIMIT, Foreach, Item, Value, item_stage
from contracts.jobs import JobRef, JobState
from contracts.plan import Placement, Plan
from contracts.runs import RunRequest, RunStatus, StagePhase, StageStatus
from contracts.stage_records import Elsewhere, StageJob
from contracts.stages import JobStage
from contracts.tables import QueryRequest, TableActivities, TableCancelRequest, TableJobKey
from workflows.book import Book
from workflows.charges import of_query
from workflows.charging import Charging
from workflows.checkpoint import Checkpoint
from workflows.context import RunContext
from workflows.effects import Effects
from workflows.finishing import to_the_end
from workflows.generations import run_generations
from workflows.outcomes import Outcome
from workflows.shortage import Shortage
from workflows.values import query_of


@dataclass
class JobSeconds:
    """How long jobs that have ended were billed for, or ran; None once one did not say."""

    total: float | None = 0.0

    def count(self, job: StageJob | None) -> None:
        """Add a job; nothing for a generation that came to none."""
        if job is not None and self.total is not None:
            paid = job.paid_seconds
            self.total = None if paid is None else self.total + paid


@dataclass
class ItemContext(RunContext):
    """A run as the job of one item sees it: it has the placement and the limits of its stage."""

    owner: str = ""
    round: int = 1
    used: JobSeconds = field(default_factory=JobSeconds)
    """What the jobs of all items have taken."""
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    shortage: Shortage | None = None

    @property
    def own_round(self) -> int:
        """How often the stage was tried at this place."""
        return self.round - self.elsewhere.rounds

    def count(self, job: StageJob | None) -> None:
        """See `RunContext.count`."""
        self.used.count(job)

    def placement(self, stage: str) -> Placement:
        """Where the item runs."""
        held = self.plan.placements[self.owner]
        index = self.item.index if self.item else 0
        return held.model_copy(update={"prefix": f"{held.prefix}{index:05}/"})

    def shown_as(self, stage: str) -> str:
        """An item's job belongs to the stage."""
        return self.owner

    def charged_before(self, state: JobState) -> bool:
        """Whether a round before this one had it."""
        began = self.book.stage(item_stage(self.owner, self.item.index)).started_at if self.item else None
        return bool(self.own_round > 1 and began and state.submitted_at and state.submitted_at < began)

    def timeout(self, stage: str) -> timedelta:
        """How long one generation of the item's job may take."""
        return self.request.spec.timeout_of(self.owner)

    def retries(self, stage: str) -> int:
        """How many further generations: those of rounds before this one are found again and count as well."""
        return (self.request.spec.retries_of(self.owner) + 1) * self.own_round - 1

    def goes_elsewhere(self, job: JobRef | None, kind: str) -> bool:
        """A job of a round before this one says nothing of what the place has now."""
        found = self.own_round > 1 and job is not None and job.adopted
        return self.shortage is not None and not found and self.shortage.concerns(kind)

    def may_follow(self, job: JobRef | None, kind: str) -> bool:
        """After a job of a round before this one another may follow however that ended, as after any person's retry.

        It may have been stopped only because another item failed.
        """
        found = self.own_round > 1 and job is not None and job.adopted
        return found or super().may_follow(job, kind)


class Items:
    """Finds the items of one stage and runs them."""

    def __init__(
        self, request: FanoutRequest, checkpoint: Checkpoint, effects: Effects, charging: Charging
    ) -> None:
        """Run for this stage."""
        stage = request.spec.stages[request.stage]
        if not isinstance(stage, JobStage) or stage.foreach is None:
            raise failure(ErrorKind.INVALID_REQUEST, f"{request.stage} does not run over items")
        self.request, self.stage, self.each = request, stage, stage.foreach
        self.found: tuple[Item, ...] = request.progress.items if request.progress else request.items
        self.shortage: Shortage | None = None
        self.live: set[int] = set()
        """Items under way."""
        self.generations = dict(request.progress.generations) if request.progress else {}
        """Of items that have ended: how many jobs each had, where that is not one."""
        self.used = JobSeconds(request.progress.job_seconds if request.progress else 0.0)
        self._checkpoint = checkpoint
        self._effects = effects
        self._charging = charging
        self._book = Book(_status_of(request))

    @property
    def jobs(self) -> list[StageJob | None]:
        """The jobs of the items that are under way."""
        stages = self._book.status.stages
        names = (item_stage(self.request.stage, index) for index in self.live)
        return [stages[name].job for name in names if name in stages]

    @property
    def before(self) -> int:
        """The generations that a job of an item of this place follows."""
        return self.request.elsewhere.generations

    @property
    def most(self) -> int:
        """The generations of the item that had most."""
        return max(self.generations.values(), default=self.before + 1)

    @property
    def live_jobs(self) -> int:
        """Remote jobs that live."""
        return self._book.live_jobs

    def state(self, index: int, *, begun: bool) -> ItemState:
        """Say how an item stands."""
        if not begun:
            return ItemState(phase=ItemPhase.TO_COME)
        held = self._book.status.stages.get(item_stage(self.request.stage, index))
        if index not in self.live or held is None:
            return ItemState(phase=ItemPhase.ENDED, generations=self.generations.get(index, self.before + 1))
        return ItemState(phase=ItemPhase.RUNNING, generations=held.attempts, job=held.job)

    async def find(self) -> None:
        """List the items, once.

        Raises:
            ActivityError: the objects or the rows could not be had.
        """
        if self.found:
            return
        each = self.each
        if each.objects is not None:
            self.found = await self._objects(each.objects)
        elif each.query is not None:
            self.found = _numbered(await self._rows(each, each.query))
        else:
            self.found = _numbered(each.values or tuple(range(*(each.numbers or (0,)))))

    async def run(self, item: Item, *, again: bool = False) -> Outcome:
        """Run an item's job to its end; `again`, one that had found no machine.

        Raises:
            StageFailed: it is out of retries.
        """
        name = item_stage(self.request.stage, item.index)
        inputs = self.request.inputs
        if self.each.objects is not None and item.object:
            inputs = {**inputs, self.each.objects: item.object}
        await self._checkpoint.passed()
        self.live.add(item.index)
        had = self.generations.get(item.index, self.before + 1) if again else self.before
        self._put(StageStatus(name=name, kind=self.stage.kind, connection=self.stage.on, attempts=had))
        self._book.change(name, phase=StagePhase.RUNNING)
        try:
            return await run_generations(self._context(item), name, self.stage, inputs, self.request.code)
        finally:
            self.live.discard(item.index)
            if (had := self._book.stage(name).attempts) != self.before + 1:
                self.generations[item.index] = had
            stages = {other: held for other, held in self._book.status.stages.items() if other != name}
            self._book.update(stages=stages)

    def _context(self, item: Item) -> ItemContext:
        request = self.request
        return ItemContext(
            request=RunRequest(spec=request.spec, key=request.run.key),
            run=request.run,
            plan=Plan(order=(request.stage,), placements={request.stage: request.placement}, transfers={}),
            book=self._book,
            checkpoint=self._checkpoint,
            effects=self._effects,
            charging=self._charging,
            item=item,
            owner=request.stage,
            round=request.round,
            used=self.used,
            elsewhere=request.elsewhere,
            shortage=self.shortage,
        )

    def _put(self, status: StageStatus) -> None:
        self._book.update(stages={**self._book.status.stages, status.name: status})

    async def _objects(self, name: str) -> tuple[Item, ...]:
        folder = self.request.inputs[name]
        if folder.kind == "file":
            return (_object(0, folder, folder.uri.rpartition("/")[2]),)
        listed = await self._effects.call(
            GatherActivities.enumerate,
            EnumerateRequest(prefix=folder.uri, limit=ITEMS_LIMIT),
            on=self.stage.on,
            preset=presets.moving(self._timeout),
            stage=self.request.stage,
            summary=f"list the objects of {name}",
        )
        return tuple(
            _object(index, found, found.uri.removeprefix(folder.uri))
            for index, found in enumerate(listed.objects)
        )

    async def _rows(self, each: Foreach, sql: str) -> tuple[Value, ...]:
        text, parameters = query_of(sql, self.request.spec, self._book)
        key = TableJobKey(run=self.request.run, stage=self.request.stage, generation=self.request.round)
        asked = QueryRequest(key=key, sql=text, parameters=parameters, rows_wanted=ITEMS_LIMIT)
        began = workflow.now()
        try:
            answer = await self._effects.call(
                TableActivities.query,
                asked,
                on=each.query_on,
                preset=presets.asking(self._timeout),
                stage=self.request.stage,
                summary="query the items",
            )
        except (ActivityError, asyncio.CancelledError):
            await to_the_end(self._stop_query(each, key))
            raise
        charge = of_query(key, each.query_on, answer.billed_bytes, self.request.query_price, began)
        self._charging.add(charge)
        if answer.rows != len(answer.shown) or not answer.rows:
            told = (
                f"the query of {self.request.stage} has {answer.rows} rows, of which {len(answer.shown)} fit into a "
                "message; select fewer or narrower ones"
            )
            raise failure(ErrorKind.INVALID_REQUEST, told if answer.rows else "the query has no rows")
        return answer.shown

    async def _stop_query(self, each: Foreach, key: TableJobKey) -> None:
        """Have a query that was given up ended for certain."""
        await self._effects.call(
            TableActivities.cancel,
            TableCancelRequest(key=key),
            on=each.query_on,
            preset=presets.stopping(self._timeout),
            stage=self.request.stage,
            summary="stop the query of the items",
            gated=False,
        )

    @property
    def _timeout(self) -> timedelta:
        return self.request.spec.timeout_of(self.request.stage)


def _status_of(request: FanoutRequest) -> RunStatus:
    """A book's beginning: it knows the metrics and the answers that commands name."""
    ended = {"kind": "", "connection": "", "phase": StagePhase.SUCCEEDED}
    stages = {
        name: StageStatus(name=name, metrics=metrics, gate=request.answers.get(name), **ended)
        for name, metrics in sorted(request.metrics.items())
    }
    return RunStatus(run=request.run, started_at=workflow.now(), stages=stages)


def _numbered(values: tuple[Value, ...]) -> tuple[Item, ...]:
    return tuple(Item(index=index, value=value) for index, value in enumerate(values))


def _object(index: int, found: Artifact, name: str) -> Item:
    return Item(index=index, value={"name": name, "size_bytes": found.size_bytes}, object=found)
