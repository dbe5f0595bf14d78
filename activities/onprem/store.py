"""A root folder as an object store. What is written here by others is served too, without their metadata."""

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path

from activities.checksums import crc32c, to_base64
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

_PIECE_BYTES = 4 * MIB


class FileStore:
    """Objects are files below one root; nobody outside can read them, so they leave by being pushed."""

    scheme = "file"

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

    def read(self, source: ObjectStat, start: int = 0) -> Iterator[bytes]:
        """Stream the file from a byte on; it is checked to be the same version before and after."""
        path = self.places.file(source.uri)
        try:
            with path.open("rb") as file:
                _check_version(file.fileno(), source)
                file.seek(start)
                while piece := file.read(_PIECE_BYTES):
                    yield piece
                _check_version(file.fileno(), source)
        except FileNotFoundError:
            raise failure(
                ErrorKind.SOURCE_MISSING, f"{source.uri} does not exist", _detail(source.uri)
            ) from None

    def put(
        self, uri: str, content: bytes, *, sha256: str, owner: str, media_type: str, replace: bool
    ) -> ObjectStat:
        """Store a small object at once."""
        checksum = to_base64(crc32c(content))
        metadata = Metadata(crc32c=checksum, sha256=sha256, owner=owner, media_type=media_type)
        self._publisher.write(uri, (content,), metadata, replace=replace)
        return self._written(uri)

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
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        self._publisher.forget(uri)
        return True

    def sign_read(self, source: ObjectStat, life: timedelta) -> ReadGrant:
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
        known = metadata.model_dump() if metadata else {}
        return ObjectStat(uri=uri, size_bytes=status.st_size, etag=etag, **known)


def _check_version(handle: int, source: ObjectStat) -> None:
    if etag_of(os.fstat(handle)) != source.etag:
        told = f"{source.uri} changed since it was listed"
        raise failure(ErrorKind.SOURCE_CHANGED, told, _detail(source.uri))


def _unreachable(uri: str) -> Exception:
    told = f"{uri} cannot be reached from outside; its worker pulls and pushes by itself"
    return failure(ErrorKind.UNSUPPORTED, told, _detail(uri))


def _detail(uri: str) -> ErrorDetail:
    return ErrorDetail(cloud="onprem", ref=uri)
