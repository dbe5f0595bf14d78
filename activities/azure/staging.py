"""Where pushed objects arrive before they are checked: a prefix of their own, so a pusher never writes the target.

A signature that may write a blob may also replace it and commit its blocks; what it can reach is therefore never the
object that others read.
"""

import base64
import hashlib

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobProperties

from activities.azure.actions import BLOB_READ
from activities.azure.blobs import carriable, metadata_of
from activities.azure.copies import Moved, copy_from
from activities.azure.errors import CLOUD
from activities.azure.signing import Signer
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import Measure, WriteIntent
from contracts.storage import HIDDEN

NEEDS = {"get_blob_properties": (BLOB_READ,)}
PREFIX = f"{HIDDEN}staging/"


def staging_name(name: str, *belongs: str) -> str:
    """Return where an object arrives: its own name below the prefix, told apart by what it belongs to."""
    mark = hashlib.sha256("\n".join(belongs).encode()).hexdigest()[:16]
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
    media_type = arrived.content_settings.content_type or "application/octet-stream"
    kept = carriable(measure.source.metadata)
    noted = {**kept, **metadata_of(measure.crc32c, measure.sha256, intent.owner)}
    # The pin keeps a pusher from changing the blob after it was checked.
    pin = str(arrived.etag)
    moved = Moved(intent.target, measure.source.size_bytes, pin, media_type, noted, measure.md5)
    etag = copy_from(staging, target, moved, signer, replace=replace)
    return ObjectStat(
        uri=intent.target,
        size_bytes=measure.source.size_bytes,
        etag=etag,
        crc32c=measure.crc32c,
        sha256=measure.sha256,
        owner=intent.owner,
        media_type=media_type,
        metadata=kept,
    )
