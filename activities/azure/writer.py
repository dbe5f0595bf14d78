"""Uploads in parts: any worker takes them up again by the list of blocks that Azure holds."""

import base64
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import reduce
from urllib.parse import quote

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobClient, BlobSasPermissions

from activities.azure.actions import BLOB_DELETE, BLOB_READ
from activities.azure.blobs import bare_etag, metadata_of, quoted_etag, refusing_conflicts
from activities.azure.blocks import block_id, commit_blocks, pin_of, read_block_id, stage
from activities.azure.copies import Moved, copy_from
from activities.azure.errors import CLOUD
from activities.azure.signing import Signer
from activities.checksums import crc32c, to_base64
from activities.store import Part, Sealed, WriteTarget, same_part
from activities.uploading import as_sum
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import PartGrant
from contracts.parts import part_size

NEEDS = {
    "get_block_list": (BLOB_READ,),
    "exists": (BLOB_READ,),
    "get_blob_properties": (BLOB_READ,),
    "download_blob": (BLOB_READ,),
    "delete_blob": (BLOB_DELETE,),
}


class BlockWriter:
    """One object's upload as staged blocks. Uncommitted blocks live a week; any worker takes them up again."""

    def __init__(self, blob: BlobClient, target: WriteTarget, signer: Signer, arrival: BlobClient) -> None:
        """Open the upload; nothing is sent yet. What others push goes to `arrival`, never to the blob itself."""
        self._blob = blob
        self._target = target
        self._signer = signer
        self._staged = arrival if target.pushed else blob
        # Parts of another source, or another version of it, never match.
        self._pin = pin_of(target.source_etag, target.size_bytes, target.owner)

    def held(self) -> Mapping[int, Part | None]:
        """See `ObjectWriter.held`: what the lists name under this upload's pin, at the size it should have.

        Of the target only the uncommitted list counts. What was pushed aside may have been committed there already.
        """
        committed, uncommitted = self._blocks()
        found: dict[int, Part | None] = {}
        for block in (*committed, *uncommitted) if self._target.pushed else uncommitted:
            named = read_block_id(block.id, block.size)
            if named is None or named[0] != self._pin:
                continue
            part = named[1]
            if part.size_bytes == part_size(self._target.size_bytes, part.index):
                # Two different contents for one part: neither is to be trusted.
                found[part.index] = None if part.index in found and found[part.index] != part else part
        return found

    def _blocks(self) -> tuple[list[BlobBlock], list[BlobBlock]]:
        try:
            return self._staged.get_block_list("all")
        except ResourceNotFoundError:
            return [], []

    def put(self, part: Part, content: bytes) -> None:
        """See `ObjectWriter.put`: the store compares the content with its MD5 on arrival."""
        if len(content) != part.size_bytes or crc32c(content) != part.crc32c:
            told = f"part {part.index} of {self._target.uri} is not what was announced"
            raise failure(ErrorKind.CHECKSUM_MISMATCH, told, self._detail())
        stage(self._staged, block_id(self._pin, part), content)

    def sign(self, part: Part, life: timedelta) -> PartGrant:
        """Mint a write of this part, under its own id, to a blob aside.

        A signature pins neither bytes nor length here: `commit` reads what was pushed before anybody else can.
        """
        permission = BlobSasPermissions(create=True, write=True)
        url, expires_at = self._signer.sign(self._staged, permission, life)
        name = base64.b64encode(block_id(self._pin, part).encode()).decode()
        return PartGrant(
            part=as_sum(part),
            url=f"{url}&comp=block&blockid={quote(name, safe='')}",
            headers={"Content-Length": str(part.size_bytes)},
            expires_at=expires_at,
        )

    def commit(self, sealed: Sealed) -> ObjectStat:
        """See `ObjectWriter.commit`: each block was verified on arrival, and only the blocks named become the object."""
        target = self._target
        held = self.held()
        for part in sealed.parts:
            if not same_part(held.get(part.index), part):
                if not target.replace and self._blob.exists():
                    # An object that is put drops the blocks that were staged under its name.
                    told = f"another object lies at {target.uri} and may not be replaced"
                    raise failure(ErrorKind.TARGET_CONFLICT, told, self._detail())
                told = f"part {part.index} of {target.uri} is not there any more"
                raise failure(ErrorKind.UNAVAILABLE, told, self._detail())
        crc32c = to_base64(sealed.crc32c)
        noted = {**target.metadata, **metadata_of(crc32c, sealed.sha256, target.owner)}
        names = [block_id(self._pin, part) for part in sealed.parts]
        if target.pushed:
            etag = self._publish(names, sealed, noted)
        else:
            with refusing_conflicts(target.uri):
                etag = commit_blocks(
                    self._blob, names, media_type=target.media_type, metadata=noted, replace=target.replace
                )
        return ObjectStat(
            uri=target.uri,
            size_bytes=target.size_bytes,
            etag=etag,
            crc32c=crc32c,
            sha256=sealed.sha256,
            owner=target.owner,
            media_type=target.media_type,
            metadata=dict(target.metadata),
        )

    def _publish(self, names: Sequence[str], sealed: Sealed, noted: dict[str, str]) -> str:
        """Make what was pushed a blob aside, read it there, and have the store copy this very version."""
        target = self._target
        if [block.id for block in self._blocks()[0]] == list(names):
            # An attempt before this one came so far.
            pin = bare_etag(str(self._staged.get_blob_properties().etag))
        else:
            pin = commit_blocks(
                self._staged, names, media_type=target.media_type, metadata=noted, replace=True
            )
        if _crc_of(self._staged, pin) != sealed.crc32c:
            self._staged.delete_blob()
            told = f"what was pushed for {target.uri} is not what was measured"
            raise failure(ErrorKind.CHECKSUM_MISMATCH, told, self._detail())
        whole = Moved(target.uri, target.size_bytes, pin, target.media_type, noted)
        etag = copy_from(self._staged, self._blob, whole, self._signer, replace=target.replace)
        self._staged.delete_blob()
        return etag

    def _detail(self) -> ErrorDetail:
        return ErrorDetail(cloud=CLOUD, ref=self._target.uri)


def _crc_of(blob: BlobClient, etag: str) -> int:
    download = blob.download_blob(etag=quoted_etag(etag), match_condition=MatchConditions.IfNotModified)
    return reduce(lambda crc, piece: crc32c(piece, crc), download.chunks(), 0)
