"""Copies that S3 makes by itself, of one object of an account to another; no byte passes the worker."""

from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from activities.aws.errors import CLOUD
from activities.aws.objects import (
    CRC32C,
    OWNER,
    SHA256,
    absent,
    conflict,
    encryption,
    named,
    refused,
    stat_object,
)
from activities.parallel import Stop, for_each
from activities.store import WriteTarget
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.parts import part_bytes_of, part_size, parts_of

NEEDS = {
    "copy_object": ("s3:GetObject", "s3:PutObject"),
    "create_multipart_upload": ("s3:PutObject",),
    "upload_part_copy": ("s3:GetObject", "s3:PutObject"),
    "complete_multipart_upload": ("s3:PutObject",),
    "abort_multipart_upload": ("s3:AbortMultipartUpload",),
}

AT_ONCE_LIMIT_BYTES = 5_000_000_000
"""Below the 5 GiB of CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""


def copy_object(client: Any, source: ObjectStat, target: WriteTarget, kms_key: str | None) -> ObjectStat:
    """Copy this version, with its media type, its metadata and what is known of it; the owner is new.

    Raises:
        ApplicationError: `SOURCE_CHANGED`, `SOURCE_MISSING`, `TARGET_CONFLICT`.
    """
    held = stat_object(client, source.uri)
    if held is None:
        raise failure(ErrorKind.SOURCE_MISSING, f"{source.uri} does not exist", _detail(source.uri))
    if not target.replace and stat_object(client, target.uri):
        # The condition of the request decides; not every store honours it.
        raise conflict(target.uri)
    known = {CRC32C: held.crc32c, SHA256: held.sha256, OWNER: target.owner}
    noted = {**held.metadata, **{name: value for name, value in known.items() if value}}
    copy = _at_once if source.size_bytes <= AT_ONCE_LIMIT_BYTES else _in_parts
    sent = {"ContentType": held.media_type, "Metadata": noted, **encryption(kms_key)}
    try:
        copy(client, source, target, sent)
    except ClientError as error:
        raise _met(error, client, source, target) from None
    found = stat_object(client, target.uri)
    if found is None:
        raise failure(ErrorKind.UNAVAILABLE, f"{target.uri} is not there after the copy", _detail(target.uri))
    return found


def _at_once(client: Any, source: ObjectStat, target: WriteTarget, sent: dict[str, Any]) -> None:
    client.copy_object(
        **named(target.uri),
        CopySource=named(source.uri),
        CopySourceIfMatch=source.etag,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        **({} if target.replace else {"IfNoneMatch": "*"}),
        **sent,
    )


def _in_parts(client: Any, source: ObjectStat, target: WriteTarget, sent: dict[str, Any]) -> None:
    where = named(target.uri)
    upload = client.create_multipart_upload(**where, **sent)["UploadId"]
    try:
        copy = partial(_part, client, source, where, upload)
        listed = for_each(copy, range(parts_of(source.size_bytes)))
        client.complete_multipart_upload(
            **where,
            UploadId=upload,
            MultipartUpload={"Parts": listed},
            **({} if target.replace else {"IfNoneMatch": "*"}),
        )
    except BaseException:
        client.abort_multipart_upload(**where, UploadId=upload)
        raise


def _part(
    client: Any, source: ObjectStat, where: dict[str, str], upload: str, index: int, stop: Stop
) -> dict[str, Any]:
    stop.check()
    start = index * part_bytes_of(source.size_bytes)
    last = start + part_size(source.size_bytes, index) - 1
    answer = client.upload_part_copy(
        **where,
        UploadId=upload,
        PartNumber=index + 1,
        CopySource=named(source.uri),
        CopySourceIfMatch=source.etag,
        CopySourceRange=f"bytes={start}-{last}",
    )
    return {"PartNumber": index + 1, "ETag": answer["CopyPartResult"]["ETag"]}


def _met(error: ClientError, client: Any, source: ObjectStat, target: WriteTarget) -> Exception:
    if absent(error):
        return failure(ErrorKind.SOURCE_MISSING, f"{source.uri} does not exist", _detail(source.uri))
    if not refused(error):
        return error
    now = stat_object(client, source.uri)
    if now is None or now.etag != source.etag:
        told = f"{source.uri} is not the version any more that was listed"
        return failure(ErrorKind.SOURCE_CHANGED, told, _detail(source.uri))
    return conflict(target.uri)


def _detail(uri: str) -> ErrorDetail:
    return ErrorDetail(cloud=CLOUD, ref=uri)
