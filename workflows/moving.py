"""What moving a transfer's units shares: calls that a pause or new limits cut short, pace, targets, the sums."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from contracts import presets
from contracts.artifacts import ObjectStat, locate
from contracts.copies import ObjectReceipt, Pace, Tally
from contracts.limits import Limits
from contracts.presets import Preset
from contracts.storage import HIDDEN
from contracts.transfers import TransferRequest
from workflows.effects import Effects, Request, Response
from workflows.finishing import to_the_end

LANES = 2
"""Units on their way at once: two spans, or a batch that flows and one that is granted or measured meanwhile."""
Answer = TypeVar("Answer")


class Moving:
    """One transfer's way of calling its two ends."""

    def __init__(self, request: TransferRequest, effects: Effects) -> None:
        """Move for this transfer, with the limits it began or went on with."""
        self.request = request
        self.effects = effects
        self.limits: Limits = request.progress.limits if request.progress else request.limits
        self.tally: Tally = request.progress.tally if request.progress else Tally()
        self.only: ObjectReceipt | None = None
        """The proof of the object, where the transfer is of one."""
        self._flowing = 0
        """Units that share the limits."""
        self._turn = asyncio.Lock()
        self.overdue = False

    @property
    def accounts(self) -> str | None:
        """Where batches leave their accounts; none for a single object, whose proof travels."""
        if self.request.kind == "file":
            return None
        return f"{self._own}/"

    @property
    def manifest(self) -> str:
        """Where the manifest comes to lie."""
        return f"{self._own}.tsv"

    @property
    def container(self) -> str:
        """The container that the transfer fills."""
        return locate(self.request.target).model_copy(update={"name": ""}).uri

    @property
    def _own(self) -> str:
        return f"{self.container}{HIDDEN}manifests/{self.request.run.run_uid}/{self.request.key}"

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Count as one that shares the limits."""
        self._flowing += 1
        try:
            yield
        finally:
            self._flowing -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until no other batch flows, then be the one that does."""
        # Histories of older runs know of no turns.
        async with self._turn if workflow.patched("batches-take-turns") else nullcontext():
            await self.effects.checkpoint.passed()
            with self.flowing():
                yield

    @property
    def pace(self) -> Pace:
        """This unit's share of the limits."""
        share, rate = max(1, self._flowing), self.limits.bytes_per_second
        return Pace(
            streams=max(1, -(-self.limits.streams // share)),
            bytes_per_second=None if rate is None else max(1, rate // share),
        )

    def add(self, tally: Tally, receipt: ObjectReceipt | None = None) -> None:
        """Count what was done."""
        self.tally += tally
        if receipt and self.request.kind == "file":
            self.only = receipt

    def target_of(self, item: ObjectStat) -> str:
        """Where an object comes to lie."""
        if self.request.kind == "file":
            return self.request.target
        return self.request.target + item.uri[len(self.request.source_uri) :]

    def expected(self, item: ObjectStat) -> str | None:
        """The digest an object must have, where it is known before."""
        return self.request.expected_digest if self.request.kind == "file" else item.sha256

    async def quick(
        self, on: str, method: Callable[[Any, Request], Response], message: Request, summary: str
    ) -> Response:
        """Make a short call."""
        return await self.effects.call(
            method,
            message,
            on=on,
            preset=presets.quick(self.request.timeout),
            stage=self.request.key,
            summary=summary,
        )

    async def long(
        self,
        on: str,
        method: Callable[[Any, Request], Response],
        message: Request,
        summary: str,
        *,
        preset: Callable[[timedelta], Preset] = presets.granted,
    ) -> Response | None:
        """Make a call that moves bytes; None when it was cut short before it could tell what it did."""
        bounds = preset(self.request.timeout)
        call = self.effects.call(
            method, message, on=on, preset=bounds, stage=self.request.key, summary=summary
        )
        return await self._unless_cut(call)

    async def _unless_cut(self, effect: Awaitable[Answer]) -> Answer | None:
        limits = self.limits
        task = asyncio.ensure_future(effect)
        landing = asyncio.gather(task, return_exceptions=True)
        try:
            await workflow.wait_condition(lambda: task.done() or self._cut(limits))
        except asyncio.CancelledError:
            # What is in flight lands first: the clean-up that follows must find it at rest.
            task.cancel()
            await to_the_end(landing)
            raise
        if not task.done():
            task.cancel()
            await to_the_end(landing)
        if task.cancelled() or is_cancelled_exception(task.exception() or RuntimeError()):
            return None
        return task.result()

    def _cut(self, limits: Limits) -> bool:
        return self.effects.checkpoint.pause is not None or self.limits is not limits or self.overdue


def weight(verb: str, count: int, size_bytes: int) -> str:
    """Say what an activity moves."""
    return f"{verb} {count} {'object' if count == 1 else 'objects'}, {size_bytes:,} bytes"
