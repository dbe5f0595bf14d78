"""What is taken away from Azure Blob storage: blobs, and blocks of uploads that nobody ends."""

from collections.abc import Sequence
from contextlib import suppress

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobProperties, ContainerClient

from activities.azure import staging
from activities.azure.actions import BLOB_DELETE, BLOB_READ
from activities.azure.blobs import SCHEME, quoted_etag
from activities.azure.blocks import commit_blocks, read_block_id
from activities.azure.errors import code_of
from activities.store import covers
from contracts.artifacts import Location

NEEDS = {
    "list_blobs": (BLOB_READ,),
    "get_block_list": (BLOB_READ,),
    "delete_blob": (BLOB_DELETE,),
}
DISCARDED = "causeway_discarded"
"""Metadata of an empty blob that took the place of blocks which were given up."""


def abort_uploads(container: ContainerClient, location: Location) -> Sequence[str]:
    """Give up Causeway's own uncommitted blocks below a prefix, and what was pushed there but not confirmed; name them."""
    given_up = [
        blob.name
        for blob in container.list_blobs(
            name_starts_with=location.name, include=["uncommittedblobs", "metadata"]
        )
        if covers(location.name, blob.name) and not blob.size and _give_up(container, blob)
    ]
    arrivals = f"{staging.PREFIX}{location.name}"
    for blob in container.list_blobs(name_starts_with=arrivals, include=["uncommittedblobs"]):
        arrival = container.get_blob_client(blob.name)
        target = blob.name.removeprefix(staging.PREFIX).rpartition(".")[0]
        if covers(location.name, target) and (delete_blob(arrival) or _discard_blocks(arrival)):
            given_up.append(target)
    return sorted({f"{SCHEME}://{location.container}/{name}" for name in given_up})


def _give_up(container: ContainerClient, found: BlobProperties) -> bool:
    blob = container.get_blob_client(found.name)
    return discard(blob, found) or _discard_blocks(blob)


def delete_blob(blob: BlobClient) -> bool:
    """Delete a blob; whether there was one."""
    try:
        blob.delete_blob()
    except ResourceNotFoundError as exc:
        if code_of(exc) == "ContainerNotFound":
            raise
        return False
    return True


def _discard_blocks(blob: BlobClient) -> bool:
    """Give up a blob's uncommitted blocks if all of them are Causeway's; Azure forgets any others after a week."""
    try:
        committed, uncommitted = blob.get_block_list("all")
    except ResourceNotFoundError:
        return False
    if committed or not uncommitted or not all(read_block_id(block.id, block.size) for block in uncommitted):
        return False
    # Blocks go only with a commit. An empty blob appears for a moment, marked in case that nobody lives to delete it, and never
    # in the place of one that came to lie there.
    with suppress(ResourceExistsError, ResourceModifiedError):
        mark = {DISCARDED: "true"}
        etag = commit_blocks(blob, [], media_type="application/octet-stream", metadata=mark, replace=False)
        _delete_version(blob, etag)
    return True


def discard(blob: BlobClient, found: BlobProperties) -> bool:
    """Delete a blob that stands only for blocks that were given up; False where it is any other."""
    if not is_discarded(found):
        return False
    with suppress(ResourceNotFoundError, ResourceModifiedError):
        _delete_version(blob, found.etag)
    return True


def is_discarded(found: BlobProperties) -> bool:
    """Whether a blob stands only for blocks that were given up."""
    return not found.size and (found.metadata or {}).get(DISCARDED) == "true"


def _delete_version(blob: BlobClient, etag: str) -> None:
    blob.delete_blob(etag=quoted_etag(etag), match_condition=MatchConditions.IfNotModified)
