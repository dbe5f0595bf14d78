"""Uploads that any worker can take up again: parts are objects of their own, composed at the end.

Parts lie below `.causeway/uploads/<name of the target>/<pin>/` of the target's bucket. The listing of that
prefix, with the store's own checksums, is the truth about what has arrived.
"""

import base64
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud import storage
from temporalio.exceptions import ApplicationError

from activities.checksums import crc32c, from_base64, to_base64
from activities.gcp.signing import metadata
from activities.store import Part, Sealed, WriteTarget
from contracts.artifacts import Location, ObjectStat, locate
from contracts.errors import ErrorDetail, ErrorKind, failure

UPLOADS = ".causeway/uploads/"
"""Where parts lie. A lifecycle rule on this prefix removes what an abandoned run left."""
MAX_PARTS = 10_000
COMPOSE_LIMIT = 32
"""Sources of one compose request: https://cloud.google.com/storage/docs/composite-objects."""
NAME_LIMIT_BYTES = 1024
TIMEOUT = (5.0, 60.0)
REMOVALS_AT_ONCE = 8
PLAIN = "application/octet-stream"


class PartWriter:
    """One upload, found again by its target and by the version of its source."""

    def __init__(self, client: storage.Client, target: WriteTarget) -> None:
        """Open or find the upload; nothing is sent yet.

        Raises:
            ApplicationError: `INVALID_REQUEST` when the name is too long to keep parts for it.
        """
        where = locate(target.uri)
        self._client = client
        self._target = target
        self._name = where.name
        self._bucket = client.bucket(where.container)
        self.part_bytes = max(target.part_bytes, math.ceil(target.size_bytes / MAX_PARTS))
        self._prefix = f"{UPLOADS}{where.name}/{_pin(target, self.part_bytes)}/"
        if len(f"{self._prefix}0-000000".encode()) > NAME_LIMIT_BYTES:
            raise failure(ErrorKind.INVALID_REQUEST, f"{target.uri}: the name is too long", self._detail())

    def held(self) -> Mapping[int, Part | None]:
        """List the parts that the store holds, with its own checksums."""
        return {_index(blob): _as_part(blob) for blob in self._stored()}

    def put(self, part: Part, content: bytes) -> None:
        """Store one part; a part that lies there already is replaced."""
        blob = self._bucket.blob(f"{self._prefix}{part.index:06d}")
        upload(blob, content, part.crc32c, part.md5, media_type=PLAIN, match=None)

    def commit(self, sealed: Sealed) -> ObjectStat:
        """Compose exactly these parts, verify the whole, and only then make it the target."""
        if not sealed.parts:
            return self._publish_nothing(sealed)
        whole = self._compose_all(self._verified(sealed), sealed)
        published = self._publish(whole, sealed)
        remove(list(self._client.list_blobs(self._bucket, prefix=self._prefix, timeout=TIMEOUT, retry=None)))
        return published

    def _publish_nothing(self, sealed: Sealed) -> ObjectStat:
        # Nothing cannot be composed.
        target, blob = self._target, self._bucket.blob(self._name)
        return put_whole(
            blob,
            b"",
            sha256=sealed.sha256,
            owner=target.owner,
            media_type=target.media_type,
            replace=target.replace,
        )

    def _stored(self) -> list[storage.Blob]:
        listed = self._client.list_blobs(self._bucket, prefix=self._prefix, timeout=TIMEOUT, retry=None)
        return [blob for blob in listed if "-" not in blob.name[len(self._prefix) :]]

    def _verified(self, sealed: Sealed) -> list[storage.Blob]:
        """Return the stored parts in order, each proved to be the one that was read."""
        stored = {_index(blob): blob for blob in self._stored()}
        for part in sealed.parts:
            held = stored.get(part.index)
            if held is None or (held.size, held.crc32c) != (part.size_bytes, to_base64(part.crc32c)):
                text = f"{self._target.uri}: part {part.index} is not what was sent; send it again"
                raise failure(ErrorKind.CHECKSUM_MISMATCH, text, self._detail())
        return [stored[part.index] for part in sealed.parts]

    def _compose_all(self, pieces: list[storage.Blob], sealed: Sealed) -> storage.Blob:
        level = 0
        while len(pieces) > 1 or level == 0:
            level += 1
            groups = [pieces[start : start + COMPOSE_LIMIT] for start in range(0, len(pieces), COMPOSE_LIMIT)]
            names = (f"{self._prefix}{level}-{number:06d}" for number in range(len(groups)))
            pieces = [self._compose(name, group) for name, group in zip(names, groups, strict=True)]
        whole, read = pieces[0], to_base64(sealed.crc32c)
        if whole.crc32c != read:
            text = f"{self._target.uri}: the composed object is {whole.crc32c}, what was read is {read}"
            raise failure(ErrorKind.CHECKSUM_MISMATCH, text, self._detail())
        return whole

    def _compose(self, name: str, sources: Sequence[storage.Blob]) -> storage.Blob:
        composed = self._bucket.blob(name)
        composed.content_type = PLAIN
        generations = [source.generation for source in sources]
        composed.compose(sources, if_source_generation_match=generations, timeout=TIMEOUT, retry=None)
        return composed

    def _publish(self, whole: storage.Blob, sealed: Sealed) -> ObjectStat:
        blob = self._bucket.blob(self._name)
        blob.content_type = self._target.media_type
        blob.metadata = metadata(to_base64(sealed.crc32c), sealed.sha256, self._target.owner)
        if not self._target.replace and _lies_there(blob):
            return _own_or_conflict(blob, sealed.sha256, self._target.owner)
        try:
            blob.compose(
                [whole],
                if_source_generation_match=[whole.generation],
                if_generation_match=None if self._target.replace else 0,
                timeout=TIMEOUT,
                retry=None,
            )
        except PreconditionFailed:
            return _own_or_conflict(blob, sealed.sha256, self._target.owner)
        return describe(blob)

    def _detail(self) -> ErrorDetail:
        return ErrorDetail(cloud="gcp", ref=self._target.uri)


