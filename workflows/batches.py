"""Moving one batch of objects: by grants the destination reads with, by grants the source writes with, or locally."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import presets
from contracts.artifacts import ObjectStat
from contracts.copies import CommitRequest, CopyItem, CopyReceipt, CopyRequest, Cut, PushRequest
from contracts.grants import (
    Measure,
    MeasureRequest,
    PartSum,
    ReadGrant,
    ReadGrantRequest,
    WriteGrantRequest,
    WriteIntent,
)
from contracts.storage import StorageActivities
from workflows.moving import Moving, weight
from workflows.rounds import Rounds

Batch = tuple[ObjectStat, ...]


class BatchMover:
    """Moves batches for one transfer; what the destination holds is never sent again."""

    def __init__(self, moving: Moving) -> None:
        """Move for this transfer."""
        self._moving = moving
        self._known: dict[str, tuple[PartSum, ...]] = {}
        """Parts of objects that are not whole yet, by the URI of the source."""

    async def move(self, batch: Batch) -> None:
        """Bring the batch to the destination, in as many rounds as its grants and its pauses need.

        Raises:
            ActivityError: a final error, or rounds that came to nothing too often.
        """
        rounds, measured = Rounds(), dict[str, Measure]()
        while batch and not self._moving.overdue:
            await self._moving.effects.checkpoint.passed()
            try:
                batch, cut = await self._some(batch, measured)
            except ActivityError as error:
                await rounds.met(error)
                continue
            await rounds.cut(cut)

    async def _some(self, batch: Batch, measured: dict[str, Measure]) -> tuple[Batch, Cut | None]:
        method = self._moving.request.method
        if method == "push":
            return await self._push(batch, measured)
        grants: tuple[ReadGrant | None, ...] = (None,) * len(batch)
        if method == "pull":
            grants = await self._granted(batch)
        async with self._moving.turn():
            if method == "pull" and grants and _stale(grants):
                grants = await self._granted(batch)
            return await self._copy(batch, grants)

    async def _granted(self, batch: Batch) -> tuple[ReadGrant, ...]:
        request = self._moving.request
        answer = await self._moving.quick(
            request.source,
            StorageActivities.grant_read,
            ReadGrantRequest(
                objects=batch,
                bare=request.server_side,
                destination=request.destination,
                leave=request.leave,
            ),
            f"grant reads of {len(batch)} objects",
        )
        return answer.grants

    async def _copy(self, batch: Batch, grants: tuple[ReadGrant | None, ...]) -> tuple[Batch, Cut | None]:
        moving, request = self._moving, self._moving.request
        items = tuple(
            CopyItem(
                source=item,
                target=moving.target_of(item),
                grant=grant,
                expected_sha256=moving.expected(item),
                known=self._known.get(item.uri, ()),
            )
            for item, grant in zip(batch, grants, strict=False)
        )
        asked = CopyRequest(
            items=items,
            if_exists=request.if_exists,
            owner=request.owner,
            pace=moving.pace,
            server_side=request.server_side,
            manifest=moving.accounts,
            leave=request.leave,
        )
        told = weight("copy", len(items), sum(item.source.size_bytes for item in items))
        receipt: CopyReceipt | None = await moving.long(
            request.destination, StorageActivities.copy, asked, told
        )
        if receipt is None:
            return batch, None
        moving.add(receipt.tally, receipt.objects[0] if receipt.objects else None)
        self._known = {batch[begun.position].uri: begun.parts for begun in receipt.begun}
        left = tuple(batch[number] for number in receipt.remaining)
        return left + batch[len(items) :], receipt.cut

    async def _push(self, batch: Batch, measured: dict[str, Measure]) -> tuple[Batch, Cut | None]:
        moving, request = self._moving, self._moving.request
        if not await self._measure(batch, measured):
            return batch, None
        intents = tuple(self._intent(measured[item.uri]) for item in batch)
        grants = await moving.quick(
            request.destination,
            StorageActivities.grant_write,
            WriteGrantRequest(intents=intents, leave=request.leave),
            f"grant exact writes of {len(batch)} objects",
        )
        count = len(grants.grants)
        async with moving.turn():
            pushed = await moving.long(
                request.source,
                StorageActivities.push,
                PushRequest(
                    grants=grants.grants,
                    pace=moving.pace,
                    destination=request.destination,
                    leave=request.leave,
                ),
                weight("push", count, sum(item.size_bytes for item in batch[:count])),
            )
        if pushed is None:
            return batch, None
        left = set(pushed.remaining)
        await self._commit(tuple(intents[number] for number in range(count) if number not in left))
        moving.add(pushed.tally)
        return tuple(batch[number] for number in sorted(left)) + batch[count:], pushed.cut

    async def _measure(self, batch: Batch, measured: dict[str, Measure]) -> bool:
        unknown = tuple(item for item in batch if item.uri not in measured)
        if unknown:
            found = await self._moving.long(
                self._moving.request.source,
                StorageActivities.measure,
                MeasureRequest(objects=unknown),
                weight("measure", len(unknown), sum(item.size_bytes for item in unknown)),
                preset=presets.moving,
            )
            for measure in found.measures if found else ():
                measured[measure.source.uri] = measure
        return all(item.uri in measured for item in batch)

    async def _commit(self, intents: tuple[WriteIntent, ...]) -> None:
        if not intents:
            return
        moving = self._moving
        # It moves no bytes, so nothing cuts it short: a pause holds it up or waits for it, and time that is over does not.
        receipt = await moving.effects.call(
            StorageActivities.commit,
            CommitRequest(intents=intents, manifest=moving.accounts, leave=moving.request.leave),
            on=moving.request.destination,
            preset=presets.moving(moving.request.timeout),
            stage=moving.request.key,
            summary=f"check and commit {len(intents)} objects",
        )
        moving.add(receipt.tally, receipt.objects[0] if receipt.objects else None)

    def _intent(self, measure: Measure) -> WriteIntent:
        request = self._moving.request
        return WriteIntent(
            target=self._moving.target_of(measure.source),
            measure=measure,
            if_exists=request.if_exists,
            owner=request.owner,
        )


def _stale(grants: tuple[ReadGrant | None, ...]) -> bool:
    """Whether grants ran out while their batch waited for its turn."""
    return any(grant and grant.expires_at <= workflow.now() for grant in grants)
