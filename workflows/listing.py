"""What a transfer has to move, in the order in which the source lists it: a few pages ahead of the moving."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from temporalio import workflow

from contracts import presets
from contracts.artifacts import ObjectStat
from contracts.copies import ObjectReceipt
from contracts.errors import ErrorKind, failure
from contracts.grants import PartSum
from contracts.parts import MAX_PARTS, SPAN_PARTS, parts_of, spans_of
from contracts.storage import BATCH_OBJECTS, ListRequest, StatRequest, StorageActivities
from contracts.transfers import TransferRequest
from workflows.effects import Effects

BATCH_BYTES = 1024 * 1024 * 1024
"""Objects travel together up to this size."""
BATCHED_PARTS = {"pull": SPAN_PARTS, "push": 1, "local": MAX_PARTS}
"""Parts that an object of a batch has at most: a pull resumes inside it, a push sends it whole, a store copies any."""
PAGES_AHEAD = 3


@dataclass
class Large:
    """An object that is moved span by span."""

    source: ObjectStat
    spans_left: int
    parts: dict[int, PartSum] = field(default_factory=dict)
    kept: ObjectReceipt | None = None
    """It lies at its target already."""


@dataclass(frozen=True)
class Unit:
    """What one lane moves at a time: a batch of objects, or a span of a large one."""

    objects: tuple[ObjectStat, ...]
    after: str | None
    """The page it was listed on."""
    large: Large | None = None
    parts: tuple[int, ...] = ()

    @property
    def size_bytes(self) -> int:
        """What there is to move."""
        whole = sum(item.size_bytes for item in self.objects)
        return whole * len(self.parts) // parts_of(whole) if self.large else whole

    @property
    def begins_an_object(self) -> bool:
        """Whether nothing of it was begun by a unit before."""
        return not self.parts or self.parts[0] == 0


class Lister:
    """Lists the source; whoever moves takes units from it."""

    def __init__(self, request: TransferRequest, effects: Effects) -> None:
        """Begin at the source's beginning, or where the execution before this one stopped."""
        self._request = request
        self._effects = effects
        self._after = request.progress.after if request.progress else None
        self._skip_to = request.progress.next_uri if request.progress else None
        self.units: deque[Unit] = deque()
        self.objects_seen = request.progress.tally.objects if request.progress else 0
        self.bytes_seen = request.progress.tally.size_bytes if request.progress else 0
        self.listed = False
        """Whether all pages have been seen."""
        self.closed = False
        """Nothing more is given out: this execution is about to end."""

    async def list_all(self) -> None:
        """See every page, never more than a few ahead.

        Raises:
            ActivityError: the source cannot be listed.
            ApplicationError: `SOURCE_MISSING`, it holds nothing that is meant.
        """
        if self._request.kind == "file":
            self._take((await self._stat(),), None)
            self.listed = True
        else:
            self.listed = await self._list_pages()
        if self.listed and not self.objects_seen:
            request = self._request
            meant = " that is meant" if request.include or request.exclude else ""
            told = f"{request.source_uri} on {request.source} holds no objects{meant}"
            raise failure(ErrorKind.SOURCE_MISSING, told)

    async def next(self) -> Unit | None:
        """Return what is to be moved next; None when there is nothing, or this execution is about to end."""
        while True:
            await workflow.wait_condition(lambda: bool(self.units) or self.listed or self.closed)
            if self.units and not (self.closed and self.units[0].begins_an_object):
                return self.units.popleft()
            # Every lane wakes for a new unit, and the first takes it. Once, the others ended there.
            if self.units or self.listed or self.closed or not workflow.patched("batches-take-turns"):
                return None

    def resume_at(self) -> tuple[str | None, str | None]:
        """Return the page and the object at which another execution goes on."""
        if self.units:
            first = self.units[0]
            return first.after, first.objects[0].uri
        return self._after, None

    async def _list_pages(self) -> bool:
        """Return whether the last page was seen, rather than that this execution is about to end."""
        request = self._request
        while not self.closed:
            asked = ListRequest(
                prefix=request.source_uri, after=self._after, include=request.include, exclude=request.exclude
            )
            page = await self._effects.call(
                StorageActivities.list,
                asked,
                on=request.source,
                preset=presets.quick(request.timeout),
                stage=request.key,
                summary="list the source",
            )
            self._take(page.objects, self._after)
            self._after = page.next_after
            if self._after is None:
                return True
            await workflow.wait_condition(lambda: self.closed or len(self._waiting_pages()) < PAGES_AHEAD)
        return False

    async def _stat(self) -> ObjectStat:
        request = self._request
        return await self._effects.call(
            StorageActivities.stat,
            StatRequest(uri=request.source_uri),
            on=request.source,
            preset=presets.quick(request.timeout),
            stage=request.key,
            summary="look at the source",
        )

    def _waiting_pages(self) -> set[str | None]:
        return {unit.after for unit in self.units}

    def _take(self, objects: tuple[ObjectStat, ...], after: str | None) -> None:
        found = self._rest(objects)
        self.objects_seen += len(found)
        self.bytes_seen += sum(item.size_bytes for item in found)
        self.units += units_of(found, after, largest=BATCHED_PARTS[self._request.method])

    def _rest(self, objects: tuple[ObjectStat, ...]) -> tuple[ObjectStat, ...]:
        """Leave out what an execution before this one has moved; if the next object is gone, look at the whole page."""
        uris = [item.uri for item in objects]
        first = uris.index(self._skip_to) if self._skip_to in uris else 0
        self._skip_to = None
        return objects[first:]


def units_of(objects: Iterable[ObjectStat], after: str | None, *, largest: int) -> Iterator[Unit]:
    """Group objects so that grants fit a payload and one attempt stays short; one of more parts travels in spans."""
    batch: list[ObjectStat] = []
    size = 0
    for item in objects:
        large = parts_of(item.size_bytes) > largest
        full = len(batch) == BATCH_OBJECTS or size + item.size_bytes > BATCH_BYTES
        if batch and (large or full):
            yield Unit(tuple(batch), after)
            batch, size = [], 0
        if large:
            yield from _spans(item, after)
            continue
        batch.append(item)
        size += item.size_bytes
    if batch:
        yield Unit(tuple(batch), after)


def _spans(item: ObjectStat, after: str | None) -> Iterator[Unit]:
    spans = list(spans_of(item.size_bytes))
    large = Large(item, len(spans))
    for span in spans:
        yield Unit((item,), after, large, tuple(span))
