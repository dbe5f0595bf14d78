"""How S3 names, encrypts and describes objects: what the store, its writer and its signer share."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from activities.aws.errors import code_of
from activities.checksums import to_base64
from activities.noted import PLAIN_VALUE, TOKEN, fitting
from contracts.artifacts import Location, ObjectStat, locate
from contracts.errors import ErrorDetail, ErrorKind, failure

NEEDS = {
    "head_object": ("s3:GetObject",),
    "get_object_tagging": ("s3:GetObjectTagging",),
}

CRC32C = "causeway-crc32c"
SHA256 = "causeway-sha256"
OWNER = "causeway-owner"
KEY_LIMIT_BYTES = 1024
METADATA_LIMIT_BYTES = 2048 - 300
"""What S3 takes, less what Causeway notes itself."""
_OWN = (CRC32C, SHA256, OWNER)
_MD5 = re.compile(r'"([0-9a-f]{32})"')
_UNLISTABLE = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")


def place(uri: str) -> Location:
    """Return where an `s3` URI points.

    Raises:
        ApplicationError: `INVALID_REQUEST`, the URI is another store's.
    """
    found = locate(uri)
    if found.scheme != "s3":
        raise failure(ErrorKind.INVALID_REQUEST, f"{uri} is not an s3 URI; it belongs to another connection")
    return found


def named(uri: str) -> dict[str, str]:
    """Return the arguments with which the SDK names an object."""
    found = place(uri)
    return {"Bucket": found.container, "Key": found.name}


def encryption(kms_key: str | None) -> dict[str, Any]:
    """Return the arguments that encrypt an object: with the key given, else with S3's own."""
    if kms_key is None:
        return {"ServerSideEncryption": "AES256"}
    # A bucket key saves a call to KMS, and its price, for each object.
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key, "BucketKeyEnabled": True}


def check_key(uri: str) -> None:
    """Pass if S3 can hold a key of this name, byte for byte.

    Raises:
        ApplicationError: `INVALID_REQUEST`.
    """
    key = place(uri).name
    # HTTP clients fold dot segments away, and XML, in which S3 lists, has no control characters.
    folded = not {".", ".."}.isdisjoint(key.split("/"))
    if not 1 <= len(key.encode()) <= KEY_LIMIT_BYTES or folded or _UNLISTABLE.search(key):
        told = f"{uri}: a key has 1 to {KEY_LIMIT_BYTES} bytes, no '.' or '..' between slashes and no control characters"
        raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(cloud="aws", ref=uri))


def carriable(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the user's metadata that S3 can hold unchanged: in all 2 KB of names and values of plain ASCII.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
    """
    return fitting(metadata, names=TOKEN, values=PLAIN_VALUE, limit_bytes=METADATA_LIMIT_BYTES)


def recorded(crc32c: int, sha256: str, owner: str) -> dict[str, str]:
    """Return what each object that Causeway writes carries."""
    return {CRC32C: to_base64(crc32c), SHA256: sha256, OWNER: owner}


def whole_checksum(answer: Mapping[str, Any]) -> str | None:
    """Return the CRC32C of all bytes, where S3 vouches for it; a composite one is of the parts' checksums."""
    held = answer.get("ChecksumCRC32C")
    return None if held is None or answer.get("ChecksumType") == "COMPOSITE" or "-" in held else str(held)


def described(uri: str, answer: Mapping[str, Any], carried: Mapping[str, str]) -> ObjectStat:
    """Return what the answer to a HEAD says of an object, with what it carries as metadata or tags."""
    return ObjectStat(
        uri=uri,
        size_bytes=answer["ContentLength"],
        etag=answer["ETag"],
        crc32c=whole_checksum(answer) or carried.get(CRC32C),
        sha256=carried.get(SHA256),
        owner=carried.get(OWNER),
        media_type=answer.get("ContentType", "application/octet-stream"),
        md5=_md5(answer),
        metadata={name: value for name, value in carried.items() if name not in _OWN},
    )


def _md5(answer: Mapping[str, Any]) -> str | None:
    """Return the MD5 that the ETag is: of an object in one part that no key of KMS or the customer's encrypts.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    plain = answer.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in answer
    found = _MD5.fullmatch(answer["ETag"])
    return base64.b64encode(bytes.fromhex(found[1])).decode() if plain and found else None


def in_parts(etag: str) -> bool:
    """Whether an object was uploaded in parts: its ETag ends in their number."""
    return "-" in etag


def refused(error: ClientError) -> bool:
    """Whether a condition that the request named did not hold."""
    return code_of(error) in {"PreconditionFailed", "412"}


def absent(error: ClientError) -> bool:
    """Whether there is no such object or bucket."""
    return code_of(error) in {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}


def conflict(uri: str) -> Exception:
    """Return the error that says another object lies at the target."""
    detail = ErrorDetail(cloud="aws", ref=uri, code="PreconditionFailed")
    return failure(ErrorKind.TARGET_CONFLICT, f"another object lies at {uri} and may not be replaced", detail)


def stat_object(client: Any, uri: str) -> ObjectStat | None:
    """Describe one object as S3 does; None when there is none."""
    try:
        answer = client.head_object(**named(uri), ChecksumMode="ENABLED")
    except ClientError as error:
        if absent(error):
            return None
        raise
    carried = dict(answer.get("Metadata", {}))
    if OWNER in carried and in_parts(answer["ETag"]):
        # What an upload in parts came to is known when its metadata are long fixed, so it is kept as tags.
        tags = client.get_object_tagging(**named(uri))["TagSet"]
        carried |= {tag["Key"]: tag["Value"] for tag in tags}
    return described(uri, answer, carried)
