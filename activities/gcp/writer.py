"""Uploads that any worker can take up again: parts are objects of their own, composed at the end.

Parts lie below `.causeway/uploads/<name of the target>/<pin>/` of the target's bucket. The listing of that
prefix, with the store's own checksums, is the truth about what has arrived.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud import storage

from activities.checksums import from_base64, to_base64
from activities.gcp.objects import NAME_LIMIT_BYTES, describe, lies_there, own_or_conflict
from activities.gcp.sending import TIMEOUT, Sender
from activities.gcp.signing import OWNER, SHA256, Signer, metadata
from activities.parallel import Stop, for_each
from activities.store import PLAIN, Part, Sealed, WriteTarget
from contracts.artifacts import Location, ObjectStat, locate
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import PartGrant
from contracts.storage import HIDDEN

UPLOADS = f"{HIDDEN}uploads/"
"""Where parts lie. A lifecycle rule on this prefix removes what an abandoned run left."""
COMPOSE_LIMIT = 32
"""Sources of one compose request: https://cloud.google.com/storage/docs/composite-objects."""
REMOVALS_AT_ONCE = 8
NEEDS = {
    "list_blobs": ("storage.objects.list",),
    "compose": ("storage.objects.get", "storage.objects.create", "storage.objects.delete"),
    "delete": ("storage.objects.delete",),
}
_DIGEST = re.compile(r"[0-9a-f]{64}")


class PartWriter:
    """One upload, found again by its target and by the version of its source."""

    def __init__(self, client: storage.Client, sender: Sender, target: WriteTarget, signer: Signer) -> None:
        """Open or find the upload; nothing is sent yet.

        Raises:
            ApplicationError: `INVALID_REQUEST` when the name is too long to keep parts for it.
        """
        where = locate(target.uri)
        self._client = client
        self._sender = sender
        self._signer = signer
        self._target = target
        self._name = where.name
        self._bucket = client.bucket(where.container)
        self._prefix = f"{UPLOADS}{where.name}/{_pin(target)}/"
        if len(f"{self._prefix}0-000000".encode()) > NAME_LIMIT_BYTES:
            raise failure(ErrorKind.INVALID_REQUEST, f"{target.uri}: the name is too long", self._detail())

    def held(self) -> Mapping[int, Part | None]:
        """List the parts that the store holds, with its own checksums."""
        return {_index(blob): _as_part(blob) for blob in self._stored()}

    def put(self, part: Part, content: bytes) -> None:
        """Store one part; a part that lies there already is replaced."""
        blob = self._blob(part)
        blob.metadata = {SHA256: (part.sha256 or b"").hex(), OWNER: self._target.owner}
        self._sender.send(blob, content, part.crc32c, media_type=PLAIN, match=None)

    def sign(self, part: Part, life: timedelta) -> PartGrant:
        """Mint a write of exactly this part, as an object of its own: it can neither list nor compose."""
        return self._signer.sign_part(self._blob(part), part, life)

    def commit(self, sealed: Sealed) -> ObjectStat:
        """Compose exactly these parts, verify the whole, and only then make it the target."""
        whole = self._compose_all(self._verified(sealed), sealed)
        published = self._publish(whole, sealed)
        remove(list(self._client.list_blobs(self._bucket, prefix=self._prefix, timeout=TIMEOUT, retry=None)))
        return published

    def _blob(self, part: Part) -> storage.Blob:
        return self._bucket.blob(f"{self._prefix}{part.index:06d}")

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
            names = [f"{self._prefix}{level}-{number:06d}" for number in range(len(groups))]
            pieces = for_each(self._compose, list(zip(names, groups, strict=True)))
        whole, read = pieces[0], to_base64(sealed.crc32c)
        if whole.crc32c != read:
            text = f"{self._target.uri}: the composed object is {whole.crc32c}, what was read is {read}"
            raise failure(ErrorKind.CHECKSUM_MISMATCH, text, self._detail())
        return whole

    def _compose(self, group: tuple[str, Sequence[storage.Blob]], stop: Stop) -> storage.Blob:
        stop.check()
        name, sources = group
        composed = self._bucket.blob(name)
        composed.content_type = PLAIN
        generations = [source.generation for source in sources]
        composed.compose(sources, if_source_generation_match=generations, timeout=TIMEOUT, retry=None)
        return composed

    def _publish(self, whole: storage.Blob, sealed: Sealed) -> ObjectStat:
        target = self._target
        blob = self._bucket.blob(self._name)
        blob.content_type = target.media_type
        own = metadata(to_base64(sealed.crc32c), sealed.sha256, target.owner)
        blob.metadata = {**target.metadata, **own}
        if not target.replace and lies_there(blob):
            return own_or_conflict(blob, sealed.sha256, target.owner)
        try:
            blob.compose(
                [whole],
                if_source_generation_match=[whole.generation],
                if_generation_match=None if target.replace else 0,
                timeout=TIMEOUT,
                retry=None,
            )
        except PreconditionFailed:
            return own_or_conflict(blob, sealed.sha256, target.owner)
        return describe(blob)

    def _detail(self) -> ErrorDetail:
        return ErrorDetail(cloud="gcp", ref=self._target.uri)


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


def _pin(target: WriteTarget) -> str:
    text = "\0".join((target.uri, str(target.size_bytes), target.source_etag, target.owner))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _index(blob: storage.Blob) -> int:
    return int(str(blob.name).rsplit("/", 1)[1])


def _as_part(blob: storage.Blob) -> Part | None:
    if not blob.crc32c:
        return None
    noted = (blob.metadata or {}).get(SHA256, "")
    sha256 = bytes.fromhex(noted) if _DIGEST.fullmatch(noted) else None
    return Part(_index(blob), int(blob.size or 0), from_base64(blob.crc32c), sha256)
