"""Where data lies and how it is known again: URIs, objects and artifacts."""

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from contracts.model import Message

_URI = re.compile(
    r"(?P<scheme>s3|az|gs)://(?P<container>[A-Za-z0-9][A-Za-z0-9._-]*)(?:/(?P<name>.*))?|file:///(?P<path>.*)",
    re.DOTALL,
)
_UNPLAIN = re.compile(r"^\\|[\x00-\x1f\x7f-\x9f]")
_UNSAFE = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
ArtifactKind = Literal["file", "folder"]


class Location(Message):
    """A parsed URI. The name of a prefix ends in `/`; the container of a `file` location is empty."""

    scheme: str
    container: str = ""
    name: str = ""

    @property
    def uri(self) -> str:
        """The URI as text; it parses back to the same location."""
        return f"{self.scheme}://{self.container}/{self.name}"

    def join(self, relative: str) -> "Location":
        """Return the location of a name below this prefix."""
        return self.model_copy(update={"name": self.name + relative})


def locate(uri: str) -> Location:
    """Parse `s3://bucket/key`, `az://container/blob`, `gs://bucket/name` or `file:///path`.

    Raises:
        ValueError: another scheme or form, or a `file` path with `..` in it.
    """
    found = _URI.fullmatch(uri)
    if not found:
        raise ValueError(
            f"{uri!r} is not a URI Causeway knows; "
            "write s3://bucket/key, az://container/blob, gs://bucket/name or file:///path"
        )
    if found["scheme"]:
        return Location(scheme=found["scheme"], container=found["container"], name=found["name"] or "")
    if ".." in found["path"].split("/"):
        raise ValueError(f"{uri!r} leaves the worker's root; a file path has no '..'")
    return Location(scheme="file", name=found["path"])


class ObjectStat(Message):
    """One stored object as its store describes it."""

    uri: str
    size_bytes: int
    etag: str
    """Changes whenever the content does; opaque."""
    crc32c: str | None = None
    """Base64 of the big-endian CRC32C of all bytes, where the store or Causeway recorded one."""
    md5: str | None = None
    """Base64, where the store itself vouches for one of all bytes; no identity."""
    sha256: str | None = None
    """Hex, as `contracts.parts.digest_of`, where Causeway recorded one when it wrote the object."""
    owner: str | None = None
    """Who wrote it, where Causeway did: `<run_uid>/<what>`."""
    media_type: str = "application/octet-stream"
    metadata: dict[str, str] = Field(default_factory=dict)
    """What users noted on the object, by lower-case names, without Causeway's own; a listing may leave it out."""


class Artifact(Message):
    """A named output of a stage: where it lies, what it weighs, how it is known again."""

    uri: str
    """Of a file: its object. Of a folder: a prefix that ends in `/`."""
    kind: ArtifactKind
    size_bytes: int
    object_count: int
    digest: str
    """Hex: of a file `contracts.parts.digest_of`, of a folder the SHA-256 of its manifest lines."""
    crc32c: str | None = None
    etag: str | None = None
    media_type: str = "application/octet-stream"


class ManifestEntry(Message):
    """One object of a folder: its name below the prefix, its size and the SHA-256 of its content."""

    name: str
    size_bytes: int
    sha256: str


def manifest_line(entry: ManifestEntry) -> str:
    r"""Return `name TAB size TAB sha256 LF`; no two entries have one line, and a line breaks and has TABs nowhere else.

    A name stands as it is. Only one that holds a control character (Unicode's category Cc) or begins with a backslash
    is written as a backslash and then itself, each of its control characters and backslashes as `\xHH`.
    """
    return f"{_written(entry.name)}\t{entry.size_bytes}\t{entry.sha256}\n"


def read_manifest_line(line: str) -> ManifestEntry:
    """Return what `manifest_line` wrote.

    Raises:
        ValueError: it has no three fields, or no size.
    """
    name, size, sha256 = line.removesuffix("\n").split("\t")
    return ManifestEntry(name=_meant(name), size_bytes=int(size), sha256=sha256)


def folder_digest(entries: Iterable[ManifestEntry]) -> str:
    """Return the identity of a folder: SHA-256 of its entries' `manifest_line`, in the order of the names' UTF-8 bytes."""
    # Text is ordered by code point, which is the order of its UTF-8 bytes.
    held = sorted(entries, key=lambda entry: (entry.name, entry.size_bytes, entry.sha256))
    return hashlib.sha256("".join(map(manifest_line, held)).encode()).hexdigest()


def folder_artifact(uri: str, entries: Iterable[ManifestEntry]) -> Artifact:
    """Return the artifact that a prefix with these objects is."""
    held = tuple(entries)
    size = sum(entry.size_bytes for entry in held)
    return Artifact(
        uri=uri,
        kind="folder",
        size_bytes=size,
        object_count=len(held),
        digest=folder_digest(held),
        media_type="inode/directory",
    )


def _written(name: str) -> str:
    if not _UNPLAIN.search(name):
        return name
    return "\\" + _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02x}", name)


def _meant(written: str) -> str:
    if not written.startswith("\\"):
        return written
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), written[1:])
