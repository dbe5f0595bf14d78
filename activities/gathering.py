"""A part as it arrives: put together in memory once, and hashed piece by piece while the pieces are still in the cache."""

import hashlib
from collections.abc import Iterable
from io import BytesIO

from activities.checksums import crc32c
from activities.store import Part


def gathered(index: int, pieces: Iterable[bytes]) -> tuple[Part, bytes]:
    """Return the part that the pieces come to, and its bytes.

    Memory is that of the part and of one piece: `BytesIO` gives its own buffer away, where joining the pieces would hold
    all of them beside the whole.
    """
    held, sha256, crc = BytesIO(), hashlib.sha256(), 0
    for piece in pieces:
        sha256.update(piece)
        crc = crc32c(piece, crc)
        held.write(piece)
    return Part(index, held.tell(), crc, sha256.digest()), held.getvalue()


def part_of(index: int, content: bytes) -> Part:
    """Return what a part's content comes to."""
    return gathered(index, (content,))[0]
