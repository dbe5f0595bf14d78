"""What the items of a stage left: counted, compared, and put together in the store while others still run."""

import json

from contracts import presets
from contracts.expression_tree import ExpressionError, Name
from contracts.expressions import parse_best
from contracts.fanout import (
    FanoutRequest,
    FanoutResult,
    GatherActivities,
    Gathered,
    GatherPart,
    GatherRequest,
    Sum,
)
from contracts.foreach import Foreach, Item, required
from contracts.results import FAILURES_SHOWN, FanoutStatus, ItemFailure, Winner
from contracts.runs import StageError
from contracts.stages import JobStage
from contracts.tables import Scalar
from workflows.effects import Effects
from workflows.leaves import leave_ref
from workflows.outcomes import Outcome
from workflows.shortage import ELSEWHERE

MANY = 200
"""Items whose outputs are put together at once."""
METRICS = "metrics"
METRICS_LIMIT = 50
"""Metrics that are summed up over the items; the table has them all."""
MESSAGE_LIMIT = 300
STAYS = (
    "other items ran there, so the stage stays there: retry it when there are machines, and what succeeded is found again; "
    "or run the pipeline anew with another place under `on`"
)


class Harvest:
    """The account of one stage's items."""

    def __init__(self, request: FanoutRequest, stage: JobStage, each: Foreach, effects: Effects) -> None:
        """Begin with nothing, or with what an execution before this one counted."""
        before = request.progress
        self.status = before.status if before else FanoutStatus()
        self.sums: dict[str, Sum] = dict(before.sums) if before else {}
        self.tables = before.tables if before else 0
        self._request, self._stage, self._each = request, stage, each
        self._effects = effects
        self._parts: list[GatherPart] = []
        self._rows: list[str] = []

    def expect(self, items: int) -> None:
        """Know how many items there are."""
        self.status = self.status.model_copy(update={"total": items})

    @property
    def hopeless(self) -> bool:
        """Whether so many have failed that the stage cannot succeed."""
        return self.status.failed > self.status.total - self._required

    def succeeded(self, item: Item, outcome: Outcome) -> None:
        """Count an item, compare it and keep where its outputs lie."""
        for name, value in outcome.metrics.items():
            if name in self.sums or len(self.sums) < METRICS_LIMIT:
                self.sums[name] = self.sums.get(name, Sum()).plus(value)
        for output, artifact in sorted(outcome.outputs.items()):
            if output != METRICS:
                target = f"{self._prefix(output)}{item.index:05}/"
                self._parts.append(GatherPart(source=artifact.uri, target=target))
        self._rows.append(_row(item, "SUCCEEDED", outcome.metrics))
        winners = tuple(self._compared(by, item, outcome) for by in self._request.wanted)
        self.status = self.status.model_copy(
            update={
                "succeeded": self.status.succeeded + 1,
                "winners": tuple(winner for winner in winners if winner),
            }
        )

    def failed(self, item: Item, error: StageError) -> None:
        """Count an item that is out of retries."""
        told = ItemFailure(
            index=item.index, item=item.brief, kind=error.kind, message=error.message[:MESSAGE_LIMIT]
        )
        failures = (*self.status.failures, told)[:FAILURES_SHOWN]
        self._rows.append(_row(item, "FAILED", {}))
        self.status = self.status.model_copy(update={"failed": self.status.failed + 1, "failures": failures})

    async def gather_if_many(self) -> None:
        """Put outputs together when enough have come in."""
        if len(self._rows) >= MANY:
            await self.gather()

    async def gather(self, *, describe: bool = False) -> Gathered:
        """Put together what has come in since the last time."""
        parts, rows = tuple(self._parts), self._rows
        self._parts, self._rows = [], []
        files: dict[str, str] = {}
        if rows and METRICS in self._stage.outputs:
            files[f"{self._prefix(METRICS)}part-{self.tables:05}.jsonl"] = "".join(rows)
            self.tables += 1
        prefixes = {output: self._prefix(output) for output in self._stage.outputs} if describe else {}
        if not (parts or files or prefixes):
            return Gathered()
        request = self._request
        return await self._effects.call(
            GatherActivities.gather,
            GatherRequest(
                parts=parts,
                files=files,
                describe=prefixes,
                owner=f"{request.run.run_uid}/{request.stage}",
                leave=leave_ref(request.run, request.stage),
            ),
            on=request.placement.connection,
            preset=presets.moving(request.spec.timeout_of(request.stage)),
            stage=request.stage,
            summary=f"put together what {len(rows)} items left",
        )

    async def result(self) -> FanoutResult:
        """Say what the items came to."""
        status = self.status
        if status.succeeded < self._required:
            return FanoutResult(status=status, error=self._error())
        gathered = await self.gather(describe=True)
        return FanoutResult(status=status, outputs=gathered.artifacts, metrics=self._metrics())

    def _compared(self, by: str, item: Item, outcome: Outcome) -> Winner | None:
        """The better of an item and the best before it; of equals the one that stands first."""
        held = next((winner for winner in self.status.winners if winner.by == by), None)
        best = parse_best(by)
        try:
            score = float(best.expression.value(lambda name: self._value(name, outcome)))
        except (ExpressionError, KeyError):
            return held
        counted = held.counted + 1 if held else 1
        if held and not _better(best.best == "max", (score, item.index), (held.score, held.index)):
            return held.model_copy(update={"counted": counted})
        return Winner(
            by=by,
            index=item.index,
            item=item.brief,
            score=score,
            counted=counted,
            outputs=outcome.outputs,
            metrics=outcome.metrics,
        )

    def _value(self, name: Name, outcome: Outcome) -> Scalar:
        return self._request.spec.params[name.name] if name.stage is None else outcome.metrics[name.name]

    def _metrics(self) -> dict[str, float]:
        found = {"items": float(self.status.total), "succeeded": float(self.status.succeeded)}
        found["failed"] = float(self.status.failed)
        for name, total in sorted(self.sums.items()):
            found[f"{name}_min"], found[f"{name}_max"] = total.smallest, total.largest
            found[f"{name}_mean"] = total.total / total.count
        return found

    def _error(self) -> StageError:
        status, first = self.status, self.status.failures[0]
        counts = f"{status.failed} of {status.total} items failed and {status.succeeded} succeeded; {self._required} must"
        read = f"read `logs RUN {self._request.stage} --item {first.index}`, mend what failed and retry the stage: "
        short = self._request.moves and first.kind in ELSEWHERE
        return StageError(
            kind=first.kind,
            message=f"{counts}. Item {first.index} ({first.item}): {first.message}",
            hint=STAYS if short else f"{read}what succeeded is found again, not run again",
        )

    @property
    def _required(self) -> int:
        return required(self._each.failures, self.status.total)

    def _prefix(self, output: str) -> str:
        return f"{self._request.placement.prefix}all/r{self._request.round}/{output}/"


def _better(largest: bool, one: tuple[float, int], other: tuple[float, int]) -> bool:
    if one[0] == other[0]:
        return one[1] < other[1]
    return (one[0] > other[0]) == largest


def _row(item: Item, state: str, metrics: dict[str, float]) -> str:
    told = {"index": item.index, "item": item.value, "state": state, **metrics}
    return json.dumps(told, separators=(",", ":")) + "\n"
