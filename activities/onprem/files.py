"""Files that appear whole: written aside, synced, then renamed or linked into place with their metadata."""

import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel

from activities.onprem.atomic import write_atomically
from activities.onprem.places import Places
from contracts.errors import ErrorDetail, ErrorKind, failure

_YOUNG_SECONDS = 3600.0


class Metadata(BaseModel, frozen=True):
    """What Causeway recorded of an object when it wrote it."""

    crc32c: str
    sha256: str
    owner: str
    media_type: str
    metadata: dict[str, str] = {}
    """The user's."""


def etag_of(status: os.stat_result) -> str:
    """Return what changes whenever a file's content does; renaming a file keeps it."""
    return f"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ino:x}"


class Publisher:
    """Writes files below one root, and remembers their metadata for exactly the version it wrote."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def write(self, uri: str, pieces: Iterable[bytes], metadata: Metadata, *, replace: bool) -> None:
        """Make the pieces the file at a URI, whole or not at all.

        Raises:
            ApplicationError: `TARGET_CONFLICT` when something lies there and may not be replaced.
            OSError: the file system refused.
        """
        with self.aside() as draft:
            with draft.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            self.place(uri, draft, metadata, replace=replace)

    def place(self, uri: str, draft: Path, metadata: Metadata, *, replace: bool) -> None:
        """Make a synced file of the same disk the file at a URI; see `write`."""
        target = self._places.file(uri)
        self._remember(uri, etag_of(draft.stat()), metadata)
        target.parent.mkdir(parents=True, exist_ok=True)
        _place(draft, target, uri, replace=replace)
        sync_folder(target.parent)
        self._forget_old(uri)

    def recall(self, uri: str, etag: str) -> Metadata | None:
        """Return the metadata of this version of an object; None for one that others wrote or changed."""
        try:
            return Metadata.model_validate_json((self._folder(uri) / etag).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def forget(self, uri: str, etag: str) -> None:
        """Drop the metadata of a version that was removed, and of others that are long gone."""
        (self._folder(uri) / etag).unlink(missing_ok=True)
        self._forget_old(uri)

    @contextmanager
    def aside(self) -> Iterator[Path]:
        """Give the path of a file that nobody sees, and that is gone afterwards unless it was placed."""
        drafts = self._places.drafts
        drafts.mkdir(parents=True, exist_ok=True)
        draft = drafts / uuid.uuid4().hex
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _remember(self, uri: str, etag: str, metadata: Metadata) -> None:
        # Written before the object appears and keyed by its version, so the two never contradict each other.
        folder = self._folder(uri)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / etag, metadata.model_dump_json().encode())

    def _forget_old(self, uri: str) -> None:
        target, folder = self._places.file(uri), self._folder(uri)
        # A young record may be of a version that another writer is just about to place.
        limit = time.time() - _YOUNG_SECONDS
        with suppress(
            FileNotFoundError
        ):  # somebody removed the object meanwhile, or nothing was ever recorded of it
            now = etag_of(target.stat()) if target.exists() else ""
            for record in folder.iterdir():
                if record.name != now and _last_written(record) < limit:
                    record.unlink(missing_ok=True)

    def _folder(self, uri: str) -> Path:
        # By digest, since a name with its suffix could exceed what the file system takes.
        digest = sha256(uri.encode()).hexdigest()
        return self._places.metadata / digest[:2] / digest


def _place(draft: Path, target: Path, uri: str, *, replace: bool) -> None:
    if replace:
        draft.replace(target)
        return
    try:
        os.link(draft, target)
    except FileExistsError:
        told = f"{uri}: an object lies there already"
        raise failure(ErrorKind.TARGET_CONFLICT, told, ErrorDetail(cloud="onprem", ref=uri)) from None


def _last_written(record: Path) -> float:
    try:
        return record.stat().st_mtime
    except FileNotFoundError:
        # The draft of another writer's record, which has its name by now; or another writer has dropped it.
        return time.time()


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