def upload(
    blob: storage.Blob, content: bytes, crc: int, md5: bytes, *, media_type: str, match: int | None
) -> None:
    """Send an object in one request, which the store refuses if its checksums differ from these.

    Raises:
        ApplicationError: `CHECKSUM_MISMATCH` when the store describes other bytes than were sent.
    """
    blob.crc32c = to_base64(crc)
    blob.md5_hash = base64.b64encode(md5).decode()
    blob.upload_from_string(
        content,
        content_type=media_type,
        if_generation_match=match,
        checksum=None,
        timeout=TIMEOUT,
        retry=None,
    )
    if blob.crc32c != to_base64(crc):
        uri = f"gs://{blob.bucket.name}/{blob.name}"
        text = f"{uri}: the store holds {blob.crc32c}, what was sent is {to_base64(crc)}"
        raise failure(ErrorKind.CHECKSUM_MISMATCH, text, ErrorDetail(cloud="gcp", ref=uri))


def put_whole(
    blob: storage.Blob, content: bytes, *, sha256: str, owner: str, media_type: str, replace: bool
) -> ObjectStat:
    """Store an object in one request with the metadata every object of Causeway carries.

    Raises:
        ApplicationError: `TARGET_CONFLICT` when an object lies there and may not be replaced.
    """
    crc = crc32c(content)
    blob.metadata = metadata(to_base64(crc), sha256, owner)
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    try:
        upload(blob, content, crc, md5, media_type=media_type, match=None if replace else 0)
    except PreconditionFailed:
        return _own_or_conflict(blob, sha256, owner)
    return describe(blob)


def describe(blob: storage.Blob) -> ObjectStat:
    """Say what the store says of an object."""
    held = {name.lower(): value for name, value in (blob.metadata or {}).items()}
    return ObjectStat(
        uri=f"gs://{blob.bucket.name}/{blob.name}",
        size_bytes=int(blob.size or 0),
        etag=str(blob.generation),
        crc32c=blob.crc32c,
        sha256=held.get("causeway-sha256"),
        owner=held.get("causeway-owner"),
        media_type=blob.content_type or PLAIN,
    )


def uploads_below(client: storage.Client, where: Location) -> Iterator[tuple[str, storage.Blob]]:
    """Return the pieces of unfinished uploads below a prefix, or of one object, with their targets."""
    below = where.name if where.name.endswith("/") or not where.name else f"{where.name}/"
    for blob in client.list_blobs(where.container, prefix=UPLOADS + below, timeout=TIMEOUT, retry=None):
        name = str(blob.name).removeprefix(UPLOADS).rsplit("/", 2)[0]
        if name.startswith(where.name) and (below == where.name or name == where.name):
            yield f"gs://{where.container}/{name}", blob


def remove(blobs: Sequence[storage.Blob]) -> None:
    """Delete objects; those that are gone already are no error."""
    with ThreadPoolExecutor(REMOVALS_AT_ONCE) as threads:
        list(threads.map(_remove_one, blobs))


def _remove_one(blob: storage.Blob) -> None:
    try:
        blob.delete(timeout=TIMEOUT, retry=None)
    except NotFound:
        return


def _lies_there(blob: storage.Blob) -> bool:
    # The precondition of the compose decides. Asking first spares a request bound to fail, and a local
    # stand-in of the store (fake-gcs-server 1.54) ignores preconditions on anything but uploads.
    return blob.bucket.get_blob(blob.name, timeout=TIMEOUT, retry=None) is not None


def _own_or_conflict(blob: storage.Blob, sha256: str, owner: str) -> ObjectStat:
    """Return the object if it is our own, written by a request whose answer was lost; else refuse."""
    uri = f"gs://{blob.bucket.name}/{blob.name}"
    held = blob.bucket.get_blob(blob.name, timeout=TIMEOUT, retry=None)
    if held is not None:
        found = describe(held)
        if (found.sha256, found.owner) == (sha256, owner):
            return found
    raise _conflict(uri)


def _conflict(uri: str) -> ApplicationError:
    text = f"{uri}: an object lies there and may not be replaced"
    return failure(ErrorKind.TARGET_CONFLICT, text, ErrorDetail(cloud="gcp", ref=uri, code="412"))


def _pin(target: WriteTarget, part_bytes: int) -> str:
    text = "\0".join((target.uri, str(target.size_bytes), target.source_etag, str(part_bytes)))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _index(blob: storage.Blob) -> int:
    return int(str(blob.name).rsplit("/", 1)[1])


def _as_part(blob: storage.Blob) -> Part | None:
    if not blob.crc32c or not blob.md5_hash:
        return None
    return Part(_index(blob), int(blob.size or 0), from_base64(blob.crc32c), base64.b64decode(blob.md5_hash))
