"""Copies that Azure makes by itself: within an account, or from a signed URL; no byte passes the worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, BlobSasPermissions

from activities.azure.actions import BLOB_READ, BLOB_WRITE
from activities.azure.blobs import bare_etag, quoted_etag, refusing_conflicts
from activities.azure.blocks import BLOCK_LIMIT_BYTES, block_id, commit_blocks, pin_of
from activities.azure.errors import code_of
from activities.azure.signing import Signer
from activities.store import Part
from contracts.grants import GRANT_LIFE
from contracts.units import MIB

NEEDS = {
    "start_copy_from_url": (BLOB_READ, BLOB_WRITE),
    "stage_block_from_url": (BLOB_READ, BLOB_WRITE),
}
"""The source is read by a signature of our own, or by another store's, which asks nothing here."""
COPY_LIMIT_BYTES = 256 * MIB
"""The most that can be copied at once: https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url"""
_NOT_READ = {
    "CannotVerifyCopySource",
    "Md5Mismatch",
    "CopySourceNotReachable",
    "404",
    "403",
    "ResourceNotFound",
}
"""What says that the source is the trouble: it is out of reach from there, or its MD5 is not of its bytes."""


@dataclass(frozen=True)
class Moved:
    """A version of a blob, and what is to be written at its target."""

    uri: str
    size_bytes: int
    etag: str
    media_type: str
    metadata: Mapping[str, str]
    md5: str | None = None
    """Base64; the store compares it where it copies all at once."""


def copy_from(source: BlobClient, target: BlobClient, moved: Moved, signer: Signer, *, replace: bool) -> str:
    """Have the account copy this version of a blob of its own, whole or not at all; return the new ETag."""
    url, _ = signer.sign(source, BlobSasPermissions(read=True), GRANT_LIFE)
    with refusing_conflicts(moved.uri):
        if moved.size_bytes <= COPY_LIMIT_BYTES:
            return _at_once(target, url, moved, replace=replace)
        names = _in_blocks(target, url, moved)
        return _commit(target, names, moved, replace=replace)


def fetch_from(url: str, target: BlobClient, moved: Moved, md5: bytes, *, replace: bool) -> str | None:
    """Have Azure read a signed URL of another store as one block, compared with its MD5; None when it cannot."""
    if not 0 < moved.size_bytes <= BLOCK_LIMIT_BYTES:
        return None
    name = block_id(pin_of("fetched", moved.etag, moved.size_bytes), Part(0, moved.size_bytes, 0))
    try:
        target.stage_block_from_url(name, url, 0, moved.size_bytes, source_content_md5=bytearray(md5))
    except HttpResponseError as error:
        if code_of(error) in _NOT_READ or error.status_code in {400, 403, 404, 409}:
            return None
        raise
    with refusing_conflicts(moved.uri):
        return _commit(target, [name], moved, replace=replace)


def _at_once(target: BlobClient, url: str, moved: Moved, *, replace: bool) -> str:
    """Copy at once: the store takes the media type along."""
    condition: dict[str, Any] = {} if replace else {"match_condition": MatchConditions.IfMissing}
    checked = {"x-ms-source-content-md5": moved.md5} if moved.md5 else {}
    answer = target.start_copy_from_url(
        url,
        metadata=dict(moved.metadata),
        requires_sync=True,
        source_etag=quoted_etag(moved.etag),
        source_match_condition=MatchConditions.IfNotModified,
        headers=checked,
        **condition,
    )
    return bare_etag(str(answer["etag"]))


def _in_blocks(target: BlobClient, url: str, moved: Moved) -> list[str]:
    """Stage the blob as few large blocks and return their ids; the pin, not an MD5, says what they hold."""
    pin = pin_of("copied", moved.etag, moved.size_bytes)
    names = []
    for index, start in enumerate(range(0, moved.size_bytes, BLOCK_LIMIT_BYTES)):
        size = min(BLOCK_LIMIT_BYTES, moved.size_bytes - start)
        names.append(block_id(pin, Part(index, size, 0)))
        condition = {"x-ms-source-if-match": quoted_etag(moved.etag)}
        target.stage_block_from_url(names[-1], url, start, size, headers=condition)
    return names


def _commit(target: BlobClient, names: list[str], moved: Moved, *, replace: bool) -> str:
    return commit_blocks(
        target, names, media_type=moved.media_type, metadata=dict(moved.metadata), replace=replace
    )
