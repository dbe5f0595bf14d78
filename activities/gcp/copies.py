"""Copies that Cloud Storage makes by itself, of one object of a project to another; no byte passes the worker."""

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud import storage

from activities.gcp.objects import conflict, describe, lies_there
from activities.gcp.sending import TIMEOUT
from activities.store import WriteTarget
from contracts.artifacts import ObjectStat, locate
from contracts.errors import ErrorDetail, ErrorKind, failure

NEEDS = {
    "get_blob": ("storage.objects.get", "storage.objects.list"),
    "reload": ("storage.objects.get",),
    "rewrite": ("storage.objects.get", "storage.objects.create", "storage.objects.delete"),
}
"""To replace an object is to delete the one that lies there."""


def rewrite(client: storage.Client, source: ObjectStat, target: WriteTarget) -> ObjectStat:
    """Copy this generation, with its media type and metadata; the owner is new.

    Raises:
        ApplicationError: `SOURCE_CHANGED`, `SOURCE_MISSING`, `TARGET_CONFLICT`.
    """
    whence, where = locate(source.uri), locate(target.uri)
    held = client.bucket(whence.container).get_blob(whence.name, timeout=TIMEOUT, retry=None)
    if held is None:
        raise _lost(ErrorKind.SOURCE_MISSING, f"{source.uri} does not exist", source)
    if str(held.generation) != source.etag:
        raise _changed(source)
    blob = client.bucket(where.container).blob(where.name)
    if not target.replace and lies_there(blob):
        raise conflict(target.uri)
    blob.content_type = held.content_type
    blob.metadata = {**(held.metadata or {}), "causeway-owner": target.owner}
    try:
        _all(blob, held, None if target.replace else 0)
    except PreconditionFailed:
        raise conflict(target.uri) if lies_there(blob) and not target.replace else _changed(source) from None
    except NotFound:
        raise _changed(source) from None
    blob.reload(timeout=TIMEOUT, retry=None)
    return describe(blob)


def _all(blob: storage.Blob, held: storage.Blob, match: int | None) -> None:
    """Ask until the store says that it is done; a large object takes several answers."""
    token = None
    while True:
        token, _, _ = blob.rewrite(
            held,
            token=token,
            if_generation_match=match,
            if_source_generation_match=held.generation,
            timeout=TIMEOUT,
            retry=None,
        )
        if token is None:
            return


def _changed(source: ObjectStat) -> Exception:
    return _lost(ErrorKind.SOURCE_CHANGED, f"{source.uri} was replaced while it was copied", source)


def _lost(kind: ErrorKind, text: str, source: ObjectStat) -> Exception:
    return failure(kind, text, ErrorDetail(cloud="gcp", ref=source.uri))
