"""What is known of an object's bytes, and whether two such accounts are of the same content."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from activities.checksums import Hashes, to_base64
from contracts.artifacts import ObjectStat


@dataclass(frozen=True)
class Known:
    """Size and checksums, from a store's word or from having read every byte."""

    size_bytes: int
    crc32c: str | None
    sha256: str | None
    md5: str | None = None

    @classmethod
    def of(cls, stat: ObjectStat, sha256: str | None = None) -> Self:
        """Take a store's word; a digest that someone vouches for goes before the store's own."""
        return cls(stat.size_bytes, stat.crc32c, sha256 or stat.sha256, stat.md5)

    @classmethod
    def read(cls, size_bytes: int, pieces: Iterable[bytes]) -> Self:
        """Read every byte of an object of this size."""
        hashes = Hashes(size_bytes)
        for piece in pieces:
            hashes.feed(piece)
        return cls(hashes.size_bytes, to_base64(hashes.crc32c), hashes.sha256)

    def matches(self, other: "Known") -> bool | None:
        """Whether both are the same content; None where they have no checksum in common."""
        if self.size_bytes != other.size_bytes:
            return False
        pairs = ((self.sha256, other.sha256), (self.crc32c, other.crc32c), (self.md5, other.md5))
        shared = [mine == theirs for mine, theirs in pairs if mine and theirs]
        return all(shared) if shared else None
