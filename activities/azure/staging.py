"""Where pushed objects arrive before they are checked: a prefix of their own, so a pusher never writes the target.

A signature that may write a blob may also replace it and commit its blocks; what it can reach is therefore never the
object that others read.
"""

import base64
import hashlib
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobProperties, BlobSasPermissions

from activities.azure.blobs import bare_etag, metadata_of, quoted_etag, refusing_conflicts
from activities.azure.errors import CLOUD
from activities.azure.signing import Signer
from activities.azure.writer import BLOCK_LIMIT_BYTES, block_id, commit_blocks
from activities.checksums import from_base64
from activities.store import Part
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import GRANT_LIFE, Measure, WriteIntent
from contracts.units import MIB

PREFIX = "causeway-staging/"
COPY_LIMIT_BYTES = 256 * MIB
"""The most that can be copied at once: https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url"""


def staging_name(name: str, intent: WriteIntent) -> str:
    """Return where an object arrives: its own name below the prefix, told apart by content and owner."""
    mark = hashlib.sha256(f"{intent.measure.sha256}\n{intent.owner}".encode()).hexdigest()[:16]
    return f"{PREFIX}{name}.{mark}"


def write_headers(measure: Measure, media_type: str) -> dict[str, str]:
    """Return what a pusher sends along: the store itself refuses another length or MD5."""
    return {
        "x-ms-blob-type": "BlockBlob",
        "Content-Length": str(measure.source.size_bytes),
        "Content-MD5": measure.md5,
        "Content-Type": media_type,
    }


def check(staging: BlobClient, intent: WriteIntent) -> BlobProperties:
    """Return what arrived.

    Raises:
        ApplicationError: `SOURCE_MISSING` when nothing did, `CHECKSUM_MISMATCH` when it is not what was measured.
    """
    detail = ErrorDetail(cloud=CLOUD, ref=intent.target)
    try:
        arrived = staging.get_blob_properties()
    except ResourceNotFoundError:
        message = f"nothing was pushed for {intent.target}"
        raise failure(ErrorKind.SOURCE_MISSING, message, detail) from None
    measure = intent.measure
    md5 = base64.b64encode(bytes(arrived.content_settings.content_md5 or b"")).decode()
    if arrived.size != measure.source.size_bytes or md5 != measure.md5:
        message = (
            f"what was pushed for {intent.target} is not what was measured: {arrived.size} bytes, MD5 {md5}"
        )
        raise failure(ErrorKind.CHECKSUM_MISMATCH, message, detail)
    return arrived


def publish(
    staging: BlobClient,
    target: BlobClient,
    arrived: BlobProperties,
    intent: WriteIntent,
    signer: Signer,
    *,
    replace: bool,
) -> ObjectStat:
    """Have the store copy what arrived to its target, whole or not at all; no byte passes through the worker."""
    measure = intent.measure
    url, _ = signer.sign(staging, BlobSasPermissions(read=True), GRANT_LIFE)
    media_type = arrived.content_settings.content_type or "application/octet-stream"
    metadata = metadata_of(measure.crc32c, measure.sha256, intent.owner)
    # The pin keeps a pusher from changing the blob after it was checked.
    pin = quoted_etag(str(arrived.etag))
    with refusing_conflicts(intent.target):
        if measure.source.size_bytes <= COPY_LIMIT_BYTES:
            etag = _copy(target, url, pin, measure, metadata, replace=replace)
        else:
            ids = _copy_blocks(target, url, pin, measure)
            etag = commit_blocks(target, ids, media_type=media_type, metadata=metadata, replace=replace)
    return ObjectStat(
        uri=intent.target,
        size_bytes=measure.source.size_bytes,
        etag=etag,
        crc32c=measure.crc32c,
        sha256=measure.sha256,
        owner=intent.owner,
        media_type=media_type,
    )


def _copy(
    target: BlobClient, url: str, pin: str, measure: Measure, metadata: dict[str, str], *, replace: bool
) -> str:
    """Copy at once: the store compares the bytes with their MD5, and takes the media type along."""
    condition: dict[str, Any] = {} if replace else {"match_condition": MatchConditions.IfMissing}
    answer = target.start_copy_from_url(
        url,
        metadata=metadata,
        requires_sync=True,
        source_etag=pin,
        source_match_condition=MatchConditions.IfNotModified,
        headers={"x-ms-source-content-md5": measure.md5},
        **condition,
    )
    return bare_etag(str(answer["etag"]))


def _copy_blocks(target: BlobClient, url: str, pin: str, measure: Measure) -> list[str]:
    """Stage the object as few large blocks and return their ids."""
    parts = _parts(measure)
    mark = hashlib.sha256(pin.encode()).hexdigest()[:16]
    for part in parts:
        target.stage_block_from_url(
            block_id(mark, part),
            url,
            part.index * BLOCK_LIMIT_BYTES,
            part.size_bytes,
            # An MD5 of the whole says nothing of one block among several; the pin still does.
            source_content_md5=part.md5 if len(parts) == 1 else None,
            headers={"x-ms-source-if-match": pin},
        )
    return [block_id(mark, part) for part in parts]


def _parts(measure: Measure) -> list[Part]:
    """Divide an object into blocks of the largest size; nearly always one, which then carries the MD5 of the whole."""
    size = measure.source.size_bytes
    md5, crc32c = base64.b64decode(measure.md5), from_base64(measure.crc32c)
    starts = range(0, size, BLOCK_LIMIT_BYTES)
    return [
        Part(index=index, size_bytes=min(BLOCK_LIMIT_BYTES, size - start), crc32c=crc32c, md5=md5)
        for index, start in enumerate(starts)
    ]
