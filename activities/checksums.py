"""Checksums of bytes as they pass: CRC32C to verify, SHA-256 to identify, MD5 as some stores ask."""

import base64
import hashlib
from collections.abc import Iterable
from functools import lru_cache, reduce

import google_crc32c

from contracts.parts import digest_of, part_bytes_of

_CASTAGNOLI = 0x82F63B78
"""The CRC32C polynomial, reflected (RFC 3720, appendix B.4)."""
Matrix = tuple[int, ...]


def crc32c(content: bytes, before: int = 0) -> int:
    """Return the CRC32C of the content, continuing from the CRC of the bytes before it."""
    return int(google_crc32c.extend(before, content))


def to_base64(crc: int) -> str:
    """Write a CRC32C as stores do: base64 of its four bytes, big-endian."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def from_base64(text: str) -> int:
    """Read what `to_base64` wrote.

    Raises:
        ValueError: the text is not base64 of four bytes.
    """
    raw = base64.b64decode(text, validate=True)
    if len(raw) != 4:
        raise ValueError(f"a CRC32C has four bytes, not {len(raw)}")
    return int.from_bytes(raw, "big")


def combine(first: int, second: int, second_bytes: int) -> int:
    """Return the CRC32C of two pieces put together, from their CRCs and the second one's length.

    Appending zeros to a message multiplies its CRC by a matrix over GF(2); the matrix for n zeros is built by
    squaring, so the time grows with the logarithm of the length. The method is `crc32_combine` of zlib (Mark
    Adler), with Castagnoli's polynomial.
    """
    return _times(_appending(second_bytes), first) ^ second


def combined(pieces: Iterable[tuple[int, int]]) -> int:
    """Return the CRC32C of pieces put together, each given by its CRC and its length."""
    return reduce(lambda before, piece: combine(before, *piece), pieces, 0)


@lru_cache(maxsize=64)
def _appending(zeros: int) -> Matrix:
    """The matrix that appends so many zero bytes; parts have few different sizes."""
    total = tuple(1 << bit for bit in range(32))
    operator: Matrix = (_CASTAGNOLI, *(1 << bit for bit in range(31)))
    for _ in range(3):
        operator = _product(operator, operator)
    while zeros:
        if zeros & 1:
            total = _product(operator, total)
        operator = _product(operator, operator)
        zeros >>= 1
    return total


def _times(matrix: Matrix, vector: int) -> int:
    total = 0
    for column in matrix:
        if not vector:
            break
        if vector & 1:
            total ^= column
        vector >>= 1
    return total


def _product(after: Matrix, before: Matrix) -> Matrix:
    return tuple(_times(after, column) for column in before)


class Hashes:
    """The checksums of an object of known size, fed to it in order."""

    def __init__(self, size_bytes: int, *, md5: bool = False) -> None:
        self.size_bytes = 0
        self.crc32c = 0
        self._part_bytes = part_bytes_of(size_bytes)
        self._left = self._part_bytes
        self._part = hashlib.sha256()
        self._parts: list[bytes] = []
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None

    def feed(self, content: bytes) -> None:
        """Take the next bytes in order."""
        self.size_bytes += len(content)
        self.crc32c = crc32c(content, self.crc32c)
        if self._md5:
            self._md5.update(content)
        rest = memoryview(content)
        while len(rest) > self._left:
            self._part.update(rest[: self._left])
            rest = rest[self._left :]
            self._parts.append(self._part.digest())
            self._part, self._left = hashlib.sha256(), self._part_bytes
        self._part.update(rest)
        self._left -= len(rest)

    @property
    def sha256(self) -> str:
        """Hex, as `contracts.parts.digest_of`."""
        return digest_of([*self._parts, self._part.digest()])

    @property
    def md5(self) -> str:
        """MD5 in base64, as `Content-MD5` carries it."""
        if not self._md5:
            raise ValueError("MD5 was not asked for")
        return base64.b64encode(self._md5.digest()).decode()


def md5_digest(content: bytes) -> bytes:
    """Return the MD5 of a part, which Azure verifies on arrival; it is no identity."""
    return hashlib.md5(content, usedforsecurity=False).digest()
