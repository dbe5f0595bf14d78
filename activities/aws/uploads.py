"""The unfinished uploads of one object, each known by a pin: what its parts belong to.

S3 does not tell the metadata that an upload was created with. So the pin is kept as part 10 000, which no
commit names: S3 drops the parts that a commit leaves out.
"""

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from activities.aws.errors import code_of
from activities.aws.objects import named
from activities.checksums import crc32c, to_base64

NEEDS = {
    "create_multipart_upload": ("s3:PutObject",),
    "upload_part": ("s3:PutObject",),
    "list_parts": ("s3:ListMultipartUploadParts",),
    "list_multipart_uploads": ("s3:ListBucketMultipartUploads",),
    "abort_multipart_upload": ("s3:AbortMultipartUpload",),
}

PIN_PART = 10_000
"""The highest part number S3 knows."""
PIN_BYTES = 64
_SETTLING, _SETTLING_SECONDS = 10, 0.2
"""Looks, and the pause between them, for the pin of an upload that another worker has just begun."""

Listed = Mapping[str, Any]
"""An upload or a part, as S3 lists it."""


class Uploads:
    """Finds, begins and gives up uploads to one key; whatever it finds, S3 was asked for."""

    def __init__(self, client: Any, uri: str) -> None:
        self._client = client
        self._object = named(uri)

    def find(self, pin: bytes) -> str | None:
        """Return the id of the oldest upload that carries this pin."""
        wanted = to_base64(crc32c(pin))
        return next((upload for upload in self._ids() if self._pinned(upload) == wanted), None)

    def begin(self, pin: bytes, **described: Any) -> str:
        """Create an upload that carries this pin and return its id."""
        answer = self._client.create_multipart_upload(
            **self._object, ChecksumAlgorithm="CRC32C", ChecksumType="FULL_OBJECT", **described
        )
        upload = str(answer["UploadId"])
        self.put(upload, PIN_PART, pin, to_base64(crc32c(pin)))
        return self._settled(upload, to_base64(crc32c(pin)))

    def _settled(self, own: str, wanted: str) -> str:
        """Return the upload that all who began one at the same moment go on with: the oldest with this pin."""
        for _ in range(_SETTLING):
            ids = self._ids()
            earlier = {upload: self._pinned(upload) for upload in ids[: ids.index(own)]}
            first = next((upload for upload, pinned in earlier.items() if pinned == wanted), None)
            if first:
                self.abort(own)
                return first
            if None not in earlier.values():
                break
            # One that was begun before ours has no pin yet, and may be about to get the same.
            time.sleep(_SETTLING_SECONDS)
        return own

    def put(self, upload: str, number: int, content: bytes, checksum: str) -> None:
        """Store a part; S3 refuses it when the bytes that arrive have another CRC32C."""
        self._client.upload_part(
            **self._object, UploadId=upload, PartNumber=number, Body=content, ChecksumCRC32C=checksum
        )

    def parts(self, upload: str) -> tuple[dict[int, Listed], bool]:
        """Return the parts S3 holds by their number, without the pin, and whether it checksums the whole."""
        found: dict[int, Listed] = {}
        whole = False
        for page in self._client.get_paginator("list_parts").paginate(**self._object, UploadId=upload):
            found |= {part["PartNumber"]: part for part in page.get("Parts", [])}
            # A store without checksums of whole objects answers our wish for one with the composite kind.
            whole = page.get("ChecksumType") == "FULL_OBJECT"
        found.pop(PIN_PART, None)
        return found, whole

    def own(self, upload: str) -> bool:
        """Whether Causeway began this upload; False once it has ended."""
        return self._pinned(upload) is not None

    def abort_others(self, kept: str) -> None:
        """Give up Causeway's other uploads to this key: of another version of the source, or run."""
        for upload in self._ids():
            if upload != kept and self._pinned(upload) is not None:
                self.abort(upload)

    def abort(self, upload: str) -> None:
        """Give up an upload; one that has ended is left alone."""
        abort(self._client, self._object, upload)

    def _ids(self) -> list[str]:
        bucket, key = self._object["Bucket"], self._object["Key"]
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
        # A prefix matches siblings too.
        found = [upload for page in pages for upload in page.get("Uploads", []) if upload["Key"] == key]
        found.sort(key=lambda upload: (upload["Initiated"], upload["UploadId"]))
        return [upload["UploadId"] for upload in found]

    def _pinned(self, upload: str) -> str | None:
        """Return the checksum of an upload's pin; None where Causeway did not begin it, or it has ended."""
        try:
            listing = self._client.list_parts(**self._object, UploadId=upload, PartNumberMarker=PIN_PART - 1)
        except ClientError as error:
            if code_of(error) == "NoSuchUpload":
                return None
            raise
        last: Listed | None = next(iter(listing.get("Parts", [])), None)
        pinned = last is not None and last["PartNumber"] == PIN_PART and last["Size"] == PIN_BYTES
        return last.get("ChecksumCRC32C") if last and pinned else None


def abort(client: Any, target: Mapping[str, str], upload: str) -> None:
    """Give up an upload; one that has ended is left alone."""
    try:
        client.abort_multipart_upload(**target, UploadId=upload)
    except ClientError as error:
        if code_of(error) != "NoSuchUpload":
            raise
