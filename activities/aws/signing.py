"""Grants for S3: signed URLs whose signed headers leave no room for anything but the object meant."""

from datetime import UTC, datetime, timedelta
from typing import Any

from activities.aws.objects import CRC32C, OWNER, SHA256, carriable, encryption, named
from activities.checksums import to_base64
from activities.store import Part, may_replace
from activities.uploading import as_sum
from contracts.artifacts import ObjectStat
from contracts.grants import GRANT_LIFE, PartGrant, ReadGrant, WriteGrant, WriteIntent

NEEDS = {
    "get_object": ("s3:GetObject",),
    "put_object": ("s3:PutObject",),
    "upload_part": ("s3:PutObject",),
}

_HEADER = {
    "ContentType": "Content-Type",
    "ChecksumCRC32C": "x-amz-checksum-crc32c",
    "IfMatch": "If-Match",
    "IfNoneMatch": "If-None-Match",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
}


def sign_read(client: Any, source: ObjectStat, life: timedelta, *, bare: bool) -> ReadGrant:
    """Mint a read of this version: the header that names its ETag is part of the signature, unless it is bare."""
    seconds, expires_at = _lifetime(life)
    pin = {} if bare else {"IfMatch": source.etag}
    url = client.generate_presigned_url("get_object", Params={**named(source.uri), **pin}, ExpiresIn=seconds)
    headers = {} if bare else {"If-Match": source.etag}
    return ReadGrant(source=source, url=url, headers=headers, expires_at=expires_at)


def sign_part(client: Any, uri: str, upload: str, part: Part, life: timedelta) -> PartGrant:
    """Mint a write of one part of an upload; its number, length and checksum are part of the signature."""
    seconds, expires_at = _lifetime(life)
    checksum = to_base64(part.crc32c)
    what = {
        **named(uri),
        "UploadId": upload,
        "PartNumber": part.index + 1,
        "ContentLength": part.size_bytes,
        "ChecksumCRC32C": checksum,
    }
    url = client.generate_presigned_url("upload_part", Params=what, ExpiresIn=seconds)
    headers = {"Content-Length": str(part.size_bytes), "x-amz-checksum-crc32c": checksum}
    return PartGrant(part=as_sum(part), url=url, headers=headers, expires_at=expires_at)


def sign_write(client: Any, intent: WriteIntent, life: timedelta, kms_key: str | None) -> WriteGrant:
    """Mint a write; length, checksum, metadata, encryption and condition are part of the signature."""
    seconds, expires_at = _lifetime(life)
    measure = intent.measure
    own = {CRC32C: measure.crc32c, SHA256: measure.sha256, OWNER: intent.owner}
    carried = {**carriable(measure.source.metadata), **own}
    pinned = {
        "ContentType": measure.source.media_type,
        "ChecksumCRC32C": measure.crc32c,
        **_condition(intent),
        **encryption(kms_key),
    }
    size = measure.source.size_bytes
    what = {**named(intent.target), **pinned, "ContentLength": size, "Metadata": carried}
    url = client.generate_presigned_url("put_object", Params=what, ExpiresIn=seconds)
    headers = {_HEADER[name]: _text(value) for name, value in pinned.items()} | {"Content-Length": str(size)}
    headers |= {f"x-amz-meta-{name}": value for name, value in carried.items()}
    return WriteGrant(intent=intent, url=url, headers=headers, expires_at=expires_at)


def _condition(intent: WriteIntent) -> dict[str, str]:
    if intent.replaces:
        return {"IfMatch": intent.replaces}
    return {} if may_replace(intent.if_exists) else {"IfNoneMatch": "*"}


def _lifetime(life: timedelta) -> tuple[int, datetime]:
    """Return seconds and end of a grant; a signed URL also dies with the session that signed it."""
    seconds = max(1, int(min(life, GRANT_LIFE).total_seconds()))
    return seconds, datetime.now(UTC) + timedelta(seconds=seconds)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
