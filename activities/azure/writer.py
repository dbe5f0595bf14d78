"""Uploads in parts: staged blocks whose ids say what they hold, so the list of them alone proves what is there."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobClient, BlockState, ContentSettings

from activities.azure.blobs import bare_etag, metadata_of, refusing_conflicts
from activities.checksums import to_base64
from activities.store import Part, Sealed, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.units import MIB

BLOCKS_LIMIT = 50_000
"""Blocks of one blob: https://learn.microsoft.com/rest/api/storageservices/put-block-list"""
BLOCK_LIMIT_BYTES = 4000 * MIB
_BLOCK_ID = re.compile(r"(\d{5})\.([0-9a-f]{16})\.([0-9a-f]{8})\.([0-9a-f]{8})\.([A-Za-z0-9_-]{22})")


def block_id(pin: str, part: Part) -> str:
    """Return index, pin, size, CRC32C and MD5 of a part as 63 characters: all ids of a blob have one length, at most 64."""
    md5 = base64.urlsafe_b64encode(part.md5).decode().rstrip("=")
    return f"{part.index:05d}.{pin}.{part.size_bytes:08x}.{part.crc32c:08x}.{md5}"


def read_block_id(text: str) -> tuple[str, Part] | None:
    """Return the pin and the part that an id names; None when another tool made it."""
    found = _BLOCK_ID.fullmatch(text)
    if not found:
        return None
    index, pin, size, crc32c, md5 = found.groups()
    try:
        digest = base64.urlsafe_b64decode(md5 + "==")
    except binascii.Error:
        return None
    return pin, Part(index=int(index), size_bytes=int(size, 16), crc32c=int(crc32c, 16), md5=digest)


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
    name = block_id("0" * 16, part)
    stage(blob, name, part, content)
    return commit_blocks(blob, [name], media_type=media_type, metadata=metadata, replace=False)


def stage(blob: BlobClient, name: str, part: Part, content: bytes) -> None:
    """Send one block; the store compares it with its MD5 on arrival."""
    # Our own header: `validate_content` would hash the part a second time. It also spares the emulator a CRC64.
    headers = {"Content-MD5": base64.b64encode(part.md5).decode()}
    blob.stage_block(name, content, length=len(content), headers=headers)


class BlockWriter:
    """One object's upload as staged blocks. Uncommitted blocks live a week; any worker takes them up again."""

    def __init__(self, blob: BlobClient, target: WriteTarget) -> None:
        """Open the upload; nothing is sent yet."""
        self._blob = blob
        self._target = target
        self.part_bytes = max(target.part_bytes, _whole_mib(target.size_bytes, BLOCKS_LIMIT))
        # Parts of another source, another version of it or another division never match.
        pinned = f"{target.source_etag}\n{target.size_bytes}\n{self.part_bytes}"
        self._pin = hashlib.sha256(pinned.encode()).hexdigest()[:16]

    def held(self) -> Mapping[int, Part | None]:
        """See `ObjectWriter.held`: what the uncommitted list names under this upload's pin, at the size it should have."""
        try:
            _, uncommitted = self._blob.get_block_list("uncommitted")
        except ResourceNotFoundError:
            return {}
        found: dict[int, Part | None] = {}
        for block in uncommitted:
            named = read_block_id(block.id)
            if named is None:
                continue
            pin, part = named
            if pin == self._pin and part.size_bytes == block.size == self._size_of(part.index):
                # Two different contents for one part: neither is to be trusted.
                found[part.index] = None if part.index in found and found[part.index] != part else part
        return found

    def put(self, part: Part, content: bytes) -> None:
        """See `ObjectWriter.put`: the store compares the content with its MD5 on arrival."""
        stage(self._blob, block_id(self._pin, part), part, content)

    def commit(self, sealed: Sealed) -> ObjectStat:
        """See `ObjectWriter.commit`: each block was verified on arrival, and only the blocks named become the object."""
        target = self._target
        ordered = sorted(sealed.parts, key=lambda part: part.index)
        crc32c = to_base64(sealed.crc32c)
        with refusing_conflicts(target.uri):
            etag = commit_blocks(
                self._blob,
                [block_id(self._pin, part) for part in ordered],
                media_type=target.media_type,
                metadata=metadata_of(crc32c, sealed.sha256, target.owner),
                replace=target.replace,
            )
        return ObjectStat(
            uri=target.uri,
            size_bytes=sum(part.size_bytes for part in ordered),
            etag=etag,
            crc32c=crc32c,
            sha256=sealed.sha256,
            owner=target.owner,
            media_type=target.media_type,
        )

    def _size_of(self, index: int) -> int:
        return min(self.part_bytes, self._target.size_bytes - index * self.part_bytes)


def _whole_mib(size_bytes: int, parts: int) -> int:
    """Return the smallest whole number of MiB that divides a size into at most so many parts."""
    return -(-size_bytes // (parts * MIB)) * MIB
