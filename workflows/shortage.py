"""Whether the place of a stage over items has machines at all: as long as no item found one, all may go on elsewhere."""

from collections.abc import Callable, Iterable

from contracts.errors import ErrorKind
from contracts.fanout import FanoutRequest, FanoutResult
from contracts.foreach import Item
from contracts.jobs import JobPhase
from contracts.results import FanoutStatus
from contracts.runs import StageError
from contracts.stage_records import StageJob

ELSEWHERE = frozenset({ErrorKind.CAPACITY, ErrorKind.QUOTA_EXHAUSTED})
"""Confirmed ends after which another place may have what this one lacks."""


class Shortage:
    """Sets items aside that found no machine, until one of the others did: then all of them are run here."""

    def __init__(
        self,
        request: FanoutRequest,
        status: Callable[[], FanoutStatus],
        jobs: Callable[[], Iterable[StageJob | None]],
    ) -> None:
        """Judge by how the items stand, and by the jobs of those that are under way."""
        before = request.progress
        self._moves = request.moves
        self._stage, self._place = request.stage, request.placement.connection
        self._status, self._jobs = status, jobs
        self._seen = before.has_machines if before else False
        self.aside: list[Item] = []
        self._why: StageError | None = None

    @property
    def has_machines(self) -> bool:
        """Whether an item was seen that had a machine, or has ended by anything but the lack of one."""
        status = self._status()
        self._seen = self._seen or bool(status.succeeded or status.failed)
        self._seen = self._seen or any(job and job.phase is JobPhase.RUNNING for job in self._jobs())
        return self._seen

    def concerns(self, kind: str) -> bool:
        """Whether an item that has ended so is set aside, not tried again."""
        return self._moves and kind in ELSEWHERE and not self.has_machines

    def put(self, item: Item, why: StageError) -> None:
        """Set an item aside."""
        self.aside.append(item)
        self._why = self._why or why

    def again(self) -> list[Item]:
        """Return the items that were set aside: there are machines."""
        self.aside, back = [], self.aside
        return sorted(back, key=lambda item: item.index)

    @property
    def is_total(self) -> bool:
        """Whether no item found a machine, once nothing is under way any more."""
        return bool(self.aside) and not self.has_machines

    def result(self, status: FanoutStatus, generations: int, items: tuple[Item, ...]) -> FanoutResult:
        """Say that the stage may go on elsewhere with all that it has."""
        assert self._why is not None  # noqa: S101 - something was set aside
        told = f"{self._place} has a machine for none of the items of {self._stage}: {self._why.message}"
        error = self._why.model_copy(update={"message": told})
        return FanoutResult(status=status, error=error, generations=generations, items=items)
