"""What a transfer came to, once everything of it lies at its destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import workflow

from contracts.artifacts import Artifact
from contracts.copies import ObjectReceipt
from contracts.errors import ErrorKind, failure
from contracts.runs import TransferResult
from contracts.storage import ManifestRequest, StorageActivities

if TYPE_CHECKING:
    from workflows.transfer import TransferWorkflow


async def result_of(transfer: TransferWorkflow) -> TransferResult:
    """Return the result; of a folder the manifest is published first.

    Raises:
        ApplicationError: `SOURCE_CHANGED`, it is not what was to be moved.
    """
    request, tally, price = transfer.request, transfer.moving.tally, transfer.price
    artifact, manifest = await _artifact(transfer)
    if request.expected_digest not in {None, artifact.digest} and not request.dry_run:
        told = f"{request.artifact} at {request.source_uri} is no longer what its stage left there"
        raise failure(ErrorKind.SOURCE_CHANGED, told)
    return TransferResult(
        artifact=request.artifact,
        source=request.source,
        destination=request.destination,
        size_bytes=tally.bytes_sent,
        objects=artifact.object_count,
        seconds=transfer.seconds,
        started_at=transfer.began,
        ended_at=workflow.now(),
        verified=tally.verified,
        result=artifact,
        tally=tally,
        manifest=manifest,
        cost=transfer.cost,
        currency=price.currency if price else "",
        price_as_of=price.as_of if price else None,
    )


async def _artifact(transfer: TransferWorkflow) -> tuple[Artifact, str | None]:
    request = transfer.request
    if request.dry_run:
        return _listed(transfer), None
    if transfer.moving.only:
        return _only(transfer.moving.only, request.target), None
    receipt = await transfer.moving.quick(
        request.destination,
        StorageActivities.publish_manifest,
        ManifestRequest(
            accounts=transfer.moving.accounts or "",
            prefix=request.target,
            target=transfer.moving.manifest,
            owner=request.owner,
        ),
        "publish the manifest",
    )
    return receipt.folder, receipt.manifest


def _only(only: ObjectReceipt, uri: str) -> Artifact:
    stat = only.target
    return Artifact(
        uri=uri,
        kind="file",
        size_bytes=stat.size_bytes,
        object_count=1,
        digest=only.sha256,
        crc32c=stat.crc32c,
        etag=stat.etag,
        media_type=stat.media_type,
    )


def _listed(transfer: TransferWorkflow) -> Artifact:
    """What a dry run found; nobody knows its digest."""
    return Artifact(
        uri=transfer.request.target,
        kind=transfer.request.kind,
        size_bytes=transfer.lister.bytes_seen,
        object_count=transfer.lister.objects_seen,
        digest="",
    )
