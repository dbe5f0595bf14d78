"""Cloud Storage as a `Store`: objects are pinned by their generation and verified by their CRC32C."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from google.api_core.exceptions import Conflict, NotFound
from google.cloud import storage

from activities.gcp.copies import rewrite
from activities.gcp.objects import check_object_name, describe, put_whole
from activities.gcp.sending import TIMEOUT, Sender
from activities.gcp.signing import Signer, carriable, metadata
from activities.gcp.writer import PartWriter, remove, uploads_below
from activities.store import WriteTarget
from contracts.artifacts import Location, ObjectStat, locate
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import ReadGrant, WriteGrant, WriteIntent
from contracts.storage import HIDDEN, ContainerReceipt, ObjectPage

READ_BYTES = 8 * 1024 * 1024

NEEDS = {
    "get_bucket": ("storage.buckets.get",),
    "get_blob": ("storage.objects.get", "storage.objects.list"),
    "list_blobs": ("storage.objects.list",),
    "download_as_bytes": ("storage.objects.get", "storage.objects.list"),
    "delete": ("storage.objects.delete", "storage.objects.list"),
    "patch": ("storage.objects.get", "storage.objects.update"),
}
NEEDS_TO_CREATE = {"create_bucket": ("storage.buckets.create",)}


class GcsStore:
    """One project's buckets, reached by the worker's own rights. An `etag` is the object's generation."""

    scheme = "gs"
    fetches = False

    def __init__(
        self,
        client: storage.Client,
        sender: Sender,
        signer: Signer,
        *,
        default_container: str,
        location: str,
    ) -> None:
        """Read and write through these; new buckets come to lie in `location`."""
        self._client = client
        self._sender = sender
        self._signer = signer
        self._location = location
        self.default_container = default_container

    def ensure_container(self, uri: str, *, create: bool) -> ContainerReceipt:
        """Find the bucket, or create it without public access; Google encrypts every bucket at rest."""
        name = locate(uri).container
        created = False
        try:
            bucket = self._client.get_bucket(name, timeout=TIMEOUT, retry=None)
        except NotFound:
            if not create:
                raise self._no_bucket(name) from None
            bucket, created = self._create(name)
        blocked = bucket.iam_configuration.public_access_prevention == "enforced"
        # "inherited" leaves it to the organization's policy, which the worker need not be allowed to see.
        return ContainerReceipt(
            uri=f"gs://{name}/",
            created=created,
            encrypted=True,
            encryption="customer_key" if bucket.default_kms_key_name else "provider",
            public_access_blocked=True if blocked else None,
            # Of several regions together it is a name of its own, such as "eu".
            region=str(bucket.location or "").lower(),
        )

    def refuses_plain(self, uri: str) -> bool | None:
        """See `Store.refuses_plain`; Google has no such setting of a bucket, and an endpoint of one's own may have no TLS."""
        return False if str(self._client.api_endpoint).startswith("http://") else None

    def stat(self, uri: str) -> ObjectStat | None:
        """Describe one object; None when there is none."""
        where = locate(uri)
        blob = self._bucket(where).get_blob(where.name, timeout=TIMEOUT, retry=None)
        return describe(blob) if blob is not None else None

    def check_name(self, uri: str) -> None:
        """Pass if Cloud Storage can hold an object of this name, byte for byte."""
        check_object_name(uri)

    def carriable(self, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """Return the user's metadata that Cloud Storage can hold unchanged."""
        return carriable(metadata)

    def list(self, prefix: str, after: str | None, limit: int) -> ObjectPage:
        """List objects below a prefix by name; folder markers and what Causeway keeps for itself are none."""
        where = locate(prefix)
        listed = self._client.list_blobs(
            where.container, prefix=where.name, page_token=after, page_size=limit, timeout=TIMEOUT, retry=None
        )
        page: Any = next(listed.pages, ())
        found = tuple(describe(blob) for blob in page if _is_object(blob, where.name))
        return ObjectPage(objects=found, next_after=listed.next_page_token or None)

    def read(self, source: ObjectStat, start: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Stream exactly this generation of the object from a byte on, as it is stored."""
        where = locate(source.uri)
        blob = self._bucket(where).blob(where.name, generation=int(source.etag))
        end = source.size_bytes if size_bytes is None else start + size_bytes
        for offset in range(start, end, READ_BYTES):
            last = min(offset + READ_BYTES, end) - 1
            try:
                yield blob.download_as_bytes(
                    start=offset, end=last, raw_download=True, checksum=None, timeout=TIMEOUT, retry=None
                )
            except NotFound:
                raise self._gone(source) from None

    def put(self, target: WriteTarget, content: bytes, sha256: str) -> ObjectStat:
        """Store an object of one part at once; the store verifies its CRC32C."""
        where = locate(target.uri)
        return put_whole(self._sender, self._bucket(where).blob(where.name), target, content, sha256)

    def writer(self, target: WriteTarget) -> PartWriter:
        """Open or find the upload of a larger object."""
        return PartWriter(self._client, self._sender, target, self._signer)

    def copy_within(self, source: ObjectStat, target: WriteTarget) -> ObjectStat:
        """Have Cloud Storage rewrite this generation of an object of the same project."""
        return rewrite(self._client, source, target)

    def fetch(self, grant: ReadGrant, target: WriteTarget, sha256: str | None) -> None:
        """Return None: Cloud Storage reads no URL."""

    def abort_uploads(self, prefix: str) -> Sequence[str]:
        """Remove the parts of unfinished uploads below a prefix; return the URIs they were for."""
        found = tuple(uploads_below(self._client, locate(prefix)))
        remove([blob for _, blob in found])
        return sorted({target for target, _ in found})

    def delete(self, uri: str) -> bool:
        """Remove an object; False when there was none."""
        where = locate(uri)
        try:
            self._bucket(where).blob(where.name).delete(timeout=TIMEOUT, retry=None)
        except NotFound:
            return False
        return True

    def sign_read(self, source: ObjectStat, life: timedelta, *, bare: bool = False) -> ReadGrant:
        """Mint a read of exactly this generation of the object, which the URL itself names."""
        where = locate(source.uri)
        blob = self._bucket(where).blob(where.name)
        return self._signer.sign_read(blob, source, life, bare=bare)

    def sign_write(self, intent: WriteIntent, life: timedelta) -> WriteGrant:
        """Mint a write of exactly this length and checksum; create-only unless it may replace."""
        where = locate(intent.target)
        return self._signer.sign_write(self._bucket(where).blob(where.name), intent, life)

    def confirm(self, intent: WriteIntent) -> ObjectStat:
        """Check that what was pushed is what was intended; a signed write is visible once it is whole."""
        held = self.stat(intent.target)
        detail = ErrorDetail(cloud="gcp", ref=intent.target)
        if held is None:
            raise failure(ErrorKind.SOURCE_MISSING, f"{intent.target} was not pushed", detail)
        measure = intent.measure
        if (held.size_bytes, held.crc32c) != (measure.source.size_bytes, measure.crc32c):
            text = f"{intent.target} holds other content than what was measured"
            raise failure(ErrorKind.TARGET_CONFLICT, text, detail)
        return held if held.sha256 else self._complete(held, intent)

    def _complete(self, held: ObjectStat, intent: WriteIntent) -> ObjectStat:
        # An object that lay there before with this very content: say who vouches for it.
        where = locate(intent.target)
        blob = self._bucket(where).blob(where.name)
        own = metadata(intent.measure.crc32c, intent.measure.sha256, intent.owner)
        blob.metadata = {**held.metadata, **own}
        blob.patch(if_generation_match=int(held.etag), timeout=TIMEOUT, retry=None)
        return describe(blob)

    def _bucket(self, where: Location) -> storage.Bucket:
        return self._client.bucket(where.container)

    def _create(self, name: str) -> tuple[storage.Bucket, bool]:
        bucket = self._client.bucket(name)
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        bucket.iam_configuration.public_access_prevention = "enforced"
        try:
            return self._client.create_bucket(
                bucket, location=self._location, timeout=TIMEOUT, retry=None
            ), True
        except Conflict:
            # Somebody else was faster, or another project owns the name: reading it tells which.
            return self._client.get_bucket(name, timeout=TIMEOUT, retry=None), False

    def _no_bucket(self, name: str) -> Exception:
        command = (
            f"gcloud storage buckets create gs://{name} --location={self._location} "
            "--uniform-bucket-level-access --public-access-prevention"
        )
        detail = ErrorDetail(cloud="gcp", ref=f"gs://{name}/", code="404")
        text = f"the bucket gs://{name}/ does not exist; create it: {command}"
        return failure(ErrorKind.SOURCE_MISSING, text, detail)

    def _gone(self, source: ObjectStat) -> Exception:
        detail = ErrorDetail(cloud="gcp", ref=source.uri, code="404")
        if self.stat(source.uri) is None:
            return failure(ErrorKind.SOURCE_MISSING, f"{source.uri} does not exist any more", detail)
        return failure(ErrorKind.SOURCE_CHANGED, f"{source.uri} was replaced while it was read", detail)


def _is_object(blob: storage.Blob, below: str) -> bool:
    # The console, and gcsfuse which mounts buckets into jobs, keep an empty object for each folder.
    marker = blob.name.endswith("/") and not blob.size
    hidden = blob.name.startswith(HIDDEN) and not below.startswith(HIDDEN)
    return not marker and not hidden
