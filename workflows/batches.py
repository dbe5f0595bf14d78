"""Moving one batch of objects: by grants the destination reads with, by grants the source writes with, or locally."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.artifacts import ObjectStat
from contracts.errors import RETRIED
from contracts.grants import (
    MeasureRequest,
    Measures,
    ReadGrant,
    ReadGrantRequest,
    WriteGrantRequest,
    WriteIntent,
)
from contracts.storage import (
    CommitRequest,
    CopyItem,
    CopyReceipt,
    CopyRequest,
    ObjectReceipt,
    PushReceipt,
    PushRequest,
    StorageActivities,
)
from contracts.transfers import TransferRequest
from workflows.effects import Effects
from workflows.failures import kind_of
from workflows.finishing import to_the_end

ROUNDS = 20
"""Times a batch is taken up again with fresh grants before the transfer fails: with the sleeps between them about a
quarter of an hour of weather."""
LONGEST_SLEEP = timedelta(minutes=1)
Answer = TypeVar("Answer")
Batch = tuple[ObjectStat, ...]
Receipts = tuple[ObjectReceipt, ...]


class BatchMover:
    """Moves batches for one transfer; what the destination holds is never sent again."""

    def __init__(self, request: TransferRequest, effects: Effects) -> None:
        """Move for this transfer."""
        self.request = request
        self.effects = effects

    async def move(self, batch: Batch) -> Receipts:
        """Bring the batch to the destination, in as many rounds as its grants need payloads."""
        receipts: Receipts = ()
        while len(receipts) < len(batch):
            receipts += await self._some(batch[len(receipts) :])
        return receipts

    async def _some(self, batch: Batch) -> Receipts:
        """Bring the first objects of a batch; mint anew when grants ran out or a pause cut in."""
        moving = {"local": self._local, "pull": self._pull, "push": self._push}[self.request.method]
        attempt = 0
        while True:
            await self.effects.checkpoint.passed()
            try:
                receipts = await moving(batch)
            except ActivityError as error:
                attempt += 1
                if kind_of(error) not in RETRIED or attempt == ROUNDS:
                    raise
                pause = min(LONGEST_SLEEP, timedelta(seconds=2**attempt))
                await workflow.sleep(pause, summary=f"{kind_of(error)}: mint anew and go on")
                continue
            if receipts is not None:
                return receipts

    async def _local(self, batch: Batch) -> Receipts | None:
        return await self._copy(batch, [None] * len(batch))

    async def _pull(self, batch: Batch) -> Receipts | None:
        request = self.request
        grants = await self.effects.call(
            StorageActivities.grant_read,
            ReadGrantRequest(objects=batch),
            on=request.source,
            preset=presets.quick(request.timeout),
            stage=request.key,
            summary=f"grant reads of {len(batch)} objects",
        )
        return await self._copy(batch[: len(grants.grants)], list(grants.grants))

    async def _copy(self, batch: Batch, grants: list[ReadGrant | None]) -> Receipts | None:
        request = self.request
        items = tuple(
            CopyItem(
                source=item, target=self._target_of(item), grant=grant, expected_sha256=self._expected(item)
            )
            for item, grant in zip(batch, grants, strict=True)
        )
        copying = self.effects.call(
            StorageActivities.copy,
            CopyRequest(items=items, if_exists=request.if_exists, owner=request.owner),
            on=request.destination,
            preset=presets.granted(request.timeout),
            stage=request.key,
            summary=_weight("copy", batch),
        )
        receipt: CopyReceipt | None = await self._unless_paused(copying)
        return receipt.objects if receipt else None

    async def _push(self, batch: Batch) -> Receipts | None:
        request, key = self.request, self.request.key
        measuring = self.effects.call(
            StorageActivities.measure,
            MeasureRequest(objects=batch),
            on=request.source,
            preset=presets.moving(request.timeout),
            stage=key,
            summary=_weight("measure", batch),
        )
        measures: Measures | None = await self._unless_paused(measuring)
        if measures is None:
            return None
        intents = tuple(
            WriteIntent(
                target=self._target_of(item.source),
                measure=item,
                if_exists=request.if_exists,
                owner=request.owner,
            )
            for item in measures.measures
        )
        grants = await self.effects.call(
            StorageActivities.grant_write,
            WriteGrantRequest(intents=intents),
            on=request.destination,
            preset=presets.quick(request.timeout),
            stage=key,
            summary=f"grant exact writes of {len(batch)} objects",
        )
        pushing = self.effects.call(
            StorageActivities.push,
            PushRequest(grants=grants.grants),
            on=request.source,
            preset=presets.granted(request.timeout),
            stage=key,
            summary=_weight("push", batch),
        )
        pushed: PushReceipt | None = await self._unless_paused(pushing)
        if pushed is None:
            return None
        committed = await self.effects.call(
            StorageActivities.commit,
            CommitRequest(intents=intents[: len(grants.grants)]),
            on=request.destination,
            preset=presets.moving(request.timeout),
            stage=key,
            summary=f"check and commit {len(batch)} objects",
        )
        sent = {grant.intent.target for grant in grants.grants if grant.needed}
        return tuple(
            receipt if receipt.target.uri in sent else receipt.model_copy(update={"bytes_sent": 0})
            for receipt in committed.objects
        )

    async def _unless_paused(self, effect: Awaitable[Answer]) -> Answer | None:
        """Return the effect's answer, or None when a pause cut it short; parts in flight have landed then."""
        task = asyncio.ensure_future(effect)
        landing = asyncio.gather(task, return_exceptions=True)
        try:
            await workflow.wait_condition(lambda: task.done() or self.effects.checkpoint.pause is not None)
        except asyncio.CancelledError:
            # What is in flight lands first: the clean-up that follows must find it at rest.
            task.cancel()
            await to_the_end(landing)
            raise
        if task.done():
            return task.result()
        task.cancel()
        await to_the_end(landing)
        cut = task.cancelled() or is_cancelled_exception(task.exception() or RuntimeError())
        return None if cut else task.result()

    def _expected(self, item: ObjectStat) -> str | None:
        return self.request.expected_digest if self.request.kind == "file" else item.sha256

    def _target_of(self, item: ObjectStat) -> str:
        if self.request.kind == "file":
            return self.request.target
        return self.request.target + item.uri[len(self.request.source_uri) :]


def _weight(verb: str, batch: Batch) -> str:
    size = sum(item.size_bytes for item in batch)
    return f"{verb} {len(batch)} objects, {size:,} bytes"
