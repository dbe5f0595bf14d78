"""How an object is divided into parts: by its size alone, so that every store, worker and attempt divides it alike."""

import hashlib
from collections.abc import Iterable, Iterator

from contracts.units import MIB

PART_BYTES = 16 * MIB
"""The usual part. SkyPlane's sweep found 16 to 64 MiB fastest between clouds (NSDI 2023)."""
MAX_PARTS = 9_999
"""One fewer than S3 takes: its writer keeps the last number for itself."""
SPAN_PARTS = 16
"""Parts that one activity moves at least: 256 MiB."""
SPANS = 64
"""Activities that a very large object is moved by at most, so that its history stays short."""


def part_bytes_of(size_bytes: int) -> int:
    """Return the size of each part but the last of an object: 16 MiB, doubled until `MAX_PARTS` are enough."""
    part = PART_BYTES
    while part * MAX_PARTS < size_bytes:
        part *= 2
    return part


def parts_of(size_bytes: int) -> int:
    """Return how many parts an object has; an empty one has a single, empty part."""
    return max(1, -(-size_bytes // part_bytes_of(size_bytes)))


def part_size(size_bytes: int, index: int) -> int:
    """Return how many bytes one part of an object has."""
    part = part_bytes_of(size_bytes)
    return min(part, size_bytes - index * part)


def spans_of(size_bytes: int) -> Iterator[range]:
    """Return the parts of an object in the groups that are moved together, as ranges of their indices."""
    count = parts_of(size_bytes)
    step = max(SPAN_PARTS, -(-count // SPANS))
    for first in range(0, count, step):
        yield range(first, min(first + step, count))


def digest_of(parts: Iterable[bytes]) -> str:
    """Return the identity of an object from the SHA-256 of each of its parts, as hex.

    Of an object of one part it is the SHA-256 of the content; of others the SHA-256 of the parts' digests put
    together, which S3 calls a composite checksum:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html.
    """
    held = list(parts)
    return held[0].hex() if len(held) == 1 else hashlib.sha256(b"".join(held)).hexdigest()
