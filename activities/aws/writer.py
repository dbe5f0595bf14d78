"""An object on its way in, part by part; any worker can take it up, for S3 says which parts it holds."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from activities.aws.errors import CLOUD, code_of
from activities.aws.objects import OWNER, conflict, encryption, named, recorded, refused, stat_object
from activities.aws.signing import sign_part
from activities.aws.uploads import Listed, Uploads
from activities.checksums import crc32c, from_base64, to_base64
from activities.store import Part, Sealed, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import PartGrant

NEEDS = {
    "complete_multipart_upload": ("s3:PutObject",),
    "head_object": ("s3:GetObject",),
    "put_object_tagging": ("s3:PutObjectTagging",),
}


class MultipartWriter:
    """One object's upload: the one with this target's pin is taken up; if there is none, it is created."""

    def __init__(self, client: Any, target: WriteTarget, kms_key: str | None) -> None:
        self._client = client
        self._target = target
        self._kms_key = kms_key
        self._uploads = Uploads(client, target.uri)
        pin = pin_of(target)
        noted = {**target.metadata, OWNER: target.owner}
        self._upload = self._uploads.find(pin) or self._uploads.begin(
            pin, ContentType=target.media_type, Metadata=noted, **encryption(kms_key)
        )

    def held(self) -> Mapping[int, Part | None]:
        """List the parts that S3 holds; None where it holds one without a CRC32C."""
        parts, _ = self._uploads.parts(self._upload)
        return {number - 1: self._part(part) for number, part in parts.items()}

    def put(self, part: Part, content: bytes) -> None:
        """Store one part; S3 refuses it when the bytes that arrive have another CRC32C."""
        self._uploads.put(self._upload, part.index + 1, content, to_base64(part.crc32c))

    def sign(self, part: Part, life: timedelta) -> PartGrant:
        """Mint a write of exactly this part; it can neither list nor complete the upload."""
        return sign_part(self._client, self._target.uri, self._upload, part, life)

    def commit(self, sealed: Sealed) -> ObjectStat:
        """Make exactly these parts the object; safe to call again when the answer to the first call was lost.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, `CHECKSUM_MISMATCH` (S3 holds another part than was read, or
                comes to another checksum), `UNAVAILABLE` (a part is not there any more).
        """
        version = None
        try:
            version = self._complete(sealed)
        except ClientError as error:
            self._accept(error, sealed)
        self._record(sealed, version)
        self._uploads.abort_others(self._upload)
        return self._confirmed(sealed)

    def _complete(self, sealed: Sealed) -> str | None:
        held, whole = self._uploads.parts(self._upload)
        listed = [self._named(part, held.get(part.index + 1)) for part in sealed.parts]
        checksum = {"ChecksumCRC32C": composite(sealed)}
        if whole:
            checksum = {"ChecksumCRC32C": to_base64(sealed.crc32c), "ChecksumType": "FULL_OBJECT"}
        condition = {} if self._target.replace else {"IfNoneMatch": "*"}
        answer: Listed = self._client.complete_multipart_upload(
            **named(self._target.uri),
            UploadId=self._upload,
            MultipartUpload={"Parts": listed},
            **checksum,
            **condition,
        )
        return answer.get("VersionId")

    def _named(self, part: Part, held: Listed | None) -> dict[str, Any]:
        detail = ErrorDetail(cloud=CLOUD, ref=self._target.uri)
        if held is None:
            raise failure(
                ErrorKind.UNAVAILABLE, f"S3 does not hold part {part.index} of {self._target.uri}", detail
            )
        if held["Size"] != part.size_bytes or held.get("ChecksumCRC32C") != to_base64(part.crc32c):
            message = f"S3 holds another part {part.index} of {self._target.uri} than was read"
            raise failure(ErrorKind.CHECKSUM_MISMATCH, message, detail)
        return {"PartNumber": part.index + 1, "ETag": held["ETag"], "ChecksumCRC32C": held["ChecksumCRC32C"]}

    def _accept(self, error: ClientError, sealed: Sealed) -> None:
        """Return if an earlier commit, whose answer was lost, made this very object; raise otherwise."""
        taken = refused(error)
        if not taken and code_of(error) != "NoSuchUpload":
            raise error
        mine = self._lies_there(sealed)
        if taken:
            # These parts serve nobody now: the object is there, or may not be.
            self._uploads.abort(self._upload)
        if not mine:
            raise conflict(self._target.uri) if taken else error

    def _lies_there(self, sealed: Sealed) -> bool:
        try:
            answer = self._client.head_object(**named(self._target.uri), ChecksumMode="ENABLED")
        except ClientError:
            return False
        known = answer.get("ChecksumCRC32C") in {to_base64(sealed.crc32c), composite(sealed)}
        return known and bool(answer["ContentLength"] == self._target.size_bytes)

    def _record(self, sealed: Sealed, version: str | None) -> None:
        # The metadata of an upload are fixed before its bytes were read; tags can follow.
        tags = recorded(sealed.crc32c, sealed.sha256, self._target.owner)
        exactly = {"VersionId": version} if version else {}
        listed = [{"Key": name, "Value": value} for name, value in tags.items()]
        self._client.put_object_tagging(**named(self._target.uri), **exactly, Tagging={"TagSet": listed})

    def _confirmed(self, sealed: Sealed) -> ObjectStat:
        found = stat_object(self._client, self._target.uri)
        if found and found.size_bytes == self._target.size_bytes and found.crc32c == to_base64(sealed.crc32c):
            return found
        message = f"what lies at {self._target.uri} after the commit is not what was sent"
        raise failure(ErrorKind.CHECKSUM_MISMATCH, message, ErrorDetail(cloud=CLOUD, ref=self._target.uri))

    def _part(self, listed: Listed) -> Part | None:
        checksum = listed.get("ChecksumCRC32C")
        if checksum is None:
            return None
        return Part(listed["PartNumber"] - 1, listed["Size"], from_base64(checksum))


def pin_of(target: WriteTarget) -> bytes:
    """Return what an upload's parts belong to: this version of the source, for this owner, with this noted on it."""
    noted = json.dumps(dict(target.metadata), sort_keys=True)
    belongs = (target.source_etag, str(target.size_bytes), target.owner, target.media_type, noted)
    return hashlib.sha256("\0".join(belongs).encode()).hexdigest().encode()


def composite(sealed: Sealed) -> str:
    """Return S3's checksum of checksums: the CRC32C of the parts' CRC32Cs, and their number."""
    joined = b"".join(part.crc32c.to_bytes(4, "big") for part in sealed.parts)
    return f"{to_base64(crc32c(joined))}-{len(sealed.parts)}"
