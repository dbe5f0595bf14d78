"""Objects as tests write them: put at once, or cut into the parts that their size alone decides."""

import hashlib
from typing import Any

from activities.checksums import Hashes
from activities.gathering import part_of
from activities.store import Part, Sealed, Store, WriteTarget
from activities.uploading import sealed as sealed_parts
from contracts.artifacts import ObjectStat
from contracts.parts import PART_BYTES, part_bytes_of
from contracts.units import MIB

LARGE = bytes(range(256)) * ((2 * PART_BYTES + MIB) // 256) + b"the end"
"""Three parts, the last of them small."""


def sha256_of(content: bytes) -> str:
    """The identity of a content."""
    hashes = Hashes(len(content))
    hashes.feed(content)
    return hashes.sha256


def put(
    store: Store,
    uri: str,
    content: bytes,
    *,
    owner: str = "run/test",
    media_type: str = "text/plain",
    replace: bool = False,
    sha256: str | None = None,
    metadata: dict[str, str] | None = None,
) -> ObjectStat:
    """Put an object of one part."""
    target = WriteTarget(uri, len(content), "", owner, replace, media_type, metadata or {})
    return store.put(target, content, hashlib.sha256(content).hexdigest() if sha256 is None else sha256)


def target_of(uri: str, content: bytes = LARGE, *, etag: str = '"v1"', **more: Any) -> WriteTarget:
    """Say where a content comes to lie."""
    wanted = {"owner": "run/test", "replace": False, "media_type": "text/plain", **more}
    return WriteTarget(uri=uri, size_bytes=len(content), source_etag=etag, **wanted)


def cut(content: bytes = LARGE) -> list[tuple[Part, bytes]]:
    """Cut a content into its parts."""
    step = part_bytes_of(len(content))
    pieces = [content[start : start + step] for start in range(0, len(content), step)]
    return [(part_of(index, piece), piece) for index, piece in enumerate(pieces)]


def sealed(content: bytes = LARGE) -> Sealed:
    """What all parts of a content come to."""
    return sealed_parts(part for part, _ in cut(content))
