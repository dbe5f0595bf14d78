"""Moving a large object span by span; whoever brings the last of its parts has it sealed."""

from temporalio.exceptions import ActivityError

from contracts import presets
from contracts.copies import (
    Cut,
    MeasurePartsRequest,
    ObjectReceipt,
    PartGrantRequest,
    PartsRequest,
    PushPartsRequest,
    SealRequest,
    Tally,
)
from contracts.grants import PartSum, ReadGrantRequest
from contracts.parts import spans_of
from contracts.storage import StorageActivities
from workflows.listing import Large
from workflows.moving import Moving
from workflows.rounds import Rounds


class SpanMover:
    """Moves spans for one transfer."""

    def __init__(self, moving: Moving) -> None:
        """Move for this transfer."""
        self._moving = moving

    async def move(self, large: Large, parts: tuple[int, ...]) -> None:
        """Have the destination hold these parts, and the whole object once they are the last.

        Raises:
            ActivityError: a final error, or rounds that came to nothing too often.
        """
        with self._moving.flowing():
            await self._bring(large, parts)
        large.spans_left -= 1
        if large.spans_left == 0 and not large.kept and not self._moving.overdue:
            await self._seal(large)

    async def _bring(self, large: Large, parts: tuple[int, ...]) -> None:
        rounds, left = Rounds(), parts
        measured: dict[int, PartSum] = {}
        while left and not large.kept and not self._moving.overdue:
            await self._moving.effects.checkpoint.passed()
            try:
                cut = await self._some(large, left, measured)
            except ActivityError as error:
                await rounds.met(error)
                continue
            left = tuple(index for index in left if index not in large.parts)
            await rounds.cut(cut)

    async def _some(self, large: Large, parts: tuple[int, ...], measured: dict[int, PartSum]) -> Cut | None:
        if self._moving.request.method == "push":
            return await self._push(large, parts, measured)
        return await self._pull(large, parts)

    async def _pull(self, large: Large, parts: tuple[int, ...]) -> Cut | None:
        moving, request = self._moving, self._moving.request
        source = large.source
        grants = await moving.quick(
            request.source,
            StorageActivities.grant_read,
            ReadGrantRequest(objects=(source,), destination=request.destination, leave=request.leave),
            "grant a read",
        )
        asked = PartsRequest(
            source=source,
            target=moving.target_of(source),
            parts=parts,
            grant=grants.grants[0],
            if_exists=request.if_exists,
            owner=request.owner,
            pace=moving.pace,
            manifest=moving.accounts,
            leave=request.leave,
        )
        receipt = await moving.long(
            request.destination, StorageActivities.copy_parts, asked, _span("copy", source.uri, parts)
        )
        if receipt is None:
            return None
        if receipt.kept:
            if not large.kept:
                large.kept = receipt.kept
                moving.add(receipt.kept.tally, receipt.kept)
            return None
        large.source = receipt.source or source
        self._took(large, receipt.parts, receipt.tally)
        return receipt.cut

    async def _push(self, large: Large, parts: tuple[int, ...], measured: dict[int, PartSum]) -> Cut | None:
        moving, request = self._moving, self._moving.request
        if not await self._measure(large, parts, measured):
            return None
        grants = await moving.quick(
            request.destination,
            StorageActivities.grant_parts,
            PartGrantRequest(
                source=large.source,
                target=moving.target_of(large.source),
                parts=tuple(measured[index] for index in parts),
                if_exists=request.if_exists,
                owner=request.owner,
                leave=request.leave,
            ),
            f"grant exact writes of {len(parts)} parts",
        )
        held = tuple(measured[index] for index in grants.held)
        self._took(large, held, Tally(size_bytes=sum(part.size_bytes for part in held)))
        if not grants.grants:
            return None
        pushed = await moving.long(
            request.source,
            StorageActivities.push_parts,
            PushPartsRequest(
                source=large.source,
                grants=grants.grants,
                pace=moving.pace,
                destination=request.destination,
                leave=request.leave,
            ),
            _span("push", large.source.uri, tuple(grant.part.index for grant in grants.grants)),
        )
        if pushed is None:
            return None
        sent = tuple(measured[index] for index in pushed.sent)
        self._took(large, sent, pushed.tally + Tally(size_bytes=sum(part.size_bytes for part in sent)))
        return pushed.cut

    async def _measure(self, large: Large, parts: tuple[int, ...], measured: dict[int, PartSum]) -> bool:
        """Have the source know each part's digests; whether it does."""
        unknown = tuple(index for index in parts if index not in measured)
        if not unknown:
            return True
        found = await self._moving.long(
            self._moving.request.source,
            StorageActivities.measure_parts,
            MeasurePartsRequest(source=large.source, parts=unknown),
            _span("measure", large.source.uri, unknown),
            preset=presets.moving,
        )
        if found is None:
            return False
        measured.update({part.index: part for part in found.parts})
        large.source = found.source or large.source
        return True

    async def _seal(self, large: Large) -> None:
        """Have the parts made the object; whatever the destination lost meanwhile is brought again first."""
        rounds = Rounds()
        while not large.kept and not self._moving.overdue:
            await self._moving.effects.checkpoint.passed()
            try:
                receipt = await self._sealed(large)
            except ActivityError as error:
                await rounds.met(error)
                await self._look_again(large)
                continue
            if receipt:
                # What was moved is counted part by part.
                counted = receipt.tally.model_copy(update={"size_bytes": 0, "bytes_sent": 0})
                self._moving.add(counted, receipt)
                return

    async def _sealed(self, large: Large) -> ObjectReceipt | None:
        moving, request = self._moving, self._moving.request
        asked = SealRequest(
            source=large.source,
            target=moving.target_of(large.source),
            parts=tuple(large.parts[index] for index in sorted(large.parts)),
            if_exists=request.if_exists,
            owner=request.owner,
            pushed=request.method == "push",
            expected_sha256=moving.expected(large.source),
            manifest=moving.accounts,
            leave=request.leave,
        )
        return await moving.long(
            request.destination,
            StorageActivities.seal,
            asked,
            f"seal {asked.target}",
            preset=presets.sealing,
        )

    async def _look_again(self, large: Large) -> None:
        held = sum(part.size_bytes for part in large.parts.values())
        self._moving.tally = self._moving.tally.model_copy(
            update={"size_bytes": self._moving.tally.size_bytes - held}
        )
        large.parts.clear()
        for span in spans_of(large.source.size_bytes):
            await self._bring(large, tuple(span))

    def _took(self, large: Large, parts: tuple[PartSum, ...], tally: Tally) -> None:
        large.parts.update({part.index: part for part in parts})
        self._moving.add(tally)


def _span(verb: str, uri: str, parts: tuple[int, ...]) -> str:
    return f"{verb} parts {parts[0] + 1} to {parts[-1] + 1} of {uri}"
