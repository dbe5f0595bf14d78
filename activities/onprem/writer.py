"""Uploads that outlive a worker: parts are files below `.causeway/uploads`, named by what they hold."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ValidationError

from activities.checksums import crc32c, to_base64
from activities.onprem.files import Metadata, Publisher, write_atomically
from activities.onprem.places import Places
from activities.store import Part, Sealed, WriteTarget, covers
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.units import MIB

_PART = re.compile(r"(\d{8})-([0-9a-f]{8})-([0-9a-f]{32})")
_ABOUT = "upload.json"
_PIECE_BYTES = MIB


class _About(BaseModel, frozen=True):
    uri: str


class FileWriter:
    """The upload of one version of one source by one owner; any worker of the root finds it again."""

    def __init__(
        self, places: Places, publisher: Publisher, target: WriteTarget, written: Callable[[str], ObjectStat]
    ) -> None:
        self.part_bytes = target.part_bytes
        self._publisher = publisher
        self._target = target
        self._written = written
        self._folder = places.uploads / _key(target)

    def held(self) -> Mapping[int, Part | None]:
        """List the parts on disk; each name vouches for what was synced under it."""
        found: dict[int, Part | None] = {}
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            if match := _PART.fullmatch(path.name):
                size, index = path.stat().st_size, int(match[1])
                found[index] = Part(index, size, int(match[2], 16), bytes.fromhex(match[3]))
        return found

    def put(self, part: Part, content: bytes) -> None:
        """Store one part; `CHECKSUM_MISMATCH` if the content is not what the part says."""
        if len(content) != part.size_bytes or crc32c(content) != part.crc32c:
            raise self._damaged(f"part {part.index} of {self._target.uri} is not what was announced")
        self._folder.mkdir(parents=True, exist_ok=True)
        about = self._folder / _ABOUT
        if not about.exists():
            write_atomically(about, _About(uri=self._target.uri).model_dump_json().encode())
        write_atomically(self._path(part), content)

    def commit(self, sealed: Sealed) -> ObjectStat:
        """Put the parts together, reading each back, and place the whole; the upload is gone afterwards."""
        target = self._target
        metadata = Metadata(
            crc32c=to_base64(sealed.crc32c),
            sha256=sealed.sha256,
            owner=target.owner,
            media_type=target.media_type,
        )
        self._publisher.write(target.uri, self._joined(sealed), metadata, replace=target.replace)
        shutil.rmtree(self._folder, ignore_errors=True)
        return self._written(target.uri)

    def _joined(self, sealed: Sealed) -> Iterator[bytes]:
        whole = 0
        for part in sealed.parts:
            for piece in self._pieces(part):
                whole = crc32c(piece, whole)
                yield piece
        if whole != sealed.crc32c:
            raise self._damaged(f"the parts of {self._target.uri} on disk are not what was sent")

    def _pieces(self, part: Part) -> Iterator[bytes]:
        try:
            with self._path(part).open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece
        except FileNotFoundError:
            # An attempt that was thought dead has committed or aborted meanwhile; the next one will see.
            told = f"part {part.index} of {self._target.uri} is gone"
            raise failure(ErrorKind.UNAVAILABLE, told, self._detail()) from None

    def _detail(self) -> ErrorDetail:
        return ErrorDetail(cloud="onprem", ref=self._target.uri)

    def _path(self, part: Part) -> Path:
        return self._folder / f"{part.index:08d}-{part.crc32c:08x}-{part.md5.hex()}"

    def _damaged(self, told: str) -> Exception:
        # Whatever is damaged is dropped, so that the next attempt sends it again.
        shutil.rmtree(self._folder, ignore_errors=True)
        return failure(ErrorKind.CHECKSUM_MISMATCH, told, self._detail())


def abort_below(places: Places, prefix: str) -> list[str]:
    """Remove unfinished uploads of objects below a prefix, or of one object, and return their URIs."""
    aborted = []
    for folder in sorted(places.uploads.iterdir()) if places.uploads.is_dir() else ():
        try:
            about = _About.model_validate_json((folder / _ABOUT).read_bytes())
        except (FileNotFoundError, ValidationError):
            continue
        if covers(prefix, about.uri):
            shutil.rmtree(folder, ignore_errors=True)
            aborted.append(about.uri)
    return sorted(set(aborted))


def _key(target: WriteTarget) -> str:
    pins = (target.uri, str(target.size_bytes), target.source_etag, str(target.part_bytes), target.owner)
    return sha256("\0".join(pins).encode()).hexdigest()
