"""Reading a copy's source at a foreign address, as a store does: over https or on loopback, and never redirected."""

from __future__ import annotations

import http.client
import ipaddress
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from sandbox.servers.fronts.lines import PIECE_BYTES

_PATIENCE_SECONDS = 60
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/")


class NotRead(Exception):
    """The source cannot be read: what it answered, and what that means. Never tells the address."""

    def __init__(self, why: str, *, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        """What the source answered, if it did."""


class NoSuchRange(NotRead):
    """The range is none, or the source does not hold all of it."""


class NotAnAddress(NotRead):
    """Nothing that could be read lies behind such an address."""


class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int: ...


@dataclass(frozen=True)
class Wanted:
    """Some bytes at an address."""

    url: str
    headers: Mapping[str, str]
    """Conditions, and an authorization, if any."""
    range: str | None = None
    """`bytes=first-last` or `bytes=first-`."""


@dataclass(frozen=True)
class Found:
    """What a source answered with."""

    length: int
    etag: str
    pieces: Iterator[memoryview]
    """So many bytes in all, or `NotRead` is raised."""


def fetch(wanted: Wanted, trust: ssl.SSLContext) -> Found:
    """Open the source; every byte of its range arrives, or an error does.

    Raises:
        NotAnAddress, NoSuchRange, NotRead: with the status that the source answered, if it did.
    """
    address = _address(wanted.url)
    first, last = _bounds(wanted.range)
    headers = {"Accept-Encoding": "identity", **wanted.headers}
    headers |= {"Range": wanted.range} if wanted.range else {}
    connection = _connection(address, trust)
    try:
        connection.request("GET", _target(address), headers=headers)
        answer = connection.getresponse()
        length = _length(answer, first, last)
    except NotRead:
        connection.close()
        raise
    except (UnicodeError, http.client.InvalidURL):
        connection.close()
        raise NotAnAddress("it is no address") from None
    except (OSError, http.client.HTTPException) as broken:
        connection.close()
        raise NotRead(f"it is out of reach ({type(broken).__name__})") from None
    return Found(length, answer.headers.get("ETag", ""), _pieces(connection, answer, length))


def _address(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        found = address.scheme, address.hostname, address.port
    except ValueError:
        raise NotAnAddress("it is no address") from None
    if found[0] == "https" and found[1]:
        return address
    if found[0] == "http" and _is_loopback(found[1] or ""):
        return address
    raise NotAnAddress("only https is read, or http of this machine")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bounds(told: str | None) -> tuple[int, int | None]:
    if told is None:
        return 0, None
    found = _RANGE.fullmatch(told)
    if not found or (found[2] and int(found[2]) < int(found[1])):
        raise NoSuchRange("the range is none")
    return int(found[1]), int(found[2]) if found[2] else None


def _connection(address: SplitResult, trust: ssl.SSLContext) -> http.client.HTTPConnection:
    host, port = address.hostname or "", address.port
    if address.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=_PATIENCE_SECONDS, context=trust)
    return http.client.HTTPConnection(host, port, timeout=_PATIENCE_SECONDS)


def _target(address: SplitResult) -> str:
    return (address.path or "/") + (f"?{address.query}" if address.query else "")


def _length(answer: http.client.HTTPResponse, first: int, last: int | None) -> int:
    """Return how many bytes come, which are exactly those asked for."""
    if answer.status == 416:
        raise NoSuchRange("the source does not reach so far", status=416)
    if answer.status not in (200, 206):
        raise NotRead("the source refused", status=answer.status)
    length, begin = answer.length, 0
    if answer.status == 206:
        told = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
        if told is None:
            raise NotRead("the source does not say which range it sends", status=206)
        begin, length = int(told[1]), int(told[2]) - int(told[1]) + 1
    if length is None:
        raise NotRead("the source does not say how long it is", status=answer.status)
    if begin != first or (last is not None and length != last - first + 1):
        raise NoSuchRange("the source sends another range", status=answer.status)
    return length


def _pieces(connection: http.client.HTTPConnection, answer: _Readable, length: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(PIECE_BYTES))
    left = length
    try:
        while left:
            count = answer.readinto(buffer[: min(left, PIECE_BYTES)])
            if not count:
                raise NotRead("the source ended early")
            left -= count
            yield buffer[:count]
    except (OSError, http.client.HTTPException) as broken:
        raise NotRead(f"the source broke off ({type(broken).__name__})") from None
    finally:
        connection.close()
