"""How Cloud Storage names, describes and takes objects: what the store, its writer and its copies share."""

import re

from google.api_core.exceptions import PreconditionFailed
from google.cloud import storage
from temporalio.exceptions import ApplicationError

from activities.checksums import crc32c, to_base64
from activities.gcp.sending import TIMEOUT, Sender
from activities.gcp.signing import CARRIED, metadata
from activities.store import PLAIN, WriteTarget
from contracts.artifacts import ObjectStat, locate
from contracts.errors import ErrorDetail, ErrorKind, failure

NAME_LIMIT_BYTES = 1024
NEEDS = {
    # Who may not list is told 403 where there is no object, and not 404.
    "get_blob": ("storage.objects.get", "storage.objects.list"),
}
"""What the calls of a module take: https://cloud.google.com/storage/docs/access-control/iam-json"""
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")


def check_object_name(uri: str) -> None:
    """Pass if Cloud Storage can hold an object of this name, byte for byte.

    https://cloud.google.com/storage/docs/objects#naming

    Raises:
        ApplicationError: `INVALID_REQUEST`.
    """
    name = locate(uri).name
    # HTTP clients fold dot segments away, so such a name would come to mean another object.
    folded = not {".", ".."}.isdisjoint(name.split("/"))
    reserved = name.startswith(".well-known/acme-challenge/")
    if not 1 <= len(name.encode()) <= NAME_LIMIT_BYTES or folded or reserved or _UNFIT.search(name):
        told = f"{uri}: a name has 1 to {NAME_LIMIT_BYTES} bytes, no '.' or '..' between slashes, no control characters"
        raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(cloud="gcp", ref=uri))


def put_whole(
    sender: Sender, blob: storage.Blob, target: WriteTarget, content: bytes, sha256: str
) -> ObjectStat:
    """Store an object in one request with the metadata every object of Causeway carries.

    Raises:
        ApplicationError: `TARGET_CONFLICT` when an object lies there and may not be replaced.
    """
    crc = crc32c(content)
    blob.metadata = {**target.metadata, **metadata(to_base64(crc), sha256, target.owner)}
    match = None if target.replace else 0
    try:
        held = sender.send(blob, content, crc, media_type=target.media_type, match=match)
    except PreconditionFailed:
        return own_or_conflict(blob, sha256, target.owner)
    return ObjectStat(
        uri=target.uri,
        size_bytes=target.size_bytes,
        etag=str(held["generation"]),
        crc32c=to_base64(crc),
        md5=held.get("md5Hash"),
        sha256=sha256,
        owner=target.owner,
        media_type=target.media_type,
        metadata=dict(target.metadata),
    )


def describe(blob: storage.Blob) -> ObjectStat:
    """Say what the store says of an object."""
    held = {name.lower(): value for name, value in (blob.metadata or {}).items()}
    return ObjectStat(
        uri=f"gs://{blob.bucket.name}/{blob.name}",
        size_bytes=int(blob.size or 0),
        etag=str(blob.generation),
        crc32c=blob.crc32c,
        # What Google unpacks on its way to readers that do not ask otherwise is not what it hashed.
        md5=None if blob.content_encoding else blob.md5_hash or None,
        sha256=held.get("causeway-sha256"),
        owner=held.get("causeway-owner"),
        media_type=blob.content_type or PLAIN,
        metadata={name: value for name, value in held.items() if name not in CARRIED},
    )


def lies_there(blob: storage.Blob) -> bool:
    """Whether an object has this name.

    The precondition of a request decides. Asking first spares a request bound to fail, and a local stand-in of the
    store (fake-gcs-server 1.54) ignores preconditions on anything but uploads.
    """
    return blob.bucket.get_blob(blob.name, timeout=TIMEOUT, retry=None) is not None


def own_or_conflict(blob: storage.Blob, sha256: str, owner: str) -> ObjectStat:
    """Return the object if it is our own, written by a request whose answer was lost; else refuse."""
    uri = f"gs://{blob.bucket.name}/{blob.name}"
    held = blob.bucket.get_blob(blob.name, timeout=TIMEOUT, retry=None)
    if held is not None:
        found = describe(held)
        if owner and (found.sha256, found.owner) == (sha256, owner):
            return found
    raise conflict(uri)


def conflict(uri: str) -> ApplicationError:
    """Return the refusal to touch what lies there."""
    text = f"{uri}: an object lies there and may not be replaced"
    return failure(ErrorKind.TARGET_CONFLICT, text, ErrorDetail(cloud="gcp", ref=uri, code="412"))
