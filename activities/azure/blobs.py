"""What a blob is called and what Causeway writes on it: names, ETags, metadata, and the refusals of a write."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobProperties

from activities.azure.errors import CLOUD, code_of, words_of
from activities.noted import PLAIN_VALUE, fitting
from contracts.artifacts import Location, ObjectStat, locate
from contracts.errors import ErrorDetail, ErrorKind, failure

SCHEME = "az"
CRC32C, SHA256, OWNER = "causeway_crc32c", "causeway_sha256", "causeway_owner"
"""Names of metadata; Azure takes only C# identifiers."""
FOLDER_MARK = "hdi_isfolder"
"""Metadata of the empty blobs that stand for folders in accounts with a hierarchical namespace."""
NAME_LIMIT, SEGMENTS_LIMIT = 1024, 254
"""https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata"""
METADATA_LIMIT_BYTES = 8192 - 400
"""What Azure takes, less what Causeway notes itself."""
_OWN = (CRC32C, SHA256, OWNER)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9])+")
_UNLISTABLE = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")
_REFUSED = {"BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet", "UnauthorizedBlobOverwrite"}


def blob_location(uri: str) -> Location:
    """Parse the URI of something in Blob storage.

    Raises:
        ApplicationError: `INVALID_REQUEST`: another store's URI, or a name that HTTP would change on its way.
    """
    try:
        location = locate(uri)
    except ValueError as exc:
        raise failure(ErrorKind.INVALID_REQUEST, str(exc), ErrorDetail(cloud=CLOUD, ref=uri)) from None
    problem = _problem(location)
    if problem:
        message = f"Azure cannot store {uri}: {problem}"
        raise failure(ErrorKind.INVALID_REQUEST, message, ErrorDetail(cloud=CLOUD, ref=uri))
    return location


def _problem(location: Location) -> str | None:
    if location.scheme != SCHEME:
        return "its scheme is not az"
    if not _CONTAINER.fullmatch(location.container) or not 3 <= len(location.container) <= 63:
        return "a container has 3 to 63 lower-case letters, digits and single hyphens"
    if len(location.name) > NAME_LIMIT:
        return f"a blob's name has at most {NAME_LIMIT} characters"
    if len(location.name.split("/")) > SEGMENTS_LIMIT:
        return f"a blob's name has at most {SEGMENTS_LIMIT} pieces between slashes"
    # Clients and servers resolve dot segments in URLs, so the name would come to mean another blob.
    if not {".", ".."}.isdisjoint(location.name.split("/")) or "\\" in location.name:
        return "a name must not hold '.' or '..' between slashes, nor a backslash"
    return None


def check_blob_name(uri: str) -> None:
    """Pass if Azure can hold a blob of this name, byte for byte.

    Raises:
        ApplicationError: `INVALID_REQUEST`.
    """
    location = blob_location(uri)
    if not location.name or location.name.endswith(".") or _UNLISTABLE.search(location.name):
        message = f"Azure cannot store {uri}: a name neither ends in '.' nor holds control characters"
        raise failure(ErrorKind.INVALID_REQUEST, message, ErrorDetail(cloud=CLOUD, ref=uri))


def carriable(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the user's metadata that Azure can hold unchanged: in all 8 KB, names that C# takes, values of ASCII."""
    return fitting(metadata, names=_IDENTIFIER, values=PLAIN_VALUE, limit_bytes=METADATA_LIMIT_BYTES)


def metadata_of(crc32c: str, sha256: str, owner: str) -> dict[str, str]:
    """Return what Causeway writes on an object."""
    return {CRC32C: crc32c, SHA256: sha256, OWNER: owner}


def bare_etag(etag: str) -> str:
    """Return an ETag as both a description and a listing give it: without quotes."""
    return etag.strip('"')


def quoted_etag(etag: str) -> str:
    """Return an ETag as a condition needs it."""
    return f'"{bare_etag(etag)}"'


def described(uri: str, blob: BlobProperties) -> ObjectStat:
    """Return an object as the store describes it."""
    noted: Mapping[str, str] = {name.lower(): value for name, value in (blob.metadata or {}).items()}
    return ObjectStat(
        uri=uri,
        size_bytes=blob.size,
        etag=bare_etag(blob.etag),
        crc32c=noted.get(CRC32C) or None,
        sha256=noted.get(SHA256) or None,
        owner=noted.get(OWNER) or None,
        media_type=blob.content_settings.content_type or "application/octet-stream",
        # Azure's MD5 of a blob is whatever a client said it was, so it vouches for nothing.
        metadata={name: value for name, value in noted.items() if name not in _OWN and name != FOLDER_MARK},
    )


@contextmanager
def refusing_conflicts(uri: str) -> Iterator[None]:
    """Say `TARGET_CONFLICT` when the store refuses a write because another object lies there.

    The same codes mean `SOURCE_CHANGED` when they answer a read.
    """
    try:
        yield
    except HttpResponseError as exc:
        code = code_of(exc)
        if code not in _REFUSED:
            raise
        message = f"another object lies at {uri} and may not be replaced: {words_of(exc)}"
        raise failure(
            ErrorKind.TARGET_CONFLICT, message, ErrorDetail(cloud=CLOUD, ref=uri, code=code)
        ) from None
