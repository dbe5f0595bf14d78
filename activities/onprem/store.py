"""A root folder as an object store. What is written here by others is served too, without their metadata."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from mimetypes import MimeTypes
from pathlib import Path

from activities.checksums import crc32c, to_base64
from activities.known import Known
from activities.onprem.files import Metadata, Publisher, etag_of
from activities.onprem.listing import names_below
from activities.onprem.places import Places
from activities.onprem.writer import FileWriter, abort_below
from activities.store import ObjectWriter, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import ReadGrant, WriteGrant, WriteIntent
from contracts.storage import ContainerReceipt, ObjectPage
from contracts.units import MIB

_PIECE_BYTES = MIB
_KERNEL_BYTES = 1024 * MIB
_NAME_LIMIT_BYTES, _PATH_LIMIT_BYTES = 255, 4095
"""Of Linux: https://man7.org/linux/man-pages/man7/path_resolution.7.html"""
_TYPES = MimeTypes()
"""Python's own table, without what the machine adds to it."""


class FileStore:
    """Objects are files below one root; nobody outside can read them, so they leave by being pushed."""

    scheme = "file"
    fetches = False

    def __init__(self, root: Path, default_container: str) -> None:
        self.places = Places(root)
        self.default_container = default_container
        self._publisher = Publisher(self.places)

    def ensure_container(self, uri: str, *, create: bool) -> ContainerReceipt:
        """Find a folder, or make it; whether its disk is encrypted is not ours to know."""
        folder = self.places.folder(uri)
        if folder.is_dir():
            return ContainerReceipt(uri=uri, created=False, public_access_blocked=True)
        if not create:
            told = f'{uri} does not exist; make it with: mkdir -p "$CAUSEWAY_ONPREM_ROOT/{uri.removeprefix("file:///")}"'
            raise failure(ErrorKind.SOURCE_MISSING, told, _detail(uri))
        folder.mkdir(parents=True, exist_ok=True)
        return ContainerReceipt(uri=uri, created=True, public_access_blocked=True)

    def refuses_plain(self, uri: str) -> bool | None:
        """See `Store.refuses_plain`; a folder takes no requests at all."""
        return True

    def stat(self, uri: str) -> ObjectStat | None:
        """Describe one file; None when there is none, or a folder."""
        path = self.places.file(uri)
        try:
            return self._described(uri, path.stat()) if path.is_file() else None
        except (FileNotFoundError, NotADirectoryError):
            return None

    def list(self, prefix: str, after: str | None, limit: int) -> ObjectPage:
        """List files below a prefix by name, one page at a time."""
        folder = self.places.folder(prefix)
        names = list(islice(names_below(self.places, folder, after), limit + 1))
        found = [stat for name in names[:limit] if (stat := self.stat(prefix + name))]
        return ObjectPage(objects=tuple(found), next_after=names[limit - 1] if len(names) > limit else None)

    def check_name(self, uri: str) -> None:
        """Pass if a file system can hold the name: no empty pieces, none over 255 bytes, 4 095 in all."""
        path = self.places.file(uri)
        name = os.fsencode(str(path))
        if len(name) > _PATH_LIMIT_BYTES or any(len(piece) > _NAME_LIMIT_BYTES for piece in name.split(b"/")):
            told = f"{uri}: a file's name has at most {_NAME_LIMIT_BYTES} bytes between slashes, {_PATH_LIMIT_BYTES} in all"
            raise failure(ErrorKind.INVALID_REQUEST, told, _detail(uri))

    def carriable(self, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """Return all of it: metadata lie beside the file."""
        return dict(metadata)

    def read(self, source: ObjectStat, start: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Stream the file from a byte on; it is checked to be the same version before and after."""
        path = self.places.file(source.uri)
        left = source.size_bytes - start if size_bytes is None else size_bytes
        try:
            with path.open("rb", buffering=0) as file:
                _check_version(file.fileno(), source)
                file.seek(start)
                while left > 0 and (piece := file.read(min(_PIECE_BYTES, left))):
                    left -= len(piece)
                    yield piece
                _check_version(file.fileno(), source)
        except FileNotFoundError:
            raise failure(
                ErrorKind.SOURCE_MISSING, f"{source.uri} does not exist", _detail(source.uri)
            ) from None

    def put(self, target: WriteTarget, content: bytes, sha256: str) -> ObjectStat:
        """Store an object of one part at once."""
        metadata = Metadata(
            crc32c=to_base64(crc32c(content)),
            sha256=sha256,
            owner=target.owner,
            media_type=target.media_type,
            metadata=dict(target.metadata),
        )
        self._publisher.write(target.uri, (content,), metadata, replace=target.replace)
        return self._written(target.uri)

    def copy_within(self, source: ObjectStat, target: WriteTarget) -> ObjectStat:
        """Have the kernel copy this version of a file; what was recorded of it comes along."""
        path = self.places.file(source.uri)
        with self._publisher.aside() as draft:
            try:
                with path.open("rb") as read, draft.open("xb") as written:
                    _check_version(read.fileno(), source)
                    _copy_all(read.fileno(), written.fileno(), source.size_bytes)
                    _check_version(read.fileno(), source)
                    os.fsync(written.fileno())
            except FileNotFoundError:
                told = f"{source.uri} does not exist"
                raise failure(ErrorKind.SOURCE_MISSING, told, _detail(source.uri)) from None
            self._publisher.place(
                target.uri, draft, self._metadata(source, target, draft), replace=target.replace
            )
        return self._written(target.uri)

    def fetch(self, grant: ReadGrant, target: WriteTarget, sha256: str | None) -> None:
        """Return None: a file system reads no URL."""

    def writer(self, target: WriteTarget) -> ObjectWriter:
        """Open or find the upload of a larger object."""
        self.places.file(target.uri)
        return FileWriter(self.places, self._publisher, target, self._written)

    def abort_uploads(self, prefix: str) -> Sequence[str]:
        """See `Store.abort_uploads`."""
        return abort_below(self.places, prefix)

    def delete(self, uri: str) -> bool:
        """Remove a file; False when there was none."""
        path = self.places.file(uri)
        try:
            etag = etag_of(path.stat())
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        self._publisher.forget(uri, etag)
        return True

    def sign_read(self, source: ObjectStat, life: timedelta, *, bare: bool = False) -> ReadGrant:
        """Refuse: nobody outside can read files."""
        raise _unreachable(source.uri)

    def sign_write(self, intent: WriteIntent, life: timedelta) -> WriteGrant:
        """Refuse: nobody outside can write files."""
        raise _unreachable(intent.target)

    def confirm(self, intent: WriteIntent) -> ObjectStat:
        """Refuse: nothing was pushed here."""
        raise _unreachable(intent.target)

    def _written(self, uri: str) -> ObjectStat:
        return self._described(uri, self.places.file(uri).stat())

    def _described(self, uri: str, status: os.stat_result) -> ObjectStat:
        etag = etag_of(status)
        metadata = self._publisher.recall(uri, etag)
        known = metadata.model_dump() if metadata else {"media_type": _media_type(uri)}
        return ObjectStat(uri=uri, size_bytes=status.st_size, etag=etag, **known)

    def _metadata(self, source: ObjectStat, target: WriteTarget, draft: Path) -> Metadata:
        held = self._publisher.recall(source.uri, source.etag)
        if held:
            return held.model_copy(update={"owner": target.owner})
        with draft.open("rb") as file:
            known = Known.read(source.size_bytes, iter(lambda: file.read(_PIECE_BYTES), b""))
        return Metadata(
            crc32c=known.crc32c or "",
            sha256=known.sha256 or "",
            owner=target.owner,
            media_type=source.media_type,
            metadata=source.metadata,
        )


def _copy_all(read: int, written: int, size_bytes: int) -> None:
    left = size_bytes
    while left:
        count = os.sendfile(written, read, None, min(left, _KERNEL_BYTES))
        if count == 0:
            return
        left -= count


def _media_type(uri: str) -> str:
    return _TYPES.guess_type(uri)[0] or "application/octet-stream"


def _check_version(handle: int, source: ObjectStat) -> None:
    if etag_of(os.fstat(handle)) != source.etag:
        told = f"{source.uri} changed since it was listed"
        raise failure(ErrorKind.SOURCE_CHANGED, told, _detail(source.uri))


def _unreachable(uri: str) -> Exception:
    told = f"{uri} cannot be reached from outside; its worker pulls and pushes by itself"
    return failure(ErrorKind.UNSUPPORTED, told, _detail(uri))


def _detail(uri: str) -> ErrorDetail:
    return ErrorDetail(cloud="onprem", ref=uri)
