"""The workflow `transfer`: brings an artifact to another connection, object by object, each with proof."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from contracts import presets
from contracts.artifacts import Artifact, ManifestEntry, ObjectStat, folder_artifact
from contracts.errors import ErrorKind, failure
from contracts.runs import TRANSFER_WORKFLOW, TransferResult
from contracts.storage import (
    BATCH_OBJECTS,
    AbortRequest,
    ListRequest,
    ObjectReceipt,
    StatRequest,
    StorageActivities,
)
from contracts.transfers import Drained, TransferRequest, TransferStatus
from workflows.batches import BatchMover
from workflows.checkpoint import Checkpoint
from workflows.effects import Effects, Request, Response
from workflows.finishing import to_the_end

BATCH_BYTES = 1024 * 1024 * 1024
"""Objects are batched up to this size together; a larger object is a batch of its own."""
DRAINED_SIGNAL = "transfer_drained"
OBJECTS_LIMIT = 5_000
"""A history takes 50 MB, and a thousand objects came to 3 to 5 MB of it (measured)."""
_STRENGTH = ("size_only", "store_checksum", "end_to_end")


@workflow.defn(name=TRANSFER_WORKFLOW)
class TransferWorkflow:
    """Lists the source, moves it in batches, and says what came to lie at the destination."""

    @workflow.init
    def __init__(self, request: TransferRequest) -> None:
        """Begin with nothing listed."""
        self.request = request
        self.checkpoint = Checkpoint()
        self.effects = Effects(self.checkpoint)
        self.objects: list[ObjectStat] = []
        self.receipts: list[ObjectReceipt] = []
        self.moved = False

    @workflow.run
    async def run(self, request: TransferRequest) -> TransferResult:
        """Move everything, or clean up what was begun when cancelled."""
        began = workflow.now()
        reporter = asyncio.create_task(self._report_drained())
        try:
            await self._list()
            mover = BatchMover(request, self.effects)
            for batch in batches(self.objects):
                self.receipts += await mover.move(batch)
            self.moved = True
        except BaseException as error:
            if is_cancelled_exception(error):
                await to_the_end(self._abort())
            raise
        finally:
            reporter.cancel()
        artifact = self._artifact()
        seconds = (workflow.now() - began - self.checkpoint.paused_for).total_seconds()
        return TransferResult(
            artifact=request.artifact,
            source=request.source,
            destination=request.destination,
            size_bytes=sum(receipt.bytes_sent for receipt in self.receipts),
            objects=len(self.receipts),
            seconds=max(0.0, seconds),
            verified=min(
                (receipt.verified for receipt in self.receipts), key=_STRENGTH.index, default="end_to_end"
            ),
            result=artifact,
        )

    @workflow.signal
    def pause(self, *payload: object) -> None:
        """Let parts in flight land and start nothing new."""
        self.checkpoint.hold(payload)

    @workflow.signal
    def resume(self, *payload: object) -> None:
        """Go on."""
        self.checkpoint.release()

    @workflow.query
    def status(self) -> TransferStatus:
        """Say how far the transfer is."""
        held = "PAUSING" if self.effects.draining else "PAUSED"
        return TransferStatus(
            artifact=self.request.artifact,
            phase="SUCCEEDED" if self.moved else held if self.checkpoint.pause else "RUNNING",
            objects_total=len(self.objects),
            objects_done=len(self.receipts),
            bytes_total=sum(item.size_bytes for item in self.objects),
            bytes_done=sum(receipt.target.size_bytes for receipt in self.receipts),
        )

    async def _list(self) -> None:
        request = self.request
        if request.kind == "file":
            stat = await self._source(
                StorageActivities.stat, StatRequest(uri=request.source_uri), "look at the source"
            )
            self.objects = [stat]
            return
        after: str | None = None
        while True:
            listing = ListRequest(prefix=request.source_uri, after=after)
            page = await self._source(StorageActivities.list, listing, "list the source")
            self.objects += page.objects
            if len(self.objects) > OBJECTS_LIMIT:
                raise failure(
                    ErrorKind.UNSUPPORTED,
                    f"{request.source_uri} on {request.source} holds more than {OBJECTS_LIMIT:,} objects; "
                    "pack them into fewer, or copy sub folders one by one",
                )
            after = page.next_after
            if after is None:
                break
        if not self.objects:
            raise failure(
                ErrorKind.SOURCE_MISSING, f"{request.source_uri} on {request.source} holds no objects"
            )

    async def _source(
        self, method: Callable[[Any, Request], Response], message: Request, summary: str
    ) -> Response:
        preset = presets.quick(self.request.timeout)
        return await self.effects.call(
            method, message, on=self.request.source, preset=preset, stage=self.request.key, summary=summary
        )

    async def _abort(self) -> None:
        await self.effects.call(
            StorageActivities.abort_upload,
            AbortRequest(prefix=self.request.target),
            on=self.request.destination,
            preset=presets.quick(self.request.timeout),
            stage=self.request.key,
            summary="give up unfinished uploads",
            gated=False,
        )

    async def _report_drained(self) -> None:
        parent = workflow.info().parent
        if parent is None:
            return
        run = workflow.get_external_workflow_handle(parent.workflow_id)
        said = False
        while True:
            await workflow.wait_condition(partial(self._drained_is, not said))
            said = self._drained
            await run.signal(DRAINED_SIGNAL, Drained(key=self.request.key, drained=said))

    def _drained_is(self, wanted: bool) -> bool:
        return self._drained == wanted

    @property
    def _drained(self) -> bool:
        return self.checkpoint.pause is not None and not self.effects.draining

    def _artifact(self) -> Artifact:
        request = self.request
        if request.kind == "file":
            only = self.receipts[0]
            artifact = Artifact(
                uri=request.target,
                kind="file",
                size_bytes=only.target.size_bytes,
                object_count=1,
                digest=only.sha256,
                crc32c=only.target.crc32c,
                etag=only.target.etag,
                media_type=only.target.media_type,
            )
        else:
            cut = len(request.target)
            entries = (
                ManifestEntry(
                    name=item.target.uri[cut:], size_bytes=item.target.size_bytes, sha256=item.sha256
                )
                for item in self.receipts
            )
            artifact = folder_artifact(request.target, entries)
        if request.expected_digest not in {None, artifact.digest}:
            raise failure(
                ErrorKind.SOURCE_CHANGED,
                f"{request.artifact} at {request.source_uri} is no longer what its stage left there",
            )
        return artifact


def batches(objects: Iterable[ObjectStat]) -> Iterable[tuple[ObjectStat, ...]]:
    """Group objects so that grants fit a payload and one attempt stays short."""
    batch: list[ObjectStat] = []
    size = 0
    for item in objects:
        if batch and (len(batch) == BATCH_OBJECTS or size + item.size_bytes > BATCH_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(item)
        size += item.size_bytes
    if batch:
        yield tuple(batch)
