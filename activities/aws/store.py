"""S3 as a store: what lies there, reads pinned to a version, writes that S3 itself verifies."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from activities.aws import signing
from activities.aws.containers import ensure_bucket, refuses_plain
from activities.aws.copies import copy_object
from activities.aws.errors import CLOUD
from activities.aws.objects import (
    absent,
    carriable,
    check_key,
    conflict,
    described,
    encryption,
    named,
    place,
    recorded,
    refused,
    stat_object,
)
from activities.aws.uploads import abort
from activities.aws.writer import MultipartWriter
from activities.checksums import crc32c
from activities.store import ObjectWriter, WriteTarget, covers, same_content
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import ReadGrant, WriteGrant, WriteIntent
from contracts.storage import HIDDEN, ContainerReceipt, ObjectPage
from contracts.units import MIB

NEEDS = {
    "list_objects_v2": ("s3:ListBucket",),
    "get_object": ("s3:GetObject",),
    "put_object": ("s3:PutObject",),
    "head_object": ("s3:GetObject",),
    "delete_object": ("s3:DeleteObject",),
    "list_multipart_uploads": ("s3:ListBucketMultipartUploads",),
}

READ_BYTES = MIB
"""Size of the pieces in which an object is read."""


class S3Store:
    """One connection's buckets. The client is boto3's for S3; it is safe across threads."""

    scheme = "s3"
    fetches = False

    def __init__(self, client: Any, container: str, kms_key: str | None = None) -> None:
        self.default_container = f"s3://{container}/"
        self._client = client
        self._kms_key = kms_key

    def ensure_container(self, uri: str, *, create: bool) -> ContainerReceipt:
        """Find the bucket, or create it encrypted and closed to the public."""
        return ensure_bucket(self._client, place(uri).container, create=create, kms_key=self._kms_key)

    def refuses_plain(self, uri: str) -> bool | None:
        """See `Store.refuses_plain`; the bucket's own policy says it."""
        return refuses_plain(self._client, place(uri).container)

    def stat(self, uri: str) -> ObjectStat | None:
        """Describe one object; None when there is none."""
        return stat_object(self._client, uri)

    def check_name(self, uri: str) -> None:
        """See `Store.check_name`."""
        check_key(uri)

    def carriable(self, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """See `Store.carriable`."""
        return carriable(metadata)

    def list(self, prefix: str, after: str | None, limit: int) -> ObjectPage:
        """List objects below a prefix by name; the markers that consoles leave for folders are no objects."""
        folder = place(prefix)
        start = {"StartAfter": after} if after else {}
        answer = self._client.list_objects_v2(
            Bucket=folder.container, Prefix=folder.name, MaxKeys=limit, **start
        )
        held = answer.get("Contents", [])
        objects = tuple(_listed(folder.container, entry) for entry in held if _is_object(entry, folder.name))
        return ObjectPage(
            objects=objects, next_after=held[-1]["Key"] if held and answer["IsTruncated"] else None
        )

    def read(self, source: ObjectStat, start: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Stream this version of the object from a byte on.

        Raises:
            ApplicationError: `SOURCE_CHANGED`, another version lies there now.
        """
        left = source.size_bytes - start if size_bytes is None else size_bytes
        # S3 refuses every range of an empty object.
        part = {"Range": f"bytes={start}-{start + left - 1}"} if left < source.size_bytes else {}
        if part and left <= 0:
            return
        try:
            answer = self._client.get_object(**named(source.uri), IfMatch=source.etag, **part)
        except ClientError as error:
            if refused(error):
                raise _changed(source.uri) from None
            raise
        with closing(answer["Body"]) as body:
            yield from body.iter_chunks(READ_BYTES)

    def put(self, target: WriteTarget, content: bytes, sha256: str) -> ObjectStat:
        """Store an object of one part at once."""
        own = recorded(crc32c(content), sha256, target.owner)
        condition = {} if target.replace else {"IfNoneMatch": "*"}
        carried = {**target.metadata, **own}
        sent: Mapping[str, Any] = {
            **named(target.uri),
            **encryption(self._kms_key),
            **condition,
            "ContentType": target.media_type,
            "Metadata": carried,
            "ChecksumCRC32C": own["causeway-crc32c"],
        }
        try:
            answer = self._client.put_object(**sent, Body=content)
        except ClientError as error:
            if refused(error):
                raise conflict(target.uri) from None
            raise
        told = {"ContentLength": len(content), "ContentType": target.media_type, **answer}
        return described(target.uri, told, carried)

    def writer(self, target: WriteTarget) -> ObjectWriter:
        """Open the upload of a larger object, or take up the one that was begun for this very target."""
        return MultipartWriter(self._client, target, self._kms_key)

    def copy_within(self, source: ObjectStat, target: WriteTarget) -> ObjectStat:
        """Have S3 copy this version of an object of the same account."""
        return copy_object(self._client, source, target, self._kms_key)

    def fetch(self, grant: ReadGrant, target: WriteTarget, sha256: str | None) -> None:
        """Return None: S3 reads no URL."""

    def abort_uploads(self, prefix: str) -> Sequence[str]:
        """See `Store.abort_uploads`; S3's own prefix matches siblings too."""
        folder = place(prefix)
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=folder.container, Prefix=folder.name
        )
        listed = [upload for page in pages for upload in page.get("Uploads", [])]
        uploads = [upload for upload in listed if covers(folder.name, upload["Key"])]
        for upload in uploads:
            abort(self._client, {"Bucket": folder.container, "Key": upload["Key"]}, upload["UploadId"])
        return sorted({f"s3://{folder.container}/{upload['Key']}" for upload in uploads})

    def delete(self, uri: str) -> bool:
        """Remove an object; False when there was none. In a bucket with versions the older ones stay."""
        try:
            self._client.head_object(**named(uri))
        except ClientError as error:
            if absent(error):
                return False
            raise
        self._client.delete_object(**named(uri))
        return True

    def sign_read(self, source: ObjectStat, life: timedelta, *, bare: bool = False) -> ReadGrant:
        """Mint a read of this version of the object; a bare one cannot pin it, so its reader compares the ETag."""
        return signing.sign_read(self._client, source, life, bare=bare)

    def sign_write(self, intent: WriteIntent, life: timedelta) -> WriteGrant:
        """Mint a write of exactly this length and checksum, with what each object carries."""
        return signing.sign_write(self._client, intent, life, self._kms_key)

    def confirm(self, intent: WriteIntent) -> ObjectStat:
        """Check that what was pushed is what was intended; S3 showed it the moment it was whole."""
        found = self.stat(intent.target)
        if found is None:
            message = f"nothing was pushed to {intent.target}"
            raise failure(ErrorKind.SOURCE_MISSING, message, ErrorDetail(cloud=CLOUD, ref=intent.target))
        if not same_content(found, intent.measure):
            raise conflict(intent.target)
        return found


def _listed(bucket: str, entry: Mapping[str, Any]) -> ObjectStat:
    return ObjectStat(uri=f"s3://{bucket}/{entry['Key']}", size_bytes=entry["Size"], etag=entry["ETag"])


def _is_object(entry: Mapping[str, Any], below: str) -> bool:
    marker = entry["Key"].endswith("/") and entry["Size"] == 0
    hidden = entry["Key"].startswith(HIDDEN) and not below.startswith(HIDDEN)
    return not marker and not hidden


def _changed(uri: str) -> Exception:
    detail = ErrorDetail(cloud=CLOUD, ref=uri, code="PreconditionFailed")
    return failure(ErrorKind.SOURCE_CHANGED, f"{uri} is not the version any more that was listed", detail)
