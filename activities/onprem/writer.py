"""Uploads that outlive a worker: parts are written at their places in one draft below `.causeway/uploads`.

Beside the draft lies one empty file for each part that was synced into it; its name says what the part came to. So
the disk holds an object once, and a commit is a rename. The content is not read back then: what it would come from is
the same memory that it was written from.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ValidationError

from activities.checksums import crc32c, to_base64
from activities.onprem.atomic import write_atomically
from activities.onprem.files import Metadata, Publisher, sync_folder
from activities.onprem.places import Places
from activities.store import Part, Sealed, WriteTarget, covers, same_part
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import PartGrant
from contracts.parts import part_bytes_of, part_size

_RECORD = re.compile(r"(\d{8})-([0-9a-f]{8})-([0-9a-f]{64})")
_ABOUT, _DRAFT = "upload.json", "draft"


class About(BaseModel, frozen=True):
    """What an upload is for."""

    uri: str
    owner: str = ""


class FileWriter:
    """The upload of one version of one source by one owner; any worker of the root finds it again."""

    def __init__(
        self, places: Places, publisher: Publisher, target: WriteTarget, written: Callable[[str], ObjectStat]
    ) -> None:
        self._publisher = publisher
        self._target = target
        self._written = written
        self._folder = places.uploads / _key(target)
        self._draft = self._folder / _DRAFT

    def held(self) -> Mapping[int, Part | None]:
        """List the parts in the draft; a record was made only after its part was synced."""
        if not self._draft.is_file() or self._draft.stat().st_size != self._target.size_bytes:
            return {}
        found: dict[int, Part | None] = {}
        for path in self._folder.iterdir():
            if match := _RECORD.fullmatch(path.name):
                index = int(match[1])
                size = part_size(self._target.size_bytes, index)
                found[index] = Part(index, size, int(match[2], 16), bytes.fromhex(match[3]))
        return found

    def put(self, part: Part, content: bytes) -> None:
        """Store one part; `CHECKSUM_MISMATCH` if the content is not what the part says."""
        if len(content) != part.size_bytes or crc32c(content) != part.crc32c or part.sha256 is None:
            raise self._damaged(f"part {part.index} of {self._target.uri} is not what was announced")
        self._open()
        handle = os.open(self._draft, os.O_WRONLY)
        try:
            _write_all(handle, content, part.index * part_bytes_of(self._target.size_bytes))
            os.fdatasync(handle)
        finally:
            os.close(handle)
        for stale in self._folder.glob(f"{part.index:08d}-*"):
            stale.unlink(missing_ok=True)
        self._record(part).touch()
        sync_folder(self._folder)

    def sign(self, part: Part, life: timedelta) -> PartGrant:
        """Refuse: nobody outside can write files."""
        told = f"{self._target.uri} cannot be reached from outside; its worker pulls by itself"
        raise failure(ErrorKind.UNSUPPORTED, told, self._detail())

    def commit(self, sealed: Sealed) -> ObjectStat:
        """Place the draft once it holds exactly these parts; the upload is gone afterwards."""
        held = self.held()
        for part in sealed.parts:
            if not same_part(held.get(part.index), part):
                # An attempt that was thought dead has committed or aborted meanwhile; the next one will see.
                told = f"part {part.index} of {self._target.uri} is gone"
                raise failure(ErrorKind.UNAVAILABLE, told, self._detail())
        target = self._target
        metadata = Metadata(
            crc32c=to_base64(sealed.crc32c),
            sha256=sealed.sha256,
            owner=target.owner,
            media_type=target.media_type,
            metadata=dict(target.metadata),
        )
        self._publisher.place(target.uri, self._draft, metadata, replace=target.replace)
        shutil.rmtree(self._folder, ignore_errors=True)
        return self._written(target.uri)

    def _open(self) -> None:
        """Have a draft of the whole size, so that a disk too small is found before anything is sent."""
        if self._draft.is_file() and self._draft.stat().st_size == self._target.size_bytes:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            self._folder / _ABOUT,
            About(uri=self._target.uri, owner=self._target.owner).model_dump_json().encode(),
        )
        new = self._folder / f".{os.urandom(8).hex()}"
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.posix_fallocate(handle, 0, self._target.size_bytes)
            os.fsync(handle)
            _place_first(new, self._draft)
        finally:
            os.close(handle)
            new.unlink(missing_ok=True)

    def _record(self, part: Part) -> Path:
        return self._folder / f"{part.index:08d}-{part.crc32c:08x}-{(part.sha256 or b'').hex()}"

    def _detail(self) -> ErrorDetail:
        return ErrorDetail(cloud="onprem", ref=self._target.uri)

    def _damaged(self, told: str) -> Exception:
        return failure(ErrorKind.CHECKSUM_MISMATCH, told, self._detail())


def abort_below(places: Places, prefix: str) -> list[str]:
    """Remove unfinished uploads of objects below a prefix, or of one object, and return their URIs."""
    aborted = []
    for folder, about in uploads_in(places):
        if covers(prefix, about.uri):
            shutil.rmtree(folder, ignore_errors=True)
            aborted.append(about.uri)
    return sorted(set(aborted))


def uploads_in(places: Places) -> Iterator[tuple[Path, About]]:
    """Return the folder of each unfinished upload, and what it is for."""
    for folder in sorted(places.uploads.iterdir()) if places.uploads.is_dir() else ():
        try:
            yield folder, About.model_validate_json((folder / _ABOUT).read_bytes())
        except (FileNotFoundError, ValidationError):
            continue


def _place_first(new: Path, draft: Path) -> None:
    """Make the new file the draft unless another thread or worker was faster."""
    try:
        os.link(new, draft)
    except FileExistsError:
        if draft.stat().st_size != new.stat().st_size:
            new.replace(draft)


def _write_all(handle: int, content: bytes, offset: int) -> None:
    left = memoryview(content)
    while left:
        count = os.pwrite(handle, left, offset)
        left, offset = left[count:], offset + count


def _key(target: WriteTarget) -> str:
    pins = (target.uri, str(target.size_bytes), target.source_etag, target.owner)
    return sha256("\0".join(pins).encode()).hexdigest()
