"""Staged blocks whose ids say what they hold, so the list of them alone proves what is there."""

import base64
import hashlib
import re
import struct
from collections.abc import Iterable
from typing import Any

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock, BlobClient, BlockState, ContentSettings

from activities.azure.actions import BLOB_WRITE
from activities.azure.blobs import bare_etag
from activities.checksums import md5_digest
from activities.store import Part
from contracts.units import MIB

NEEDS = {"stage_block": (BLOB_WRITE,), "commit_block_list": (BLOB_WRITE,)}
BLOCK_LIMIT_BYTES = 4000 * MIB
"""https://learn.microsoft.com/rest/api/storageservices/put-block"""
_FIELDS = struct.Struct(">H8sI32s")
_ID = re.compile(r"[A-Za-z0-9_-]{62}")


def block_id(pin: bytes, part: Part) -> str:
    """Return index, pin, CRC32C and SHA-256 of a part as 62 characters: all ids of a blob have one length, at most 64."""
    fields = _FIELDS.pack(part.index, pin, part.crc32c, part.sha256 or bytes(32))
    return base64.urlsafe_b64encode(fields).decode().rstrip("=")


def read_block_id(text: str, size_bytes: int) -> tuple[bytes, Part] | None:
    """Return the pin and the part that an id names, of a block of this size; None when another tool made it."""
    if not _ID.fullmatch(text):
        return None
    index, pin, crc32c, sha256 = _FIELDS.unpack(base64.urlsafe_b64decode(text + "=="))
    return pin, Part(index, size_bytes, crc32c, sha256)


def pin_of(*belongs: object) -> bytes:
    """Return what marks the blocks of one upload."""
    return hashlib.sha256("\n".join(map(str, belongs)).encode()).digest()[:8]


def commit_blocks(
    blob: BlobClient, block_ids: Iterable[str], *, media_type: str, metadata: dict[str, str], replace: bool
) -> str:
    """Make exactly these staged blocks the blob and return its ETag; the store refuses to replace unless it may."""
    condition: dict[str, Any] = {} if replace else {"match_condition": MatchConditions.IfMissing}
    # Not LATEST: a block of the same id in an older, committed version must not stand in for one that is gone.
    blocks = [BlobBlock(name, state=BlockState.UNCOMMITTED) for name in block_ids]
    settings = ContentSettings(content_type=media_type)
    answer = blob.commit_block_list(blocks, content_settings=settings, metadata=metadata, **condition)
    return bare_etag(str(answer["etag"]))


def put_as_block(
    blob: BlobClient, content: bytes, part: Part, *, media_type: str, metadata: dict[str, str]
) -> str:
    """Store a whole object as one block where nothing was committed yet, and return its ETag."""
    name = block_id(bytes(8), part)
    stage(blob, name, content)
    return commit_blocks(blob, [name], media_type=media_type, metadata=metadata, replace=False)


def stage(blob: BlobClient, name: str, content: bytes) -> None:
    """Send one block; the store compares it with its MD5 on arrival."""
    # Our own header: `validate_content` would hash the part a second time. It also spares the emulator a CRC64.
    headers = {"Content-MD5": base64.b64encode(md5_digest(content)).decode()}
    blob.stage_block(name, content, length=len(content), headers=headers)
