"""Azure Blob storage as one connection's object store: block blobs of one account, by the worker's own identity."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobClient,
    BlobProperties,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
)

from activities.azure import staging
from activities.azure.actions import BLOB_READ, BLOB_WRITE, CONTAINER_READ, CONTAINER_WRITE
from activities.azure.blobs import (
    CRC32C,
    FOLDER_MARK,
    OWNER,
    SCHEME,
    SHA256,
    bare_etag,
    blob_location,
    carriable,
    check_blob_name,
    described,
    metadata_of,
    quoted_etag,
    refusing_conflicts,
)
from activities.azure.blocks import put_as_block
from activities.azure.copies import Moved, copy_from, fetch_from
from activities.azure.errors import CLOUD, code_of
from activities.azure.removal import abort_uploads, delete_blob, discard, is_discarded
from activities.azure.signing import Signer
from activities.azure.writer import BlockWriter
from activities.checksums import crc32c, md5_digest, to_base64
from activities.existing import decide
from activities.store import Part, WriteTarget, same_content
from contracts.artifacts import Location, ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import ReadGrant, WriteGrant, WriteIntent
from contracts.storage import HIDDEN, ContainerReceipt, ObjectPage

NEEDS = {
    "get_container_properties": (CONTAINER_READ,),
    "get_blob_properties": (BLOB_READ,),
    "list_blobs": (BLOB_READ,),
    "download_blob": (BLOB_READ,),
    "upload_blob": (BLOB_WRITE,),
}
"""Rights of a call; what the account signed is allowed what its signer is, and no more."""
NEEDS_TO_CREATE = {"create_container": (CONTAINER_WRITE,)}


class BlobStore:
    """One storage account; `az://container/blob` names no account, for the connection does."""

    scheme = SCHEME
    fetches = True

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        """Serve the account of this client; `container` is the bare name of the default one."""
        self._service = service
        self._signer = Signer(service)
        self.default_container = f"{SCHEME}://{container}/"

    def ensure_container(self, uri: str, *, create: bool) -> ContainerReceipt:
        """See `storage.ensure_container`; containers are made without public access."""
        name = blob_location(uri).container
        container = self._service.get_container_client(name)
        created = create and _create(container)
        try:
            found = container.get_container_properties()
        except ResourceNotFoundError:
            command = f"az storage container create --name {name} --account-name {container.account_name} --auth-mode login"
            message = f"Azure has no container {name!r}; make it with: {command}"
            raise failure(ErrorKind.SOURCE_MISSING, message, ErrorDetail(cloud=CLOUD, ref=uri)) from None
        # Azure encrypts every account at rest and names the scope; the emulator names none.
        scope = getattr(found.encryption_scope, "default_encryption_scope", None)
        return ContainerReceipt(
            uri=f"{SCHEME}://{name}/",
            created=created,
            encrypted=True if scope else None,
            public_access_blocked=found.public_access is None,
        )

    def refuses_plain(self, uri: str) -> bool | None:
        """See `Store.refuses_plain`; the account says it to those alone who may read it in Resource Manager."""
        return False if str(self._service.url).startswith("http://") else None

    def check_name(self, uri: str) -> None:
        """See `Store.check_name`."""
        check_blob_name(uri)

    def carriable(self, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """See `Store.carriable`."""
        return carriable(metadata)

    def stat(self, uri: str) -> ObjectStat | None:
        """See `Store.stat`."""
        blob = self._blob(uri)
        try:
            found = blob.get_blob_properties()
            return None if discard(blob, found) else described(uri, found)
        except ResourceNotFoundError as exc:
            if code_of(exc) == "ContainerNotFound":
                raise
            return None

    def list(self, prefix: str, after: str | None, limit: int) -> ObjectPage:
        """See `Store.list`; metadata come along, arrivals and folder marks do not."""
        location = blob_location(prefix)
        container = self._service.get_container_client(location.container)
        found = container.list_blobs(
            name_starts_with=location.name, include=["metadata"], results_per_page=limit
        )
        pages: Any = found.by_page(continuation_token=after)
        for page in pages:
            held = [blob for blob in page if _is_object(blob, location)]
            if held:
                objects = tuple(
                    described(f"{SCHEME}://{location.container}/{blob.name}", blob) for blob in held
                )
                return ObjectPage(objects=objects, next_after=pages.continuation_token or None)
        return ObjectPage(objects=())

    def read(self, source: ObjectStat, start: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """See `Store.read`; each piece is a request of its own that pins the ETag."""
        left = source.size_bytes - start if size_bytes is None else size_bytes
        whole = left == source.size_bytes
        if not whole and left <= 0:
            return
        try:
            download = self._blob(source.uri).download_blob(
                offset=None if whole else start,
                length=None if whole else left,
                etag=quoted_etag(source.etag),
                match_condition=MatchConditions.IfNotModified,
            )
            yield from download.chunks()
        except HttpResponseError as exc:
            if code_of(exc) not in {"ConditionNotMet", "InvalidRange"}:
                raise
            raise self._changed(source, code_of(exc)) from None

    def put(self, target: WriteTarget, content: bytes, sha256: str) -> ObjectStat:
        """See `Store.put`: one request, checked by its MD5 on arrival."""
        checksum, md5 = crc32c(content), md5_digest(content)
        noted = {**target.metadata, **metadata_of(to_base64(checksum), sha256, target.owner)}
        blob = self._blob(target.uri)
        with refusing_conflicts(target.uri):
            try:
                answer = blob.upload_blob(
                    content,
                    length=len(content),
                    overwrite=target.replace,
                    metadata=noted,
                    content_settings=ContentSettings(content_type=target.media_type),
                    headers={"Content-MD5": base64.b64encode(md5).decode()},
                )
                etag = bare_etag(str(answer["etag"]))
            except ResourceExistsError:
                # Where staged blocks of an unfinished upload count as an object, only a commit is judged by what lies there.
                if target.replace or self.stat(target.uri) is not None:
                    raise
                part = Part(0, len(content), checksum, bytes.fromhex(sha256))
                etag = put_as_block(blob, content, part, media_type=target.media_type, metadata=noted)
        return self._written(target, etag, sha256, to_base64(checksum))

    def writer(self, target: WriteTarget) -> BlockWriter:
        """See `Store.writer`."""
        location = blob_location(target.uri)
        belongs = (target.source_etag, str(target.size_bytes), target.owner)
        arrival = self._service.get_blob_client(
            location.container, staging.staging_name(location.name, *belongs)
        )
        return BlockWriter(self._blob(target.uri), target, self._signer, arrival)

    def copy_within(self, source: ObjectStat, target: WriteTarget) -> ObjectStat:
        """See `Store.copy_within`."""
        held = self.stat(source.uri)
        if held is None or held.etag != source.etag:
            raise self._changed(source, "ConditionNotMet")
        noted = {**held.metadata, OWNER: target.owner}
        noted |= {CRC32C: held.crc32c} if held.crc32c else {}
        noted |= {SHA256: held.sha256} if held.sha256 else {}
        moved = Moved(target.uri, source.size_bytes, source.etag, held.media_type, noted)
        copy_from(self._blob(source.uri), self._blob(target.uri), moved, self._signer, replace=target.replace)
        found = self.stat(target.uri)
        if found is None:
            told = f"{target.uri} is not there after the copy"
            raise failure(ErrorKind.UNAVAILABLE, told, ErrorDetail(cloud=CLOUD, ref=target.uri))
        return found

    def fetch(self, grant: ReadGrant, target: WriteTarget, sha256: str | None) -> ObjectStat | None:
        """See `Store.fetch`: Put Block From URL, for which a grant must need no header."""
        md5, crc = grant.source.md5, grant.source.crc32c
        if md5 is None or grant.headers:
            return None
        noted = {**target.metadata, OWNER: target.owner}
        noted |= {SHA256: sha256} if sha256 else {}
        noted |= {CRC32C: crc} if crc else {}
        moved = Moved(target.uri, target.size_bytes, target.source_etag, target.media_type, noted)
        etag = fetch_from(
            grant.url, self._blob(target.uri), moved, base64.b64decode(md5), replace=target.replace
        )
        return self._written(target, etag, sha256, crc) if etag else None

    def abort_uploads(self, prefix: str) -> Sequence[str]:
        """See `Store.abort_uploads`: Causeway's own uncommitted blocks, and what was pushed but not confirmed."""
        location = blob_location(prefix)
        return abort_uploads(self._service.get_container_client(location.container), location)

    def delete(self, uri: str) -> bool:
        """See `Store.delete`."""
        return delete_blob(self._blob(uri))

    def sign_read(self, source: ObjectStat, life: timedelta, *, bare: bool = False) -> ReadGrant:
        """See `Store.sign_read`: the header pins the version, the signature the blob."""
        url, expires_at = self._signer.sign(self._blob(source.uri), BlobSasPermissions(read=True), life)
        headers = {} if bare else {"If-Match": quoted_etag(source.etag)}
        return ReadGrant(source=source, url=url, headers=headers, expires_at=expires_at)

    def sign_write(self, intent: WriteIntent, life: timedelta) -> WriteGrant:
        """See `Store.sign_write`: a write of a staging blob; `confirm` makes it the target."""
        permission = BlobSasPermissions(create=True, write=True)
        url, expires_at = self._signer.sign(self._arrival(intent), permission, life)
        headers = staging.write_headers(intent.measure, intent.measure.source.media_type)
        return WriteGrant(intent=intent, url=url, headers=headers, expires_at=expires_at)

    def confirm(self, intent: WriteIntent) -> ObjectStat:
        """See `Store.confirm`."""
        arrival = self._arrival(intent)
        held = self.stat(intent.target)
        decision = decide(
            held, lambda there: same_content(there, intent.measure), intent.if_exists, intent.owner
        )
        if held is not None and decision == "keep":
            delete_blob(arrival)
            return held
        arrived = staging.check(arrival, intent)
        published = staging.publish(
            arrival, self._blob(intent.target), arrived, intent, self._signer, replace=decision == "replace"
        )
        delete_blob(arrival)
        return published

    def _changed(self, source: ObjectStat, code: str) -> Exception:
        detail = ErrorDetail(cloud=CLOUD, ref=source.uri, code=code)
        if self.stat(source.uri) is None:
            return failure(ErrorKind.SOURCE_MISSING, f"{source.uri} is gone since it was listed", detail)
        message = f"{source.uri} is no longer what it was when it was listed"
        return failure(ErrorKind.SOURCE_CHANGED, message, detail)

    def _blob(self, uri: str) -> BlobClient:
        location = blob_location(uri)
        return self._service.get_blob_client(location.container, location.name)

    def _arrival(self, intent: WriteIntent) -> BlobClient:
        location = blob_location(intent.target)
        name = staging.staging_name(location.name, intent.measure.sha256, intent.owner)
        return self._service.get_blob_client(location.container, name)

    def _written(self, target: WriteTarget, etag: str, sha256: str | None, crc: str | None) -> ObjectStat:
        return ObjectStat(
            uri=target.uri,
            size_bytes=target.size_bytes,
            etag=etag,
            crc32c=crc,
            sha256=sha256,
            owner=target.owner,
            media_type=target.media_type,
            metadata=dict(target.metadata),
        )


def _create(container: ContainerClient) -> bool:
    try:
        container.create_container()
    except ResourceExistsError as exc:
        if code_of(exc) != "ContainerAlreadyExists":
            raise
        return False
    return True


def _is_object(blob: BlobProperties, below: Location) -> bool:
    hidden = blob.name.startswith(HIDDEN) and not below.name.startswith(HIDDEN)
    return not hidden and not is_discarded(blob) and (blob.metadata or {}).get(FOLDER_MARK) != "true"
